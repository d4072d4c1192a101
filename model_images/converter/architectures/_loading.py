"""What the architectures share: reading a state dict's shapes, loading it strictly, and its labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import nn

from model_images.converter.architecture import Rejected, labels_mismatch

_NAMED = 4  # keys told in a refusal
_COUNTERS = ".num_batches_tracked"  # of no use once trained, and missing from old files


def shape(state: Mapping[str, torch.Tensor], key: str) -> tuple[int, ...]:
    """Of the tensor called `key`; empty where there is none, so that comparisons simply fail."""
    return tuple(state[key].shape) if key in state else ()


def numbers(state: Iterable[str], pattern: str) -> list[int]:
    """The different values of the pattern's one group, ascending: `model\\.(\\d+)\\.conv_block` → blocks."""
    found = (re.match(pattern, key) for key in state)
    return sorted({int(match.group(1)) for match in found if match})


def strictly_loaded(
    module: nn.Module, state: Mapping[str, torch.Tensor], title: str, dropped: str | None = None
) -> nn.Module:
    """`module` with every tensor of `state` in its place, in eval mode and without gradients.

    Build the network under `torch.device("meta")`: it needs no values of its own. Keys that match the
    regular expression `dropped` from their start are left out. Raises Rejected (`keys_mismatch`,
    `shapes_mismatch`) that names the first few keys that don't fit.
    """
    wanted = module.state_dict()
    given = {key: value for key, value in state.items() if not (dropped and re.match(dropped, key))}
    for key in wanted:
        if key.endswith(_COUNTERS):
            given.setdefault(key, torch.zeros((), dtype=torch.int64))
    _same_keys(wanted, given, title)
    _same_shapes(wanted, given, title)
    module.load_state_dict(given, strict=True, assign=True)
    return module.eval().requires_grad_(False)


def _same_keys(wanted: Mapping[str, object], given: Mapping[str, object], title: str) -> None:
    missing = [key for key in wanted if key not in given]
    extra = [key for key in given if key not in wanted]
    if not missing and not extra:
        return
    told = []
    if missing:
        told.append(f"missing: {_first(missing)}")
    if extra:
        told.append(f"not known: {_first(extra)}")
    raise Rejected(
        "keys_mismatch",
        f"The weights are not those of a {title}: {'; '.join(told)}. "
        "Choose another architecture, or save the network's plain state_dict().",
    )


def _same_shapes(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], title: str) -> None:
    wrong = [
        f"{key} is {_as_text(given[key])}, not {_as_text(tensor)}"
        for key, tensor in wanted.items()
        if given[key].shape != tensor.shape
    ]
    if wrong:
        raise Rejected("shapes_mismatch", f"The weights don't have the shapes of a {title}: {_first(wrong)}.")


def _first(items: Sequence[str]) -> str:
    more = len(items) - _NAMED
    return ", ".join(items[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _as_text(tensor: torch.Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a number"


def checked_labels(labels: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """Raises Rejected: `labels_needed` without any, `labels_mismatch` where their number is not `classes`."""
    if not labels:
        raise Rejected(
            "labels_needed",
            f"The network tells {classes} classes apart, but the file doesn't say what they are called. "
            "Give their names in the order of the network's outputs, one a line.",
        )
    if len(labels) != classes:
        raise labels_mismatch(classes, len(labels))
    return tuple(labels)


def batch_axes() -> dict[str, dict[int, str]]:
    """Any number of images, each of the example's size."""
    return {"images": {0: "batch"}, "output": {0: "batch"}}


def image_axes() -> dict[str, dict[int, str]]:
    """Any number of images of any size: for networks made of convolutions alone."""
    return {
        "images": {0: "batch", 2: "height", 3: "width"},
        "output": {0: "batch", 2: "out_height", 3: "out_width"},
    }
