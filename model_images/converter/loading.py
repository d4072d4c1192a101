"""From an upload to tensors, without running anything that is in it.

torch's weights-only unpickler knows tensors and a few containers. The class names that a pickled YOLOv5 model
needs besides are mapped to inert stand-ins (`standins`); any other name is refused and told. The names are
read from the pickle before it is loaded.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import _weights_only_unpickler as unpickler  # pinned: what it would ask for, as it would read it

from model_images.converter import flatten, standins
from model_images.converter.architecture import Checkpoint, Rejected
from model_images.converter.contents import Kind, named_in

_LEGACY_PICKLES = 5  # magic number, protocol, machine, the object, the keys of its storages
_DAMAGED = (
    pickle.UnpicklingError, EOFError, KeyError, IndexError, ValueError, TypeError, AttributeError,
    AssertionError, RuntimeError, struct.error, RecursionError, OSError,
)  # fmt: skip


def load(path: Path, kind: Kind) -> Checkpoint:
    """Raises Rejected: forbidden_global, corrupt, too_much_memory, and those of `flatten`."""
    if kind == "safetensors":
        return flatten.state_dict(_safetensors(path))
    names = _names(path, kind)
    stand_ins = _stand_ins(names)
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins):
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError as error:
        raise _memory() from error
    except _DAMAGED as error:
        raise _refusal(error) from error
    return flatten.checkpoint(loaded, standins.origin(names))


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
        return tensors
    except (SafetensorError, *_DAMAGED) as error:
        raise Rejected("corrupt", f"The safetensors file is damaged: {_first_line(error)}") from error


def _names(path: Path, kind: Kind) -> set[str]:
    """Every `module.name` that the checkpoint's pickles ask for."""
    data = b""
    names: set[str] = set()
    try:
        if kind == "torch_zip":
            data = torch._C.PyTorchFileReader(str(path)).get_record("data.pkl")
            names |= unpickler.get_globals_in_pkl(io.BytesIO(data))
            return names
        with path.open("rb") as file:
            for _ in range(_LEGACY_PICKLES):
                names |= unpickler.get_globals_in_pkl(file)
        return names
    except MemoryError as error:
        raise _memory() from error
    except _DAMAGED as error:
        _forbid(set(named_in(data)))  # the better reason, where there is one
        raise Rejected(
            "corrupt", f"The checkpoint is damaged, or not written by torch.save: {_first_line(error)}"
        ) from error


def _stand_ins(names: set[str]) -> list[Any]:
    """For torch's allow-list: (class, the name it stands for). Raises Rejected: forbidden_global."""
    _forbid(names)
    asked = names - set(unpickler._get_allowed_globals())
    return [(standins.stand_in(name), name) for name in asked]


def _forbid(names: set[str]) -> None:
    for name in sorted(names - set(unpickler._get_allowed_globals())):
        if standins.stand_in(name) is None:
            raise _forbidden(name)


def _forbidden(name: str) -> Rejected:
    advice = (
        "Save the tensors alone (torch.save(model.state_dict(), …)), or export to ONNX."
        if re.match(r"(torch|torchvision|timm|models|__main__|basicsr)\b", name)
        else "A file of weights has no need of it."
    )
    return Rejected(
        "forbidden_global",
        f"Opening this checkpoint would ask Python for {name[:200]}, which is not allowed. Nothing was run. "
        f"{advice}",
    )


def _refusal(error: BaseException) -> Rejected:
    text = str(error)
    if "allocate memory" in text or "not enough memory" in text:
        return _memory()
    if asked := re.search(r"(?:Unsupported global: GLOBAL|unsupported GLOBAL) (\S+)", text):
        return _forbidden(asked[1])
    if "reduce for unrecognized function" in text or "Can only" in text:
        return Rejected(
            "forbidden_global", f"The checkpoint's pickle tries what weights never need: {_first_line(error)}"
        )
    return Rejected("corrupt", f"The checkpoint is damaged: {_first_line(error)}")


def _memory() -> Rejected:
    return Rejected("too_much_memory", "Opening this checkpoint takes more memory than the converter has.")


def _first_line(error: BaseException) -> str:
    """Of what a library says, without what it recommends."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    text = text.removeprefix("Weights only load failed. ")
    return re.sub(r"/\S+/", "", text)[:200]
