"""Receiving photos: multipart files go straight into the drive's own folder, hashed on the way.

Django's parser would drop the folders of a file name and mend a bad one silently. Here the name of a part is
a relative path (`holiday/day 1/cat.jpg`), kept as it was sent, so that `names` can refuse it with a reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParser as DjangoParser
from django.http.multipartparser import MultiPartParserError
from django.utils.datastructures import MultiValueDict
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles

from apps.drive.services import quota
from apps.drive.storage import Staged
from marketplace.api import too_large


class StagedUpload(UploadedFile):
    """An uploaded file that lies in the drive's incoming folder; `sent_name` is its name as it was sent."""

    def __init__(self, staged: Staged, sent_name: str, content_type: str) -> None:
        super().__init__(name="upload", content_type=content_type, size=staged.bytes)
        self.staged = staged
        self.sent_name = sent_name

    def close(self) -> None:
        self.staged.close()


class _Handler(FileUploadHandler):
    """Stages every file, each up to the limit for photos, all of them together up to what the quota leaves.

    A file beyond the quota is only counted: its bytes must not fill the disk until somebody looks at them.
    """

    def __init__(self, sent_names: list[str], usage: quota.Usage) -> None:
        super().__init__()
        self.usage = usage
        self.held = 0  # bytes of this request that lie on the disk
        self.without_room: set[Staged] = set()
        self.chunk_size = 1 << 18
        self.sent_names = sent_names
        self.all: list[Staged] = []
        self.complete: set[Staged] = set()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.staged = Staged(settings.MAX_IMAGE_BYTES)
        self.all.append(self.staged)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        staged = self.staged
        held = staged.held
        if staged.error is None and self.held + len(raw_data) > self.usage.left:
            self.without_room.add(staged)
            staged.refuse(quota.exceeded(self.usage, len(raw_data)))
        staged.write(raw_data)
        self.held += staged.held - held

    def file_complete(self, file_size: int) -> StagedUpload:
        if self.staged in self.without_room:  # only now is its size known
            used = quota.Usage(self.usage.used + self.held, self.usage.limit)
            self.staged.error = quota.exceeded(used, file_size)
        self.complete.add(self.staged)
        return StagedUpload(self.staged, self.sent_names[-1], self.content_type or "")

    def upload_complete(self) -> None:
        """The body has ended; a file that it broke off in is no file."""
        for staged in self.all:
            if staged not in self.complete:
                staged.close()

    def discard(self) -> None:
        for staged in self.all:
            staged.close()


class _NamesAsSent(DjangoParser):
    sent_names: list[str]

    def sanitize_file_name(self, file_name: str) -> str:
        self.sent_names.append(file_name)
        return "upload"


class PhotoParser(BaseParser):
    """multipart/form-data whose files are StagedUploads. Whoever reads them closes them."""

    media_type = "multipart/form-data"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> DataAndFiles:
        request = (parser_context or {})["request"]
        meta = {**request.META, "CONTENT_TYPE": media_type}
        sent_names: list[str] = []
        # Not the outer request's user: the CSRF check comes here while that is still being found out.
        handler = _Handler(sent_names, quota.usage(request._request.user))
        try:
            parser = _NamesAsSent(meta, stream, [handler], "utf-8")
            parser.sent_names = sent_names
            return DataAndFiles(*parser.parse())
        except (TooManyFilesSent, TooManyFieldsSent, RequestDataTooBig) as error:
            handler.discard()
            limit = settings.DATA_UPLOAD_MAX_NUMBER_FILES
            raise too_large("too_many_files", f"At most {limit} files can be sent at once.") from error
        except (MultiPartParserError, ValueError) as error:
            handler.discard()
            raise ParseError(f"The request's body can't be read: {error}") from error
        except BaseException:
            handler.discard()
            raise


def check_csrf_by_header_only(request: HttpRequest) -> None:
    """Before authentication: the CSRF check looks for a form field first, for which Django would read the
    whole upload with its own parser. Without fields it looks at the X-CSRFToken header."""
    request.POST = QueryDict()  # type: ignore[assignment]
    request._files = MultiValueDict()  # type: ignore[attr-defined]
