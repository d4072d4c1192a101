"""One photo through one processor: what batches and the preview server share."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from jobfolder import Limits
from model_images.runtime.contract import (
    BadImage,
    BadParams,
    Context,
    Encoded,
    Header,
    ImageParams,
    Params,
    Processor,
    Source,
)
from model_images.runtime.imageio import ImageLimits, encode, open_source

MAX_SAMPLE = 16


@dataclass
class Timings:
    """Milliseconds by step, in the order they were first taken."""

    ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - start) * 1000
            self.ms[step] = round(self.ms.get(step, 0.0) + spent, 3)


@dataclass(frozen=True)
class Done:
    """What came of a photo; `image` is encoded."""

    header: Header
    image: Encoded | None
    text: str | None
    html: str | None
    data: Mapping[str, Any] | None


def load_params(processor: Processor[Any], raw: Mapping[str, Any]) -> Params:
    """`raw`, checked. Raises BadParams, with what is wrong by field."""
    try:
        return processor.Params.model_validate(raw)
    except ValidationError as error:
        fields: dict[str, list[str]] = {}
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            name = ".".join(str(part) for part in problem["loc"]) or "params"
            fields.setdefault(name, []).append(problem["msg"].removeprefix("Value error, "))
        detail = "; ".join(f"{name}: {texts[0]}" for name, texts in fields.items())
        raise BadParams(f"These options can't be used: {detail}.", fields) from None


def image_limits(limits: Limits) -> ImageLimits:
    return ImageLimits(limits.max_bytes, limits.max_pixels)


def apply(
    processor: Processor[Any],
    source: Source,
    params: Params,
    context: Context,
    limits: Limits,
    timings: Timings,
) -> Done:
    """Process and encode. Limits on the result are checked before any decoding. Raises BadImage, BadParams,
    or whatever a faulty processor raises."""
    pixels = processor.output_pixels_with(source.header, params, context)
    if pixels > limits.max_output_pixels:
        raise BadImage(
            "output_too_large",
            f"The result would have {pixels / 1e6:.1f} million pixels; at most "
            f"{limits.max_output_pixels / 1e6:g} million can be made. Choose options that make it smaller.",
        )
    with timings.of("process_ms"):
        result = processor.process(source, params, context)
    with timings.of("encode_ms"):
        image = None
        if result.image is not None:
            options = params if isinstance(params, ImageParams) else ImageParams()
            image = encode(result.image, options.format, options.quality, result.prefer)
    return Done(source.header, image, result.text, result.html, result.data)


def has_fit(processor: Processor[Any]) -> bool:
    return type(processor).fit is not Processor.fit


def readable(files: Iterator[bytes], limits: ImageLimits) -> list[Source]:
    """Sources for `fit`: photos that can't be read are left out, at most MAX_SAMPLE are taken."""
    sources: list[Source] = []
    for data in files:
        try:
            sources.append(open_source(data, limits))
        except BadImage:
            continue
        if len(sources) == MAX_SAMPLE:
            break
    return sources
