"""Folders and photos as a zip, made while it is sent.

Rows are read in pages and files one at a time, so memory holds one photo and the list of names, however
large the folder is. Nothing is compressed: photos are already.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from zipstream import ZIP_STORED, ZipStream

from apps.drive import names, queries, storage, tree
from apps.drive.metadata import strip_location
from apps.drive.models import Attachment, Folder, Image

log = logging.getLogger(__name__)
_PAGE = 500
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Entry:
    """A folder, a photo, or an attachment of a photo, at `path` in the zip."""

    path: str
    image: Image | None = None
    attachment: Attachment | None = None


class FreeNames:
    """Names that are free in one folder of the zip, also where upper and lower case are the same."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str) -> str:
        wanted = names.for_zip(name)
        name, number = wanted, 2
        while name.casefold() in self._taken:
            stem, dot, suffix = wanted.rpartition(".")
            name = f"{stem} ({number}){dot}{suffix}" if stem else f"{wanted} ({number})"
            number += 1
        self._taken.add(name.casefold())
        return name


def of_folder(folder: Folder) -> Iterator[Entry]:
    """The folder's photos at the top of the zip, living folders below it as folders."""
    yield from _walk(folder, "", FreeNames(), _living_below([folder]))


def of_selection(folders: Iterable[Folder], images: Iterable[Image]) -> Iterator[Entry]:
    folders = list(folders)
    below = _living_below(folders)
    used = FreeNames()
    for folder in folders:
        path = used.take(folder.name) + "/"
        yield Entry(path)
        yield from _walk(folder, path, FreeNames(), below)
    yield from _images(list(images), "", used)


def _living_below(folders: list[Folder]) -> dict[str, list[Folder]]:
    """Living folders below `folders`, by their parent."""
    found: dict[str, list[Folder]] = {}
    for top in folders:
        ids = list(tree.below(top.pk))
        for start in range(0, len(ids), _PAGE):
            rows = Folder.objects.filter(parent__in=ids[start : start + _PAGE], trashed_at=None)
            for folder in rows.order_by("name", "pk"):
                found.setdefault(folder.parent_id, []).append(folder)
    return found


def _walk(folder: Folder, path: str, used: FreeNames, below: dict[str, list[Folder]]) -> Iterator[Entry]:
    for child in below.get(folder.pk, ()):
        inner = f"{path}{used.take(child.name)}/"
        yield Entry(inner)
        yield from _walk(child, inner, FreeNames(), below)
    cursor = None
    while True:
        page = queries.images_page(folder, cursor, _PAGE)
        yield from _images(page.images, path, used)
        cursor = page.next
        if cursor is None:
            return


def _images(images: list[Image], path: str, used: FreeNames) -> Iterator[Entry]:
    attached: dict[str, list[Attachment]] = {}
    for file in Attachment.objects.filter(image__in=images).order_by("name"):
        attached.setdefault(file.image_id, []).append(file)
    for image in images:
        yield Entry(path + used.take(image.name), image)
        for file in attached.get(image.pk, ()):
            yield Entry(path + used.take(file.name), image, file)


def stream(entries: Iterable[Entry], *, keep_location: bool = False) -> Iterator[bytes]:
    """The zip's bytes. A photo whose bytes can't be read is named in `_missing.txt` and left out."""
    out = ZipStream(compress_type=ZIP_STORED)
    missing: list[str] = []
    for entry in entries:
        if entry.image is None:
            out.mkdir(entry.path)
        else:
            try:
                out.add(_bytes(entry, keep_location), entry.path)
            except OSError as error:
                log.error("not in the zip: %s: %s", entry.path, error)
                missing.append(entry.path)
        yield from out.all_files()
    if missing:
        out.add("These files could not be read:\n" + "\n".join(missing) + "\n", "_missing.txt")
    yield from out.finalize()


def _bytes(entry: Entry, keep_location: bool) -> bytes | Iterator[bytes]:
    """All at once where the place is taken out; in chunks where the file goes as it is."""
    image = entry.image
    assert image is not None  # noqa: S101 - folders don't come here
    if entry.attachment is not None:
        return _chunks(image.owner_id, entry.attachment.sha256)
    if keep_location:
        return _chunks(image.owner_id, image.sha256)
    return strip_location(storage.blob_path(image.owner_id, image.sha256).read_bytes(), image.format)


def _chunks(owner_id: str, sha256: str) -> Iterator[bytes]:
    """Opened at once, so that a missing file is noticed before its entry is begun."""
    file = storage.blob_path(owner_id, sha256).open("rb")

    def read() -> Iterator[bytes]:
        with file:
            while data := file.read(_CHUNK):
                yield data

    return read()
