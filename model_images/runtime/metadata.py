"""What a weights file says about itself: how a photo becomes the network's input, and what its output means.

A weights file is one ONNX file at `jobfolder.weights_path(data_dir, sha256)`. Its metadata property KEY
holds a `WeightsMeta` as JSON, so the file alone is enough to run it. Intake writes it; serving only reads.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

KEY = "pixelyard.weights"

Family = Literal["yolov5", "gan", "classifier"]
Task = Literal["detection", "image_to_image", "super_resolution", "noise_to_image", "classification"]
Resize = Literal["letterbox", "stretch", "crop", "native"]
Output = Literal["yolov5", "yolov5u", "image", "logits", "probabilities"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputMeta(_Frozen):
    """From an upright 8-bit photo to the input tensor `(N, channels, height, width)` float32.

    letterbox  the whole photo, aspect kept, padded evenly with `pad_value` to width × height; where
               those are None, scaled so that its longest side is `resize_to`, and padded to `multiple`
    stretch    width × height, aspect not kept
    crop       shorter side to `resize_to`, then the central width × height
    native     the photo's own size, its edges reflected up to multiples of `multiple`

    A value v of 0..255 becomes (v * scale - mean[c]) / std[c], channels in the order of `color`.
    `latent`: there is no photo; the input is `(N, latent, 1, 1)` or `(N, latent)` standard normal noise.
    """

    channels: Literal[1, 3] = 3
    color: Literal["rgb", "bgr", "gray"] = "rgb"
    width: int | None = Field(default=None, ge=1, le=4096)
    height: int | None = Field(default=None, ge=1, le=4096)
    multiple: int = Field(default=1, ge=1, le=256)
    resize: Resize = "stretch"
    resize_to: int | None = Field(default=None, ge=1, le=4096)
    pad_value: int = Field(default=114, ge=0, le=255)
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    latent: int | None = Field(default=None, ge=1, le=4096)


class WeightsMeta(_Frozen):
    """`output` says what the first output tensor is:

    yolov5         (N, boxes, 5 + classes): cx, cy, w, h in input pixels, objectness, class scores, all 0..1
    yolov5u        (N, 4 + classes, boxes): cx, cy, w, h in input pixels, class scores 0..1
    image          (N, channels, h * upscale, w * upscale): values between `low` and `high`
    logits         (N, classes), softmax not applied
    probabilities  (N, classes), sums to 1
    """

    format: Literal[1] = 1
    family: Family
    task: Task
    input: InputMeta
    output: Output
    classes: tuple[str, ...] = ()
    stride: int | None = None
    low: float = 0.0
    high: float = 1.0
    upscale: int = Field(default=1, ge=1, le=8)
    architecture: str = ""  # yolov5n, resnet_generator_9, resnet18 …
    source: str = ""  # in words: "YOLOv5 checkpoint (7.0)", "ONNX"
    license: str = ""  # as the uploaded file states it
    quality: dict[str, float] = Field(default_factory=dict)  # told by who trained it, e.g. {"mAP50": 0.94}

    def label(self, class_id: int) -> str:
        """The name of a class; its number where the weights name none."""
        return self.classes[class_id] if class_id < len(self.classes) else str(class_id)
