"""Whether a file is an ONNX model, by the outermost layer of its protobuf encoding: field numbers, wire types
and lengths of ModelProto (onnx.proto), nothing within. So a file that isn't one is told apart, and one that
ends early is found, before a parser sees it."""

from __future__ import annotations

import mmap
from pathlib import Path

from model_images.converter.architecture import Rejected

_VARINT, _BYTES = 0, 2
# ModelProto: ir_version, producer_name, producer_version, domain, model_version, doc_string, graph,
# opset_import, metadata_props, training_info, functions, configuration
_FIELDS = {
    1: _VARINT, 2: _BYTES, 3: _BYTES, 4: _BYTES, 5: _VARINT, 6: _BYTES, 7: _BYTES, 8: _BYTES,
    14: _BYTES, 20: _BYTES, 25: _BYTES, 26: _BYTES,
}  # fmt: skip
_GRAPH = 7
_UNKNOWN = (
    "This is no file that we know. Accepted are ONNX (.onnx), a PyTorch checkpoint (.pt, .pth) "
    "or safetensors."
)


def check_onnx(path: Path) -> None:
    """Raises Rejected: unsupported_type, truncated."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        position = 0
        seen: set[int] = set()
        while position < len(data):
            field, position = _field(data, position, any_seen=bool(seen))
            seen.add(field)
    if _GRAPH not in seen:
        raise Rejected("unsupported_type", _UNKNOWN)


def _field(data: mmap.mmap, position: int, *, any_seen: bool) -> tuple[int, int]:
    """The number of the field at `position`, and where the next one starts."""
    tag, position = _varint(data, position)
    field, wire = tag >> 3, tag & 7
    if _FIELDS.get(field) != wire:
        if not any_seen or field not in _FIELDS:
            raise Rejected("unsupported_type", _UNKNOWN)
        raise Rejected("corrupt", "The ONNX file is damaged: a field has the wrong type.")
    value, position = _varint(data, position)
    if wire == _VARINT:
        return field, position
    if position + value > len(data):
        if field == _GRAPH or any_seen:
            raise Rejected(
                "truncated",
                f"The ONNX file ends {position + value - len(data):,} bytes early: upload it again.",
            )
        raise Rejected("unsupported_type", _UNKNOWN)
    return field, position + value


def _varint(data: mmap.mmap, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise Rejected("truncated", "The file ends in the middle of a number: upload it again.")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
    raise Rejected("unsupported_type", _UNKNOWN)
