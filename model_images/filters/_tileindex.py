"""The tiles of a user's folder, cut to squares once and kept by content.

The cache file is an npz of plain arrays (never pickled), written under another name and renamed. A cache
that is missing, damaged or read-only costs time and changes nothing else. Progress is kept every few seconds,
so a folder that takes longer than one photo's time limit is finished by the tries after it.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model_images.filters import _scale
from model_images.runtime.contract import Array, BadImage
from model_images.runtime.imageio import open_source

MAX_TILES = 2000  # of a folder are used, the first ones
_FORMAT = "1"  # of the cache file and of how a tile is cut
_KEEP_AFTER = 3.0  # seconds of work
_SHA256 = re.compile(r"[0-9a-f]{64}")
_recent: OrderedDict[str, Array] = OrderedDict()  # the last two, for the next photo of the same job


def tiles_of(paths: Sequence[Path], px: int, cache_dir: Path | None) -> Array:
    """`(n, px, px, 3)` RGB, read-only: the middle square of each readable photo, in order."""
    files = list({_content(path): path for path in paths}.items())[:MAX_TILES]
    key = hashlib.sha256("\n".join([_FORMAT, str(px), *(name for name, _ in files)]).encode()).hexdigest()
    if key not in _recent:
        cache = cache_dir / "tiles" / f"{key}.npz" if cache_dir else None
        _recent[key] = _complete([path for _, path in files], px, cache)
        while len(_recent) > 2:
            _recent.popitem(last=False)
    _recent.move_to_end(key)
    return _recent[key]


def _content(path: Path) -> str:
    """The file's sha256: its name in a drive, else computed; the path itself where it can't be read."""
    if _SHA256.fullmatch(path.name):
        return path.name
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return str(path)


def _complete(paths: list[Path], px: int, cache: Path | None) -> Array:
    """What the cache has, and the rest from the files."""
    tiles, seen = _read(cache, px, len(paths))
    found = list(tiles)
    kept_at = time.monotonic()
    for number, path in enumerate(paths[seen:], start=seen + 1):
        try:
            tile = _cut(path, px)
        except OSError:  # gone or out of reach just now: leave it out, and don't keep that for ever
            tile = cache = None
        if tile is not None:
            found.append(tile)
        if number == len(paths) or time.monotonic() - kept_at > _KEEP_AFTER:
            _write(cache, _stacked(found, px), number)
            kept_at = time.monotonic()
    tiles = _stacked(found, px)
    tiles.flags.writeable = False
    return tiles


def _stacked(found: list[Array], px: int) -> Array:
    return np.stack(found) if found else np.empty((0, px, px, 3), np.uint8)


def _cut(path: Path, px: int) -> Array | None:
    """The middle square of a photo at `px` × `px`, or None if it is no photo we can use. Raises OSError."""
    data = path.read_bytes()
    try:
        image = open_source(data).rgb(min_width=px, min_height=px)
    except BadImage:
        return None
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return _scale.shrunk(np.ascontiguousarray(image[top : top + side, left : left + side]), px, px)


def _read(cache: Path | None, px: int, count: int) -> tuple[Array, int]:
    """Tiles kept so far, and how many of the files they stand for."""
    nothing = np.empty((0, px, px, 3), np.uint8), 0
    if cache is None:
        return nothing
    try:
        with cache.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            tiles, seen = kept["tiles"], int(kept["seen"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        return nothing
    if tiles.dtype != np.uint8 or tiles.shape[1:] != (px, px, 3) or not len(tiles) <= seen <= count:
        return nothing
    return tiles, seen


def _write(cache: Path | None, tiles: Array, seen: int) -> None:
    if cache is None:
        return
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=cache.parent, suffix=".tmp")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, tiles=tiles, seen=np.int64(seen))
        Path(name).replace(cache)
    except OSError:
        Path(name).unlink(missing_ok=True)
