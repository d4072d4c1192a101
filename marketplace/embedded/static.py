"""Whether the collected static files are those of this version of the source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from marketplace.embedded.options import ROOT


def signature(root: Path = ROOT) -> str:
    """Of every file that `collectstatic` would read: ours by path, size and time, packages' by the lock."""
    digest = hashlib.sha256()
    for path in sorted(_sources(root)):
        stat = path.stat()
        digest.update(f"{path.relative_to(root)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _sources(root: Path) -> Iterator[Path]:
    yield root / "requirements.lock"
    yield root / "marketplace" / "settings.py"
    for folder in (root / "marketplace" / "static", *root.glob("apps/*/static")):
        yield from (path for path in folder.rglob("*") if path.is_file())


def is_current(collected: Path, wanted: str) -> bool:
    try:
        return (collected / ".signature").read_text() == wanted
    except FileNotFoundError:
        return False


def mark(collected: Path, current: str) -> None:
    (collected / ".signature").write_text(current)
