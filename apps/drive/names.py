"""Names of folders and photos: which are refused, which is free, what they are called in a zip.

A name is one part of a path, in Unicode NFC. It is shown to people and written into zip files that are
unpacked on any system, so names that mean something else there are refused rather than changed silently.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from pathlib import PurePosixPath

from marketplace.api import ApiError, invalid

FOLDER_CHARS = 120
IMAGE_CHARS = 200
MAX_BYTES = 255  # of a name in UTF-8, on most file systems
MAX_DEPTH = 32

_DEVICES = {"con", "prn", "aux", "nul"} | {f"{kind}{n}" for kind in ("com", "lpt") for n in range(1, 10)}
# They reorder what follows, so that "photo<RLO>gpj.exe" would be shown as "photoexe.jpg".
_REORDERING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*\\/\x00-\x1f\x7f]')


def bad_name(message: str) -> ApiError:
    return invalid("bad_name", message, {"name": [message]})


def check(name: str, limit: int) -> str:
    """`name` as it is stored: NFC, without blanks at the ends. 422 `bad_name` with the reason otherwise."""
    name = unicodedata.normalize("NFC", name).strip()
    reason = _reason(name, limit)
    if reason:
        raise bad_name(reason)
    return name


def check_folder(name: str) -> str:
    return check(name, FOLDER_CHARS)


def check_image(name: str) -> str:
    return check(name, IMAGE_CHARS)


def _reason(name: str, limit: int) -> str:
    if not name:
        return "The name is empty."
    if name in {".", ".."}:
        return f'"{name}" means a place, not a name.'
    if "/" in name or "\\" in name:
        return "A name can't contain / or \\."
    categories = {unicodedata.category(char) for char in name}
    if categories & {"Cc", "Cs", "Zl", "Zp"} or _REORDERING & set(name):
        return "The name contains characters that can't be shown."
    if len(name) > limit or len(name.encode()) > MAX_BYTES:
        return f"The name is too long: at most {limit} characters and {MAX_BYTES} bytes."
    if name.partition(".")[0].strip().lower() in _DEVICES:
        return f'"{name}" is a reserved name on Windows.'
    return ""


def split_path(path: str) -> tuple[list[str], str]:
    """`holiday/day 1/cat.jpg` as (["holiday", "day 1"], "cat.jpg"), each part checked."""
    if path.startswith("/"):
        raise bad_name("A path can't start with /.")
    *folders, name = path.split("/")
    if len(folders) > MAX_DEPTH:
        raise bad_name(f"Folders can be at most {MAX_DEPTH} deep.")
    return [check_folder(part) for part in folders], check_image(name)


def stem_of(name: str) -> str:
    """What all of `cat.jpg`, `cat (2).jpg`, … start with: what to look for when one is taken."""
    return PurePosixPath(name).stem[:80]


def free(name: str, taken: Collection[str], limit: int) -> str:
    """`name`, or the first of `name (2)`, `name (3)`, … (before the extension) that is not taken."""
    if name not in taken:
        return name
    path = PurePosixPath(name)
    number = 2
    while True:
        end = f" ({number}){path.suffix}"
        candidate = _cut(path.stem, limit - len(end), MAX_BYTES - len(end.encode())).rstrip() + end
        if candidate not in taken:
            return candidate
        number += 1


def tidy(name: str, limit: int, fallback: str) -> str:
    """A name that passes `check`, as near to `name` as can be. For names that no person typed."""
    name = unicodedata.normalize("NFC", name).replace("/", "_").replace("\\", "_")
    name = "".join(char for char in name if char.isprintable() and char not in _REORDERING).strip()
    path = PurePosixPath(name or fallback)
    suffix = path.suffix[:10]
    name = _cut(path.stem, limit - len(suffix), MAX_BYTES - len(suffix.encode())).strip() + suffix
    return fallback if _reason(name, limit) else name


def for_zip(name: str) -> str:
    """`name` as Windows, macOS and Linux can all unpack it."""
    name = _NOT_ON_WINDOWS.sub("_", name).rstrip(". ") or "_"
    return f"_{name}" if name.partition(".")[0].strip().lower() in _DEVICES else name


def _cut(text: str, chars: int, size: int) -> str:
    text = text[: max(chars, 1)]
    while len(text.encode()) > size:
        text = text[:-1]
    return text
