"""Files in multipart bodies, for every view without a parser of its own: bounded before they are stored.

Django would write whatever is sent to the disk, whoever sends it, before any view looks. Here a logged-out
person's files are read and dropped: no form of theirs takes one. Of everyone else's, at most MAX_IMAGE_BYTES
a request are stored; beyond that the rest is only read, so that the answer arrives, and nothing is kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, TemporaryFileUploadHandler


class FilesTooLarge(RequestDataTooBig):
    """413 in the API and in pages."""

    def __init__(self) -> None:
        limit = f"{settings.MAX_IMAGE_BYTES / 1e6:g} MB"
        super().__init__(f"More than {limit} of files was sent, the most allowed here. Nothing was kept.")


class MembersOnly(FileUploadHandler):
    """First of the handlers: lets nothing of logged-out people through."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if not self.request.user.is_authenticated:
            raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


class BoundedFiles(TemporaryFileUploadHandler):
    """Temporary files in FILE_UPLOAD_TEMP_DIR, up to MAX_IMAGE_BYTES of all of a request's together."""

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.total = 0

    @property
    def is_full(self) -> bool:
        return self.total > settings.MAX_IMAGE_BYTES

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        Path(settings.FILE_UPLOAD_TEMP_DIR).mkdir(parents=True, exist_ok=True)
        super().new_file(*args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.total += len(raw_data)
        if self.is_full:
            self.file.close()  # which deletes it
        else:
            super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> Any:
        if self.is_full:
            self.file.close()
            return None
        return super().file_complete(file_size)

    def upload_complete(self) -> None:
        """The whole body was read. The parser closes the files that came before."""
        if self.is_full:
            raise FilesTooLarge
