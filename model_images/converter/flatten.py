"""From what was unpickled to a `Checkpoint`: a flat dict of float32 tensors, and plain values.

Vocabulary: a *pickled model* is a tree of stand-ins with `_modules`, `_parameters` and `_buffers`; a
*state dict* maps dotted names to tensors, bare or within one of the containers that training scripts write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from model_images.converter.architecture import Checkpoint, Rejected
from model_images.converter.plain import Plain
from model_images.converter.standins import Inert, Origin

MAX_TENSORS = 20_000
MAX_BYTES = 2 << 30  # of all tensors together, as float32
MAX_DEPTH = 40  # of modules within modules
MAX_MODULES = 5000

# Where training scripts keep the generator or the network; averaged weights first, as the originals prefer.
_CONTAINERS = (
    "params_ema", "params", "g_ema", "ema_state_dict", "state_dict", "model_state_dict", "model", "generator",
    "netG", "netG_A", "G", "net", "network", "weights", "module", "ema",
)  # fmt: skip
_WRAPPERS = ("module.", "_orig_mod.")  # DataParallel, torch.compile
_PARTS = ("generator.", "netG.", "G.")  # of a state dict that holds the discriminator too


def checkpoint(loaded: Any, origin: Origin) -> Checkpoint:
    """Raises Rejected: no_weights, bad_tensor, huge_tensor, not_finite."""
    holder = loaded if isinstance(loaded, dict) else {}
    model = loaded if isinstance(loaded, Inert) else _pickled_model(holder)
    if model is None:
        return state_dict(_find_state_dict(holder))
    tensors: dict[str, torch.Tensor] = {}
    modules: dict[str, dict[str, Any]] = {}
    plain = Plain()
    for path, module in _walk(model, "", 0):
        if len(modules) >= MAX_MODULES:
            raise Rejected("corrupt", f"The model has more than {MAX_MODULES:,} modules.")
        _collect(path, module, tensors)
        modules[path] = {"class": module.asked, **_attributes(module, plain)}
    config = {key: value for key, value in modules.get("", {}).items() if key != "class"}
    config["modules"] = modules
    config["checkpoint"] = {key: plain.of(value) for key, value in holder.items() if isinstance(key, str)}
    return Checkpoint(state=_clean(tensors), config=config, origin=origin)


def state_dict(tensors: Mapping[Any, Any]) -> Checkpoint:
    """A bare state dict. Raises as `checkpoint`."""
    named = {k: v for k, v in tensors.items() if isinstance(k, str) and isinstance(v, torch.Tensor)}
    for prefix in _WRAPPERS:
        if named and all(name.startswith(prefix) for name in named):
            named = {name.removeprefix(prefix): tensor for name, tensor in named.items()}
    for part in _PARTS:
        own = {n.removeprefix(part): t for n, t in named.items() if n.startswith(part)}
        if own:
            named = own
            break
    return Checkpoint(state=_clean(named))


def _pickled_model(holder: Mapping[Any, Any]) -> Inert | None:
    for key in ("ema", "model"):
        if isinstance(holder.get(key), Inert) and "_modules" in holder[key].state:
            found: Inert = holder[key]
            return found
    return None


def _find_state_dict(holder: Mapping[Any, Any], depth: int = 0) -> Mapping[Any, Any]:
    if any(isinstance(value, torch.Tensor) for value in holder.values()):
        return holder
    if depth < 3:
        for key in _CONTAINERS:
            if isinstance(inner := holder.get(key), dict) and (found := _find_state_dict(inner, depth + 1)):
                return found
    return {}


def _walk(module: Inert, path: str, depth: int) -> Iterator[tuple[str, Inert]]:
    if depth > MAX_DEPTH:
        raise Rejected("corrupt", "The model's modules are nested too deeply, or hold themselves.")
    yield path, module
    children = module.state.get("_modules")
    for name, child in (children if isinstance(children, dict) else {}).items():
        if isinstance(child, Inert):
            yield from _walk(child, f"{path}.{name}" if path else str(name), depth + 1)


def _collect(path: str, module: Inert, into: dict[str, torch.Tensor]) -> None:
    passing = module.state.get("_non_persistent_buffers_set")
    skipped = passing if isinstance(passing, set) else set()
    for kind in ("_parameters", "_buffers"):
        own = module.state.get(kind)
        for name, tensor in (own if isinstance(own, dict) else {}).items():
            if isinstance(tensor, torch.Tensor) and not (kind == "_buffers" and name in skipped):
                into[f"{path}.{name}" if path else str(name)] = tensor
                if len(into) > MAX_TENSORS:
                    raise Rejected("huge_tensor", f"The model has more than {MAX_TENSORS:,} tensors.")


def _clean(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Float32, dense, on the CPU, no larger than the file says. Integers stay."""
    if not tensors:
        raise Rejected(
            "no_weights",
            "No tensors were found. Expected is a state dict, bare or under one of the names "
            f"{', '.join(_CONTAINERS)}; or a pickled YOLOv5 model under `ema` or `model`.",
        )
    if len(tensors) > MAX_TENSORS:
        raise Rejected("huge_tensor", f"The checkpoint has more than {MAX_TENSORS:,} tensors.")
    total = 0
    for name, tensor in tensors.items():
        _check(name, tensor)
        total += tensor.numel() * 4
    if total > MAX_BYTES:
        raise Rejected(
            "huge_tensor", f"The tensors take {total >> 20:,} MB; {MAX_BYTES >> 20:,} MB are the limit."
        )
    return {name: _float32(name, tensor.detach()) for name, tensor in tensors.items()}


def _check(name: str, tensor: torch.Tensor) -> None:
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    if not plain or tensor.is_complex():
        raise Rejected(
            "bad_tensor", f"{name[:100]!r} is no plain dense tensor (sparse, quantized, complex or empty)."
        )
    needed, there = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
    if needed > there:
        raise Rejected(
            "huge_tensor", f"{name[:100]!r} declares {needed:,} bytes, but the file holds {there:,} of them."
        )


def _float32(name: str, tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor.clone()
    tensor = tensor.to(torch.float32).contiguous()
    if not bool(torch.isfinite(tensor).all()):
        raise Rejected("not_finite", f"{name[:100]!r} holds values that are not numbers (NaN or infinite).")
    return tensor


def _attributes(module: Inert, plain: Plain) -> dict[str, Any]:
    """A module's own plain values: what it was configured with."""
    return {
        key: plain.of(value)
        for key, value in module.state.items()
        if isinstance(key, str) and not key.startswith("_") and key != "class"
    }
