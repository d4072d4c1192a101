"""The contract between the runtime and a processor.

Vocabulary
    processor   one file under model_images/<family>/: a name, a `Params` model and `process`
    source      one input photo, decoded only as far as the processor asks
    result      what came out: an image, text, HTML, data, in any combination
    context     what is the same for the whole job: the shared value of `fit`, asset files, the weights
    weights     a trained network that somebody uploaded; a family is a kind of them, and has one processor

Arrays are C-contiguous `uint8`: `(height, width, 3)` in RGB order, or `(height, width)` grey. EXIF
orientation has been applied once by the source; alpha is flattened on white unless a processor asks for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from model_images.runtime.metadata import Family, WeightsMeta

Array = NDArray[np.uint8]
Tensor = NDArray[np.float32]
Output = Literal["image", "text", "html", "data"]
Kind = Literal["filter", "detection", "generation", "classification"]


class BadImage(Exception):
    """This photo can't be processed; `message` says why in words for its owner. Never ends a job."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BadParams(Exception):
    """The options can't be used; `fields` maps an option to what is wrong with it."""

    def __init__(self, message: str, fields: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = {name: list(texts) for name, texts in (fields or {}).items()}


class BadWeights(Exception):
    """The weights can't be used at all; `message` says why. Codes: `unknown_weights`, `weights_too_large`,
    `wrong_family`, `broken_weights`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Params(BaseModel):
    """Base of every processor's options: unknown names are refused, values are immutable.

    Every field has a default, a description, bounds where it is a number, and at least one example. A
    field whose value is the id of a folder of photos carries `json_schema_extra={"x-asset": "folder"}`; the
    platform checks whose folder it is and hands the processor its files in `Context.assets[field name]`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageParams(Params):
    """Options of every processor that makes an image."""

    format: Literal["auto", "jpeg", "png", "webp"] = Field(
        default="auto",
        description="File format of the result; auto picks what suits the app and the photo",
        examples=["png"],
        json_schema_extra={"x-group": "File", "x-labels": {"jpeg": "JPEG", "png": "PNG", "webp": "WebP"}},
    )
    quality: int = Field(
        default=90,
        ge=30,
        le=100,
        description="JPEG and WebP quality",
        examples=[85],
        json_schema_extra={"x-group": "File", "x-show-if": {"format": ["auto", "jpeg", "webp"]}},
    )


@dataclass(frozen=True)
class Header:
    """What a file's first bytes tell, before decoding. Width and height are as seen, after orientation."""

    format: Literal["jpeg", "png", "tiff", "webp"]
    width: int
    height: int
    orientation: int = 1
    has_alpha: bool = False

    @property
    def pixels(self) -> int:
        return self.width * self.height


class Source(Protocol):
    """One input photo. Decoding is lazy: ask for the least that will do."""

    header: Header
    data: bytes  # the file as uploaded

    def rgb(self, min_width: int = 0, min_height: int = 0) -> Array:
        """`(h, w, 3)` RGB. With a minimum, a JPEG may be decoded to 1/2, 1/4 or 1/8 as long as both sides
        stay at or above it; without, at full size. Raises BadImage."""
        ...

    def gray(self, min_width: int = 0, min_height: int = 0) -> Array:
        """`(h, w)` grey, Rec. 601 luma. A JPEG gives its Y plane directly. Raises BadImage."""
        ...


@dataclass(frozen=True)
class Encoded:
    """An image that the processor has already encoded."""

    data: bytes
    media_type: str
    width: int
    height: int


@dataclass(frozen=True)
class Result:
    """What came out of one photo. `image` as an array is encoded by the runtime as `ImageParams` asks;
    `auto` means `prefer` (JPEG for photographs, PNG for few colours and text)."""

    image: Array | Encoded | None = None
    text: str | None = None
    html: str | None = None
    data: Mapping[str, Any] | None = None
    prefer: Literal["jpeg", "png"] = "jpeg"


class Weights(Protocol):
    """A loaded network. Made by `sessions`; tests put a function in its place."""

    meta: WeightsMeta
    input_shape: tuple[int | None, ...]  # None where any size will do

    def run(self, batch: Tensor) -> Tensor:
        """The first output for `batch`. Raises BadImage `weights_failed`, MemoryError."""
        ...


@dataclass(frozen=True)
class Context:
    """What is the same for every photo of a job (or of one preview)."""

    shared: Mapping[str, Any] | None = None  # what `fit` returned, if the processor has one
    assets: Mapping[str, Sequence[Path]] = field(
        default_factory=dict
    )  # option name -> files, in a fixed order
    cache_dir: Path | None = (
        None  # may be None or read-only; keep derived data (a tile index) by content hash
    )
    weights: Weights | None = None
    only: str | None = (
        None  # the one output ("image", "text", "html") that anybody will see; None: all of them
    )

    def wants(self, output: str) -> bool:
        """Whether an output is worth its time: a processor that makes several may leave out the others."""
        return self.only in (None, output)

    @property
    def network(self) -> Weights:
        """The weights of a processor that needs some. Raises BadWeights when there are none."""
        if self.weights is None:
            raise BadWeights("unknown_weights", "This app needs weights, and none were given.")
        return self.weights


@dataclass(frozen=True)
class Route:
    """A way of asking for a processor over HTTP: `POST /<path>`. `accept`: as the Accept header asks;
    otherwise always JSON. `params` are laid over the caller's."""

    path: str
    summary: str
    accept: bool = True
    params: Mapping[str, Any] = field(default_factory=dict)


P = TypeVar("P", bound=Params)


class Processor(ABC, Generic[P]):
    """One app. Instances are made once a process and used by one thread at a time."""

    name: ClassVar[str]  # as in the URL: letters and digits
    title: ClassVar[str]
    summary: ClassVar[str]  # one sentence for a card
    kind: ClassVar[Kind]
    version: ClassVar[str]  # changes whenever the same input gives another output
    outputs: ClassVar[tuple[Output, ...]]
    Params: ClassVar[type[Params]]
    seconds_per_megapixel: ClassVar[float] = 0.02  # first guess, until measured
    family: ClassVar[Family | None] = None  # which weights it needs; None: it needs none
    routes: ClassVar[tuple[Route, ...]] = ()  # none: one that is called as the processor
    photo_optional: ClassVar[bool] = False  # a preview may come without a photo

    @abstractmethod
    def process(self, source: Source, params: P, context: Context) -> Result:
        """Deterministic: same source, params and context give the same result, byte for byte.

        Raises BadImage for a photo that can't be processed, and BadParams where options and photo don't fit.
        """

    def fit(self, sources: Sequence[Source], params: P) -> Mapping[str, Any] | None:
        """Run once a job, before its first photo, over a sample of at most 16 of its photos. What it
        returns must be JSON and reaches `process` as `Context.shared`. Default: nothing is shared."""
        return None

    def output_pixels(self, header: Header, params: P) -> int:
        """How many pixels the result will have: checked against the limit before any decoding."""
        return header.pixels

    def output_pixels_with(self, header: Header, params: P, context: Context) -> int:
        """The same where it depends on the weights."""
        return self.output_pixels(header, params)

    @property
    def needs_weights(self) -> bool:
        return self.family is not None

    @property
    def ways_in(self) -> tuple[Route, ...]:
        return self.routes or (Route(self.name, self.summary),)
