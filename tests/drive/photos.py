"""Photos made for tests, good and bad ones."""

from __future__ import annotations

import io
import zlib
from typing import Any

from PIL import Image

from apps.accounts.models import User
from apps.drive.models import Folder
from apps.drive.models import Image as Photo
from apps.drive.services import images

FORMATS = ("jpeg", "png", "tiff", "webp")


def picture(width: int = 64, height: int = 48, seed: int = 0, mode: str = "RGB") -> Image.Image:
    """Smooth but not symmetric: a red corner at the top left, and a gradient that `seed` shifts."""
    ramp = Image.linear_gradient("L").resize((width, height))
    bands = (ramp, ramp, Image.new("L", (width, height), seed % 256))
    image = Image.merge("RGB", bands)
    image.paste((255, 0, 0), (0, 0, max(1, width // 4), max(1, height // 4)))
    return image.convert(mode)


def encode(image: Image.Image, format: str = "jpeg", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format.upper(), **options)
    return out.getvalue()


def photo(seed: int = 0, format: str = "jpeg", width: int = 64, height: int = 48, **options: Any) -> bytes:
    return encode(picture(width, height, seed), format, **options)


def turned(orientation: int, format: str = "jpeg", width: int = 64, height: int = 48) -> bytes:
    if format == "tiff":
        return photo(0, format, width, height, tiffinfo={274: orientation})
    exif = Image.Exif()
    exif[274] = orientation
    return photo(0, format, width, height, exif=exif)


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header promises that size; there are no pixels in it to speak of."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + crc

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    header = chunk(b"IHDR", size + b"\x08\x02\0\0\0")
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def animated(format: str) -> bytes:
    frames = [picture(seed=n * 80) for n in range(3)]
    return encode(frames[0], format, save_all=True, append_images=frames[1:])


def add(owner: User, folder: Folder, name: str = "cat.jpg", seed: int | None = None, **options: Any) -> Photo:
    """A photo in the drive; another name gives other bytes unless `seed` says so."""
    number = zlib.crc32(name.encode()) % 256 if seed is None else seed
    return images.add(owner, folder, name, io.BytesIO(photo(number, **options)))


def rows(owner: User, folder: Folder, count: int, start: int = 0) -> list[Photo]:
    """Many photos as rows alone, for lists."""
    sha256 = "0" * 64
    return Photo.objects.bulk_create(
        Photo(
            owner=owner,
            folder=folder,
            name=f"photo-{number:05d}.jpg",
            sha256=sha256,
            format="jpeg",
            bytes=1000,
            width=640,
            height=480,
        )
        for number in range(start, start + count)
    )


def multipart(files: list[tuple[str, bytes]], field: str = "files") -> tuple[bytes, str]:
    """A body with file names exactly as given (Django's test client would shorten them), and its type."""
    boundary = b"----boundary7f3a"
    parts = []
    for name, data in files:
        quoted = name.encode().replace(b'"', b"%22")
        head = b'Content-Disposition: form-data; name="%s"; filename="%s"\r\n' % (field.encode(), quoted)
        parts.append(b"--" + boundary + b"\r\n" + head + b"Content-Type: image/jpeg\r\n\r\n" + data + b"\r\n")
    body = b"".join(parts) + b"--" + boundary + b"--\r\n"
    return body, f"multipart/form-data; boundary={boundary.decode()}"


def upload(client: Any, folder: Folder, files: list[tuple[str, bytes]], query: str = "", **extra: Any) -> Any:
    body, content_type = multipart(files)
    url = f"/api/v1/folders/{folder.pk}/images{query}"
    return client.generic("POST", url, body, content_type, **extra)
