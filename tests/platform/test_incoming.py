"""Files in multipart bodies: what reaches the disk, of whom, and what is answered."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile

from apps.accounts.services import tokens

PREVIEW = "/api/v1/apps/blackwhite/preview"


@pytest.fixture
def stored(monkeypatch) -> list[int]:
    """The bytes written to each temporary file, while they are written."""
    sizes: list[int] = []
    opened = TemporaryUploadedFile.__init__

    def init(self, *args, **kwargs):
        opened(self, *args, **kwargs)
        index, write = len(sizes), self.file.write
        sizes.append(0)

        def counted(data):
            sizes[index] += len(data)
            return write(data)

        self.file.write = counted

    monkeypatch.setattr(TemporaryUploadedFile, "__init__", init)
    return sizes


@pytest.fixture
def limit(settings) -> int:
    """Small, and nothing is small enough for memory."""
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 0
    settings.MAX_IMAGE_BYTES = 200_000
    return settings.MAX_IMAGE_BYTES


def _files(number: int, size: int) -> dict:
    return {f"file{index or ''}": SimpleUploadedFile("a.jpg", b"x" * size) for index in range(number)}


def _left(settings) -> list[Path]:
    folder = Path(settings.FILE_UPLOAD_TEMP_DIR)
    return list(folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize(("number", "size"), [(1, 5_000_000), (20, 150_000)])
def test_nothing_beyond_the_limit_is_stored(alice_web, stored, limit, settings, number, size):
    response = alice_web.post(PREVIEW, _files(number, size))

    assert response.status_code == 413
    assert response.json()["error"] == {
        "code": "too_large",
        "message": "More than 0.2 MB of files was sent, the most allowed here. Nothing was kept.",
        "fields": {},
    }
    assert 0 < sum(stored) <= limit
    assert _left(settings) == []


def test_so_it_is_with_a_token(alice, charlie_web, stored, limit, settings):
    _, token = tokens.create(alice, "script")
    bearer = {"Authorization": f"Bearer {token}"}

    response = charlie_web.post(PREVIEW, _files(1, 5_000_000), headers=bearer)

    assert response.status_code == 413
    assert 0 < sum(stored) <= limit
    assert _left(settings) == []


def test_a_page_says_so_too(alice_web, stored, limit):
    response = alice_web.post("/account/", _files(1, 5_000_000) | {"name": "New"})

    assert response.status_code == 413
    assert "0.2 MB" in response.content.decode()
    assert sum(stored) <= limit


@pytest.mark.parametrize("size", [10, 5_000_000])
def test_nothing_of_logged_out_people_is_stored(db, charlie_web, stored, limit, settings, size):
    page = charlie_web.post("/account/login/", _files(3, size) | {"login": "x@example.org", "password": "x"})
    api = charlie_web.post(PREVIEW, _files(3, size))

    assert page.status_code == 200
    assert "are not correct" in page.content.decode()  # the fields after the files were read
    assert api.status_code == 401
    assert stored == []
    assert _left(settings) == []


def test_a_file_within_the_limit_lies_below_the_data_folder(alice, rf, limit, settings):
    request = rf.post("/", _files(1, limit))
    request.user = alice

    file = request.FILES["file"]

    assert file.size == limit
    assert Path(file.temporary_file_path()).parent == settings.DATA_DIR / "drive" / ".incoming"
    request.close()
    assert _left(settings) == []
