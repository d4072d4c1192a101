"""Reading and writing ONNX files, and the sessions that try them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
import onnxruntime as ort
from google.protobuf.message import DecodeError
from pydantic import ValidationError

from model_images.converter.architecture import Rejected
from model_images.runtime.metadata import KEY, WeightsMeta

MAX_META = 4 << 20  # bytes of all metadata together


def read(path: Path) -> onnx.ModelProto:
    """Raises Rejected: corrupt, too_much_memory."""
    try:
        return onnx.load_model_from_string(path.read_bytes())
    except MemoryError as error:
        raise Rejected(
            "too_much_memory", "The model takes more memory to read than the converter has."
        ) from error
    except (DecodeError, ValueError, RuntimeError) as error:
        raise Rejected("corrupt", "The ONNX file is damaged: it can't be parsed.") from error


def save(model: onnx.ModelProto, path: Path) -> None:
    """Complete or absent; in one file."""
    draft = path.with_name(f".{path.name}")
    draft.write_bytes(model.SerializeToString())
    draft.replace(path)


def properties(model: onnx.ModelProto) -> Mapping[str, str]:
    """Raises Rejected: bad_metadata."""
    found = {prop.key: prop.value for prop in model.metadata_props}
    if sum(len(key) + len(value) for key, value in found.items()) > MAX_META:
        raise Rejected("bad_metadata", f"The model's metadata is over the limit of {MAX_META >> 20} MB.")
    return found


def embedded_meta(model: onnx.ModelProto) -> WeightsMeta | None:
    """What the file says of itself in our own terms. Raises Rejected: bad_metadata."""
    text = properties(model).get(KEY)
    if text is None:
        return None
    try:
        return WeightsMeta.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Rejected(
            "bad_metadata", f"The metadata property {KEY} can't be used: {where}: {first['msg']}"
        ) from error


def write_meta(model: onnx.ModelProto, meta: WeightsMeta) -> None:
    """Into the metadata property, in place of what was there. Documentation strings go: exporters write stack
    traces with the seller's paths into them."""
    kept = [prop for prop in model.metadata_props if prop.key != KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=KEY, value=meta.model_dump_json())
    model.doc_string = model.graph.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""


def session_options(threads: int = 1) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = (
        4  # a locked-in process may not pin threads; every message would be about that
    )
    return options
