"""Which kind of answer an Accept header asks for (RFC 9110, 12.5.1), among those that an app makes."""

from __future__ import annotations

from collections.abc import Sequence

_KINDS = {"text/plain": "text", "text/html": "html", "application/json": "json"}


def choose(accept: str, outputs: Sequence[str]) -> str | None:
    """`image`, `text`, `html`, `json`, or None when nothing that is asked for can be had. JSON always can."""
    for media_range in _by_preference(accept):
        if media_range in ("*/*", "*"):
            return next((kind for kind in ("image", "text", "html") if kind in outputs), "json")
        if media_range.startswith("image/"):
            kind = "image"
        elif media_range == "text/*":
            kind = "text"
        else:
            kind = _KINDS.get(media_range, "")
        if kind == "json" or kind in outputs:
            return kind
    return None


def _by_preference(accept: str) -> list[str]:
    """Media ranges without q=0, the most wanted first; equals in the order given."""
    wanted = []
    for part in accept.split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            weight = float(quality)
        except ValueError:
            weight = 0.0
        if media_range and weight > 0:
            wanted.append((weight, media_range))
    return [media_range for _, media_range in sorted(wanted, key=lambda pair: -pair[0])]
