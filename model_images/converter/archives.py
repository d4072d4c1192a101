"""Bounds of a zip archive, checked before anything in it is read. What torch.save writes is never compressed,
so a compressed entry is refused: that is all there is to zip bombs."""

from __future__ import annotations

import zipfile
from pathlib import Path

from model_images.converter.architecture import Rejected

MAX_ENTRIES = 20_000
MAX_PICKLE = 64 << 20  # bytes of the object tree, tensors not counted


def check(path: Path) -> None:
    """Raises Rejected: truncated, zip_bomb, bad_archive, torchscript, unsupported_type."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, ValueError, NotImplementedError) as error:
        raise Rejected(
            "truncated", f"The archive is damaged or its end is missing ({error}): upload it again."
        ) from error
    _check_sizes(entries, path.stat().st_size)
    _check_names([entry.filename for entry in entries])
    pickles = [e for e in entries if e.filename.count("/") <= 1 and e.filename.endswith("data.pkl")]
    if len(pickles) != 1:
        raise Rejected(
            "unsupported_type",
            "This is a zip archive, but no PyTorch checkpoint: it has no data.pkl of its own.",
        )
    if pickles[0].file_size > MAX_PICKLE:
        raise Rejected("zip_bomb", f"The archive's data.pkl is over the limit of {MAX_PICKLE >> 20} MB.")


def _check_sizes(entries: list[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > MAX_ENTRIES:
        raise Rejected(
            "zip_bomb", f"The archive has {len(entries):,} entries; {MAX_ENTRIES:,} are the limit."
        )
    for entry in entries:
        if entry.flag_bits & 1:
            raise Rejected("bad_archive", f"{entry.filename[:80]!r} in the archive is encrypted.")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise Rejected(
                "zip_bomb",
                f"{entry.filename[:80]!r} in the archive is compressed (to {entry.compress_size:,} of "
                f"{entry.file_size:,} bytes). torch.save never compresses: upload the file as it wrote it.",
            )
    total = sum(entry.file_size for entry in entries)
    if total > size:
        raise Rejected(
            "zip_bomb", f"The archive has {size:,} bytes but declares {total:,}: its entries overlap."
        )


def _check_names(names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise Rejected("bad_archive", "The archive has two entries of the same name.")
    for name in names:
        if name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/"):
            raise Rejected("bad_archive", f"The archive has an entry that leaves its folder: {name[:80]!r}.")
    if any(name.count("/") <= 1 and name.endswith("constants.pkl") for name in names):
        raise Rejected(
            "torchscript",
            "This is a TorchScript program, which is code. Upload the state dict "
            "(torch.save(model.state_dict(), …)) "
            "or ONNX.",
        )
