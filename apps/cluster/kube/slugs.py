"""Names and label values of Kubernetes objects. Every one that the product gives comes from here.

    name    RFC 1123 label: at most 63 small letters, digits and dashes, a letter or digit at both ends
    label   a label's value: at most 63 letters, digits and ``-_.``, a letter or digit at both ends

A text that is a valid name already stays as it is. Any other is made valid and gets a hash of itself as its
end, so two texts never share a name. Back from a name to the text: the text lies in a label, or where it
can't, in an annotation of the same key (`marks`, `text_of`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

LONGEST = 63
_HASH = 10
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_OURS = re.compile(rf"--[0-9a-f]{{{_HASH}}}$")  # how names with a hash end; no text may end so by itself


def name(text: str, prefix: str = "") -> str:
    """An object's name for `text`: always the same, and no other text's under the same prefix. `prefix` is a
    valid name and is put before it with a dash; names with one begin with a letter if it does (services)."""
    whole = f"{prefix}-{text}" if prefix else text
    if _NAME.fullmatch(whole) and not _OURS.search(whole):
        return whole
    return _with_hash(re.sub(r"[^a-z0-9-]+", "-", whole.lower()), whole)


def label(text: str) -> str:
    """A label's value for `text`: itself where that is valid, else one that is unique to it. "" stays ""."""
    if not text or (_LABEL.fullmatch(text) and not _OURS.search(text)):
        return text
    return _with_hash(re.sub(r"[^A-Za-z0-9_.-]+", "-", text), text)


def marks(texts: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """(labels, annotations) that hold `texts` by key: each in a label to select by, and in an annotation too
    where the label can't hold it whole."""
    labels = {key: label(text) for key, text in texts.items()}
    return labels, {key: text for key, text in texts.items() if labels[key] != text}


def text_of(thing: Mapping[str, Any], key: str) -> str:
    """The text that `marks` put on an object under `key`; "" if there is none."""
    metadata = thing.get("metadata") or {}
    found = (metadata.get("annotations") or {}).get(key) or (metadata.get("labels") or {}).get(key)
    return str(found or "")


def _with_hash(made: str, whole: str) -> str:
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_HASH]
    start = made[: LONGEST - _HASH - 2].strip("-_.") or "x"
    return f"{start}--{digest}"
