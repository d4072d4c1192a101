"""Black and white: grey tones, or only black and only white.

The plain case on a JPEG keeps the Y plane as it is stored and drops the colour without decoding anything,
where the system has TurboJPEG; every other case decodes only what it needs.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from model_images.filters import _dither, _jpegtran, _png, _tone
from model_images.runtime.contract import (
    Array,
    Context,
    Encoded,
    ImageParams,
    Processor,
    Result,
    Source,
)

_PALETTE = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
_CLAHE_TILES = (8, 8)


class BlackWhiteParams(ImageParams):
    mode: Literal["grayscale", "threshold", "otsu", "adaptive", "dither"] = Field(
        "grayscale",
        description="Grey tones, or two tones: by a fixed limit, Otsu's limit, the surroundings, or dithered",
        examples=["dither"],
    )
    threshold: int = Field(
        128,
        ge=0,
        le=255,
        description="Values from here up turn white (mode: threshold)",
        examples=[110],
        json_schema_extra={"x-show-if": {"mode": ["threshold"]}},
    )
    dither: Literal["floyd_steinberg", "atkinson", "bayer4", "bayer8"] = Field(
        "floyd_steinberg",
        description="Pattern of the dots (mode: dither)",
        examples=["atkinson"],
        json_schema_extra={
            "x-show-if": {"mode": ["dither"]},
            "x-labels": {
                "floyd_steinberg": "Floyd–Steinberg",
                "bayer4": "Bayer 4 × 4",
                "bayer8": "Bayer 8 × 8",
            },
        },
    )
    window: int = Field(
        31,
        ge=3,
        le=501,
        description="Side of the surroundings in pixels, made odd (mode: adaptive)",
        examples=[51],
        json_schema_extra={"x-show-if": {"mode": ["adaptive"]}},
    )
    offset: int = Field(
        8,
        ge=-64,
        le=64,
        description="How much darker than its surroundings a pixel must be to turn black (mode: adaptive)",
        examples=[5],
        json_schema_extra={"x-show-if": {"mode": ["adaptive"]}},
    )
    luma: Literal["601", "709", "custom"] = Field(
        "601",
        description="Weights of red, green and blue: Rec. 601, Rec. 709, or your own",
        examples=["709"],
        json_schema_extra={
            "x-group": "Tone",
            "x-labels": {"601": "Rec. 601", "709": "Rec. 709", "custom": "Own"},
        },
    )
    red: float = Field(
        0.299,
        ge=0,
        le=1,
        description="Weight of red (luma: custom)",
        examples=[0.6],
        json_schema_extra={"x-group": "Tone", "x-show-if": {"luma": ["custom"]}},
    )
    green: float = Field(
        0.587,
        ge=0,
        le=1,
        description="Weight of green (luma: custom)",
        examples=[0.3],
        json_schema_extra={"x-group": "Tone", "x-show-if": {"luma": ["custom"]}},
    )
    blue: float = Field(
        0.114,
        ge=0,
        le=1,
        validate_default=True,
        description="Weight of blue (luma: custom); the three are scaled to sum to 1",
        examples=[0.1],
        json_schema_extra={"x-group": "Tone", "x-show-if": {"luma": ["custom"]}},
    )
    contrast: float = Field(
        1.0, ge=0.2, le=4, description="Contrast around middle grey; 1 leaves it", examples=[1.3]
    )
    local_contrast: float = Field(
        0,
        ge=0,
        le=10,
        description="Evens out light and dark areas (CLAHE clip limit); 0 is off",
        examples=[2],
        json_schema_extra={"x-group": "Tone"},
    )
    invert: bool = Field(False, description="Swap black and white", examples=[True])

    @field_validator("blue")
    @classmethod
    def _weigh_something(cls, blue: float, info: ValidationInfo) -> float:
        given = info.data
        if given.get("luma") == "custom" and blue + given.get("red", 1) + given.get("green", 1) < 0.01:
            raise ValueError("the weights of red, green and blue must not all be 0")
        return blue


class BlackWhite(Processor[BlackWhiteParams]):
    """Grey or two-tone. Image: grey in the photo's kind of format, two tones as a PNG with one bit a pixel.

    >>> BlackWhiteParams(mode="dither", dither="atkinson").invert
    False
    """

    name = "blackwhite"
    title = "Black & white"
    summary = "Turns a photo grey, or into pure black and white by threshold or dithering."
    kind = "filter"
    version = "1"
    outputs = ("image",)
    Params = BlackWhiteParams
    seconds_per_megapixel = 0.005

    def process(self, source: Source, params: BlackWhiteParams, context: Context) -> Result:
        if (kept := _without_colour(source, params)) is not None:
            return Result(image=kept)
        gray = _gray(source, params)
        if params.mode == "grayscale":
            return Result(image=_tone.toned(gray, params.contrast, params.invert))
        two = _two_tones(_tone.toned(gray, params.contrast), params)
        two = _tone.toned(two, invert=params.invert)
        if params.format in ("auto", "png"):
            return Result(image=_png.encode_indexed(two & 1, _PALETTE), prefer="png")
        return Result(image=two, prefer="png")


def _without_colour(source: Source, params: BlackWhiteParams) -> Encoded | None:
    """The JPEG less its colour, if that is all that is asked for.

    Only where the file was saved at no higher quality than asked for: a finer one is encoded anew.
    """
    header = source.header
    plain = (params.mode, params.luma, params.contrast, params.local_contrast, params.invert)
    if (
        header.format != "jpeg"
        or params.format not in ("auto", "jpeg")
        or plain != ("grayscale", "601", 1, 0, False)
    ):
        return None
    saved_at = _jpegtran.quality(source.data)
    if saved_at is None or saved_at > params.quality:
        return None
    data = _jpegtran.grayscale(source.data, header.orientation)
    return data and Encoded(data, "image/jpeg", header.width, header.height)


def _gray(source: Source, params: BlackWhiteParams) -> Array:
    """`(h, w)` grey by the chosen weights, evened out if asked for."""
    if params.luma == "601":
        gray = source.gray()
    else:
        own = (params.red, params.green, params.blue)
        gray = _tone.luma(source.rgb(), own if params.luma == "custom" else _tone.REC709)
    if params.local_contrast:
        gray = cv2.createCLAHE(params.local_contrast, _CLAHE_TILES).apply(gray)
    return gray


def _two_tones(gray: Array, params: BlackWhiteParams) -> Array:
    """`(h, w)` of 0 and 255."""
    if params.mode == "dither":
        return _dithered(gray, params.dither)
    if params.mode == "threshold":
        return cv2.threshold(gray, params.threshold - 1, 255, cv2.THRESH_BINARY)[1]
    if params.mode == "otsu":
        return cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]
    window = params.window | 1
    return cv2.adaptiveThreshold(
        gray, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, window, params.offset
    )


def _dithered(gray: Array, pattern: str) -> Array:
    if pattern == "floyd_steinberg":
        return _dither.floyd_steinberg(gray)
    if pattern == "atkinson":
        return _dither.atkinson(gray)
    return _dither.bayer(gray, int(pattern.removeprefix("bayer")))
