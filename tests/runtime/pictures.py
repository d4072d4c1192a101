"""Files to feed the runtime with: small, made here, each with what it should decode to."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

RNG = np.random.default_rng(7)


def gradient(width: int = 64, height: int = 48) -> np.ndarray:
    """`(h, w, 3)`: smooth, so that JPEG keeps it nearly exact, and different at every corner."""
    x = np.linspace(0, 255, width, dtype=np.float32)[None, :]
    y = np.linspace(0, 255, height, dtype=np.float32)[:, None]
    return np.stack([x + 0 * y, y + 0 * x, np.full((height, width), 80, np.float32)], axis=2).astype(np.uint8)


def noise(width: int = 64, height: int = 48) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def saved(image: np.ndarray | Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, format, **options)
    return buffer.getvalue()


def jpeg(image: np.ndarray | None = None, **options) -> bytes:
    options = {"quality": 95, "subsampling": 0} | options
    return saved(gradient() if image is None else image, "JPEG", **options)


def png(image: np.ndarray | Image.Image | None = None, **options) -> bytes:
    return saved(gradient() if image is None else image, "PNG", **options)


def oriented(orientation: int, format: str = "JPEG", **options) -> bytes:
    """A file that looks like `gradient()` once its orientation is applied."""
    inverse = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose members
    image = Image.fromarray(gradient())
    if inverse[orientation] is not None:
        image = image.transpose(Image.Transpose(inverse[orientation]))
    exif = Image.Exif()
    exif[274] = orientation
    if format == "TIFF":
        return saved(image, format, tiffinfo={274: orientation}, **options)
    return saved(image, format, exif=exif.tobytes(), **options)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be large, and holds nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def cmyk_jpeg(image: np.ndarray | None = None) -> bytes:
    rgb = Image.fromarray(gradient() if image is None else image)
    return saved(rgb.convert("CMYK"), "JPEG", quality=95)


def frames(format: str, count: int = 3, **options) -> bytes:
    images = [Image.fromarray(noise()) for _ in range(count)]
    return saved(images[0], format, save_all=True, append_images=images[1:], **options)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """An ICC profile that calls red blue and blue red: sRGB's own, with two primaries exchanged and
    renamed."""
    profile = srgb_profile().replace(b"sRGB", b"BGRs")
    swap = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}
    count = int.from_bytes(profile[128:132], "big")
    table = bytearray(profile)
    for entry in range(132, 132 + 12 * count, 12):
        name = bytes(table[entry : entry + 4])
        table[entry : entry + 4] = swap.get(name, name)
    name = "sRGB".encode("utf-16-be")
    return bytes(table).replace(name, "BGRs".encode("utf-16-be"))
