"""What an architecture is to the converter: it recognises a state dict by its names and shapes, and rebuilds
the network with our own code. One file below `architectures/` each; found by `registry`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from model_images.runtime.metadata import Family, WeightsMeta

if TYPE_CHECKING:
    import torch


class Rejected(Exception):
    """These weights can't be taken; `code` is stable, `message` says why and what would do, to the seller."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def labels_mismatch(classes: int, given: int) -> Rejected:
    return Rejected(
        "labels_mismatch",
        f"The model knows {classes} classes, but {given} names were given. "
        "Give one name a class, in the order of the network's outputs.",
    )


@dataclass(frozen=True)
class Checkpoint:
    """What the safe loader made of an upload.

    state    tensor by dotted name, as in `Module.state_dict()`, moved to float32
    config   of a pickled model, plain values ({} for bare state dicts): its own attributes (yaml, names,
             stride, nc, …); "modules": {"model.24": {"class": "models.yolo.Detect", "nc": 80, …}, …} with
             the attributes of each; "checkpoint": what lies beside it (epoch, date, license, train_args, …).
             Plain: None, numbers, text, lists, dicts; small tensors are (nested) lists of float
    origin   state_dict: bare tensors. yolov5: the original repository's pickled model (v6, v7).
             ultralytics: theirs
    """

    state: Mapping[str, torch.Tensor]
    config: Mapping[str, Any] = field(default_factory=dict)
    origin: Literal["state_dict", "yolov5", "ultralytics"] = "state_dict"


@dataclass(frozen=True)
class Built:
    """A network ready to be exported: in eval mode, one input, one output.

    example   an input for tracing, `(1, channels, height, width)` float32 (or `(1, latent, 1, 1)`)
    dynamic   ONNX dynamic axes by name of input and output, e.g. {"images": {0: "batch"}}; names are
              `images` (or `noise`) and `output`
    """

    module: torch.nn.Module
    example: torch.Tensor
    meta: WeightsMeta
    dynamic: Mapping[str, Mapping[int, str]]


class Architecture(ABC):
    name: ClassVar[str]  # what a seller may name: letters, digits, _
    title: ClassVar[str]
    family: ClassVar[Family]

    @abstractmethod
    def matches(self, checkpoint: Checkpoint) -> bool:
        """By names and shapes alone. Never true for two architectures at once."""

    @abstractmethod
    def build(self, checkpoint: Checkpoint, labels: Sequence[str] | None) -> Built:
        """The network with the checkpoint's weights, strictly loaded. Raises Rejected."""
