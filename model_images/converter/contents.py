"""What kind of file an upload is, by its content. A name tells nothing: a pickle called `model.onnx` is a
pickle. Nothing is unpickled or decompressed here."""

from __future__ import annotations

import io
import pickletools
from pathlib import Path
from typing import Literal

from model_images.converter import archives, wire
from model_images.converter.architecture import Rejected

Kind = Literal["onnx", "torch_zip", "torch_legacy", "safetensors"]

MAX_UPLOAD = 1 << 30  # bytes
_LEGACY_MAGIC = (
    b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # torch before 1.6: pickled 0x1950a86a20f9469cfc6c
)
_PICKLE_PROBE = 1 << 20
_MAX_SAFETENSORS_HEADER = 100 << 20
_OTHERS = {
    b"\x89HDF": "an HDF5 file (Keras)",
    b"GGUF": "a GGUF file",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\xff\xd8\xff": "a JPEG photo",
    b"\x89PNG": "a PNG image",
    b"%PDF": "a PDF",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself: run `git lfs pull` first",
    b"<!DOCTYPE": "a web page: the download needs a log-in or another link",
    b"<html": "a web page: the download needs a log-in or another link",
}
ACCEPTED = "ONNX (.onnx), a PyTorch checkpoint (.pt, .pth) or safetensors"


def kind_of(path: Path) -> Kind:
    """Raises Rejected: empty, too_large, truncated, torchscript, pickle, unsupported_type, and those of
    `archives.check`."""
    size = path.stat().st_size
    if size == 0:
        raise Rejected("empty", "The file is empty.")
    if size > MAX_UPLOAD:
        raise Rejected(
            "too_large", f"The file has {size / 1e6:,.0f} MB; {MAX_UPLOAD / 1e6:,.0f} MB are the limit."
        )
    with path.open("rb") as file:
        head = file.read(_PICKLE_PROBE)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        archives.check(path)
        return "torch_zip"
    if head.startswith(_LEGACY_MAGIC):
        return "torch_legacy"
    for magic, what in _OTHERS.items():
        if head.startswith(magic):
            raise Rejected("unsupported_type", f"This is {what}. Accepted are {ACCEPTED}.")
    if _is_safetensors(head, size):
        return "safetensors"
    if _is_pickle(head):
        raise _pickle(head)
    wire.check_onnx(path)
    return "onnx"


def _is_safetensors(head: bytes, size: int) -> bool:
    """Eight bytes with the length of a JSON header, then the header."""
    if len(head) < 9 or head[8:9] != b"{":
        return False
    length = int.from_bytes(head[:8], "little")
    if length > _MAX_SAFETENSORS_HEADER:
        return False
    if 8 + length > size:
        raise Rejected("truncated", "The safetensors file ends within its own header: upload it again.")
    return True


def _is_pickle(head: bytes) -> bool:
    """A pickle of protocol 2 and later starts with its number; older ones are text."""
    if head[:1] == b"\x80" and head[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        return True
    if head[:1] not in b"c(]}[dliIFSVN":
        return False
    try:
        opcodes = list(pickletools.genops(io.BytesIO(head)))
    except Exception:  # pickletools raises ValueError and others for what is no pickle
        return False
    return len(opcodes) > 1


def _pickle(head: bytes) -> Rejected:
    names = named_in(head)
    if names:
        return Rejected(
            "forbidden_global",
            f"This is a Python pickle that asks for {names[0]}. It was not opened. Upload a state dict saved "
            "by "
            "torch.save, safetensors or ONNX.",
        )
    return Rejected(
        "pickle",
        "This is a bare Python pickle, which can run code when it is opened. It was not. Accepted are "
        f"{ACCEPTED}.",
    )


def named_in(data: bytes) -> list[str]:
    """Every `module.name` that a pickle asks for, as far as it can be read without running it."""
    found: list[str] = []
    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(io.BytesIO(data)):
            if opcode.name in {"GLOBAL", "INST"}:
                found.append(".".join(str(argument).split(" ", 1)))
            elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
                found.append(".".join(texts[-2:]))
            elif isinstance(argument, str):
                texts.append(argument)
    except Exception:  # noqa: S110 - a damaged pickle: what was read so far will do
        pass
    return [name[:200] for name in found]
