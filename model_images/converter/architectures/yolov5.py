"""YOLOv5 detectors: the original repository's (anchors) and ultralytics' YOLOv5u (none).

The checkpoint's own description says how the network is put together. It is built without memory first (on
"meta"), so that one which claims to be huge costs nothing: its tensors are then compared with those that the
file has.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch

from model_images.converter.architecture import Architecture, Built, Checkpoint, Rejected
from model_images.converter.architectures._loading import (
    checked_labels,
    numbers,
    shape,
    strictly_loaded,
)
from model_images.converter.nets.yolo import Head, Network, adopt_form
from model_images.converter.nets.yolo_config import STANDARD, Unsupported, read
from model_images.converter.nets.yolo_heads import BINS, AnchorHead, DflHead
from model_images.runtime.metadata import InputMeta, WeightsMeta

SIDE = 640  # where the checkpoint doesn't say what it was trained on
LARGEST = 1536
AXES = {"images": {0: "batch", 2: "height", 3: "width"}, "output": {0: "batch"}}
_OTHER_TASKS = {"proto": "segments objects", "cv4": "finds more than boxes", "one2one_cv2": "has two heads"}


class _Yolo(Architecture):
    family = "yolov5"
    output: Literal["yolov5", "yolov5u"]

    def build(self, checkpoint: Checkpoint, labels: Sequence[str] | None) -> Built:
        """The network for images of any size in whole strides, the longest side as in training; a batch of
        any size. Raises Rejected
        (`unsupported_network`, and what `_loading` raises)."""
        if not self.matches(checkpoint):
            raise Rejected("unknown_architecture", f"These weights are not those of a {self.title}.")
        config, state = checkpoint.config, checkpoint.state
        classes = self.class_count(state)
        names = class_names(config.get("names"), labels, classes)
        try:
            network = self._network(config, state, classes)
            strides = network.strides()
        except Unsupported as error:
            raise Rejected(
                "unsupported_network",
                f"The checkpoint describes a network that is not a {self.title} as we know them: {error}. "
                "Export it to ONNX and upload the .onnx file.",
            ) from error
        given = {key: value for key, value in state.items() if not key.endswith(".anchor_grid")}
        for key in network.state_dict():
            if key.endswith(".num_batches_tracked"):  # missing from some files; nothing needs it
                given[key] = torch.zeros(())
        strictly_loaded(network, given, self.title)
        side = trained_side(config, max(strides))
        network.head.strides = tuple(strides)
        return Built(
            module=network,
            example=torch.zeros(1, network.description.channels, side, side),
            meta=self._meta(checkpoint, network, names, side, max(strides)),
            dynamic=AXES,
        )

    def _network(self, config: Mapping[str, Any], state: Mapping[str, torch.Tensor], classes: int) -> Network:
        head = head_index(state)
        for part, what in _OTHER_TASKS.items():
            if any(key.startswith(f"model.{head}.{part}.") for key in state):
                raise Unsupported(f"its head {what}")
        description = config.get("yaml")
        if not isinstance(description, Mapping):
            description = self.inferred(state)
        plan = read(description, classes, self.unscaled(state, classes))
        with torch.device("meta"):
            network = Network(plan, lambda channels: self.head(state, classes, channels))
            adopt_form(network, state, pickled_classes(config))
        return network

    def _meta(
        self, checkpoint: Checkpoint, network: Network, names: tuple[str, ...], side: int, stride: int
    ) -> WeightsMeta:
        plan, config = network.description, checkpoint.config
        if plan.channels not in {1, 3}:
            raise Rejected("unsupported_network", f"Its images have {plan.channels} channels, not 3 or 1.")
        version, license = (str(_told(config, key) or "") for key in ("version", "license"))
        source = {"yolov5": "YOLOv5 checkpoint", "ultralytics": "ultralytics checkpoint"}.get(
            checkpoint.origin, "YOLOv5 state dict"
        )
        return WeightsMeta(
            family="yolov5",
            task="detection",
            input=InputMeta(
                channels=plan.channels,
                color="rgb" if plan.channels == 3 else "gray",
                multiple=stride,
                resize="letterbox",
                resize_to=side,
            ),
            output=self.output,
            classes=names,
            stride=stride,
            architecture="".join(("yolov5", plan.size, "6" * (stride == 64), "u" * (self.name == "yolov5u"))),
            source=f"{source} ({version[:40]})" if version else source,
            license=license[:200],
        )

    @abstractmethod
    def class_count(self, state: Mapping[str, torch.Tensor]) -> int: ...

    @abstractmethod
    def unscaled(self, state: Mapping[str, torch.Tensor], classes: int) -> int:
        """See `yolo_config.read`."""

    @abstractmethod
    def inferred(self, state: Mapping[str, torch.Tensor]) -> Mapping[str, Any]:
        """The description that a bare state dict comes without. Raises Unsupported."""

    @abstractmethod
    def head(self, state: Mapping[str, torch.Tensor], classes: int, channels: Sequence[int]) -> Head: ...


class YoloV5(_Yolo):
    name = "yolov5"
    title = "YOLOv5 detector (v6, v7)"
    output = "yolov5"

    def matches(self, checkpoint: Checkpoint) -> bool:
        head = head_index(checkpoint.state)
        anchors = shape(checkpoint.state, f"model.{head}.anchors")
        maps = shape(checkpoint.state, f"model.{head}.m.0.weight")
        return (
            len(anchors) == 3
            and anchors[2] == 2
            and len(maps) == 4
            and anchors[1] > 0
            and maps[0] % anchors[1] == 0
            and maps[0] // anchors[1] > 5
        )

    def class_count(self, state: Mapping[str, torch.Tensor]) -> int:
        head = head_index(state)
        return shape(state, f"model.{head}.m.0.weight")[0] // shape(state, f"model.{head}.anchors")[1] - 5

    def unscaled(self, state: Mapping[str, torch.Tensor], classes: int) -> int:
        return shape(state, f"model.{head_index(state)}.m.0.weight")[0]

    def inferred(self, state: Mapping[str, torch.Tensor]) -> Mapping[str, Any]:
        """The standard one of v6, at the width and depth that the tensors show."""
        stem = shape(state, "model.0.conv.weight")
        repeats = len(numbers(state, r"model\.2\.m\.(\d{1,3})\."))
        if len(stem) != 4 or stem[2:] != (6, 6) or not repeats or head_index(state) != 24:
            raise Unsupported(
                "a state dict alone, and not of the standard network; upload the whole checkpoint"
            )
        return STANDARD | {"ch": stem[1], "depth_multiple": repeats / 3, "width_multiple": stem[0] / 64}

    def head(self, state: Mapping[str, torch.Tensor], classes: int, channels: Sequence[int]) -> Head:
        anchors = state[f"model.{head_index(state)}.anchors"]
        if len(anchors) != len(channels):
            raise Unsupported(f"{len(anchors)} levels of anchors for {len(channels)} feature maps")
        return AnchorHead(classes, anchors.to("meta"), channels)


class YoloV5u(_Yolo):
    name = "yolov5u"
    title = "YOLOv5u detector (ultralytics)"
    output = "yolov5u"

    def matches(self, checkpoint: Checkpoint) -> bool:
        state = checkpoint.state
        head = head_index(state)
        return (
            shape(state, f"model.{head}.dfl.conv.weight") == (1, BINS, 1, 1)
            and shape(state, f"model.{head}.cv2.0.2.weight")[:1] == (4 * BINS,)
            and len(shape(state, f"model.{head}.cv3.0.2.weight")) == 4
            # YOLOv8 has this head too, but no C3 blocks
            and bool(shape(state, "model.2.cv3.conv.weight"))
        )

    def class_count(self, state: Mapping[str, torch.Tensor]) -> int:
        return shape(state, f"model.{head_index(state)}.cv3.0.2.weight")[0]

    def unscaled(self, state: Mapping[str, torch.Tensor], classes: int) -> int:
        return classes

    def inferred(self, state: Mapping[str, torch.Tensor]) -> Mapping[str, Any]:
        # Versions differ in an activation, which leaves no trace among the tensors: a guess could be wrong.
        raise Unsupported("a state dict alone doesn't tell its activations; upload the whole checkpoint")

    def head(self, state: Mapping[str, torch.Tensor], classes: int, channels: Sequence[int]) -> Head:
        return DflHead(classes, channels)


def head_index(state: Mapping[str, torch.Tensor]) -> int:
    """The last row's number; -1 where the names are those of another kind of network."""
    return max(numbers(state, r"model\.(\d{1,3})\."), default=-1)


def pickled_classes(config: Mapping[str, Any]) -> dict[str, str]:
    """Class name by dotted path of a pickled model's modules; empty for state dicts."""
    modules = config.get("modules")
    known = modules.items() if isinstance(modules, Mapping) else ()
    return {path: str(about.get("class")) for path, about in known if isinstance(about, Mapping)}


def _told(config: Mapping[str, Any], key: str) -> Any:
    """What the checkpoint holds beside the model."""
    beside = config.get("checkpoint")
    return beside.get(key) if isinstance(beside, Mapping) else None


def class_names(names: Any, labels: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """The seller's, else the checkpoint's (a list, or by number). Raises Rejected."""
    if not labels and isinstance(names, Mapping):
        names = [names.get(index, f"class {index}") for index in range(classes)]
    if not labels and isinstance(names, list | tuple):
        labels = [str(name)[:100] for name in names]
    return checked_labels(labels, classes)


def trained_side(config: Mapping[str, Any], stride: int) -> int:
    """The longest side of the images it was trained on, as the checkpoint says, in whole strides."""
    runs = (_told(config, key) for key in ("opt", "train_args"))  # the originals' and ultralytics' options
    value = next((run["imgsz"] for run in runs if isinstance(run, Mapping) and "imgsz" in run), SIDE)
    if isinstance(value, list | tuple):
        value = max((v for v in value if isinstance(v, int)), default=SIDE)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LARGEST:
        value = SIDE
    return -(-value // stride) * stride
