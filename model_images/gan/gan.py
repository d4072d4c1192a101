"""Generators: a photo into another picture (colourised, restyled), a larger one, or noise into a picture.

What a generator does is in its weights' `task`. `image_to_image` works on the photo as a whole;
`super_resolution` in overlapping tiles, so that memory stays bounded; `noise_to_image` looks at no
photo at all.
"""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
from pydantic import Field

from model_images.gan import _tiles
from model_images.runtime import tensors
from model_images.runtime.contract import (
    Array,
    BadImage,
    BadWeights,
    Context,
    Header,
    ImageParams,
    Processor,
    Result,
    Route,
    Source,
    Tensor,
    Weights,
)
from model_images.runtime.metadata import WeightsMeta

_SEEDS = 2**32
Size = tuple[int, int]


class GanParams(ImageParams):
    strength: float = Field(
        1.0,
        ge=0,
        le=1,
        description="How much of the new picture is mixed into the photo",
        examples=[0.7],
        json_schema_extra={"x-tasks": ["image_to_image"]},
    )
    size: int = Field(
        1024,
        ge=64,
        le=2048,
        description="Longest side in pixels that the network works on; larger photos are reduced to it",
        examples=[512],
        title="Working size",
        json_schema_extra={"x-tasks": ["image_to_image", "super_resolution"]},
    )
    seed: int = Field(
        0,
        ge=0,
        le=_SEEDS - 1,
        description="The same seed makes the same picture",
        examples=[42],
        json_schema_extra={"x-tasks": ["noise_to_image"]},
    )
    vary: bool = Field(
        True,
        description="Mix each photo's content into the seed, so that each gets a picture of its own",
        examples=[False],
        title="Another one for each photo",
        json_schema_extra={"x-tasks": ["noise_to_image"]},
    )


class Gan(Processor[GanParams]):
    """Image: what the generator made. Data: `seed`, for a picture from noise.

    >>> GanParams(strength=0.5, size=512).seed
    0
    """

    name = "gan"
    title = "Generator"
    summary = "Runs a trained generator: restyles, colourises or enlarges photos, or makes pictures."
    kind = "generation"
    version = "1"
    outputs = ("image", "data")
    Params = GanParams
    family = "gan"
    routes = (Route("generate", "Makes a picture: of a photo, or from noise by a seed."),)
    photo_optional = True
    seconds_per_megapixel = 0.9

    def process(self, source: Source, params: GanParams, context: Context) -> Result:
        network = context.network
        if network.meta.task == "noise_to_image":
            return _from_noise(source, params, network)
        if network.meta.task == "super_resolution":
            return Result(_enlarged(source, params, network))
        return Result(_translated(source, params, network))

    def output_pixels_with(self, header: Header, params: GanParams, context: Context) -> int:
        meta = context.network.meta
        width, height = _reduced(header.width, header.height, params.size)
        if meta.task == "super_resolution":
            return width * height * meta.upscale**2
        return width * height


def to_image(output: Tensor, meta: WeightsMeta) -> Array:
    """`(1, channels, h, w)` between `low` and `high` to `(h, w, 3)` RGB or `(h, w)` grey. Raises
    BadWeights."""
    if output.ndim != 4 or output.shape[0] != 1 or output.shape[1] not in (1, 3):
        raise BadWeights("broken_weights", f"The network's output {output.shape} is no picture.")
    scale = 255 / (meta.high - meta.low) if meta.high > meta.low else 255.0
    planes = [_bytes((plane - np.float32(meta.low)) * np.float32(scale)) for plane in output[0]]
    if len(planes) == 1:
        return planes[0]
    return np.asarray(cv2.merge(planes[::-1] if meta.input.color == "bgr" else planes), np.uint8)


def noise_seed(seed: int, data: bytes) -> int:
    """`seed` plus the first 32 bits of the photo's sha256, modulo 2**32."""
    return (seed + int.from_bytes(hashlib.sha256(data).digest()[:4], "big")) % _SEEDS


def _bytes(values: Tensor) -> Array:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _reduced(width: int, height: int, longest: int) -> Size:
    scale = min(1.0, longest / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _from_noise(source: Source, params: GanParams, network: Weights) -> Result:
    """`(1, latent, 1, 1)` or `(1, latent)` of standard normal noise from PCG64 with the seed."""
    latent = network.meta.input.latent
    if latent is None:
        raise BadWeights("broken_weights", "The weights do not say how much noise they need.")
    seed = noise_seed(params.seed, source.data) if params.vary and source.data else params.seed
    generator = np.random.Generator(np.random.PCG64(seed))
    noise = generator.standard_normal((1, latent), dtype=np.float32)
    shape = (1, latent, 1, 1) if len(network.input_shape) == 4 else (1, latent)
    image = to_image(network.run(noise.reshape(shape)), network.meta)
    return Result(image, data={"seed": seed}, prefer="png")


def _decoded(source: Source, meta: WeightsMeta, longest: int) -> Array:
    """The photo, no longer than `longest`, in the colours that the network takes (RGB or grey)."""
    width, height = _reduced(source.header.width, source.header.height, longest)
    decode = source.gray if meta.input.color == "gray" else source.rgb
    return tensors.resized(decode(min_width=width, min_height=height), width, height)


def _enlarged(source: Source, params: GanParams, network: Weights) -> Array:
    meta = network.meta
    image = _decoded(source, meta, params.size)
    side = (meta.input.width, meta.input.height) if meta.input.width and meta.input.height else None

    def run(tile: Array) -> Array:
        made = to_image(network.run(tensors.to_tensor(tile, meta.input)), meta)
        wanted = (tile.shape[0] * meta.upscale, tile.shape[1] * meta.upscale)
        if made.shape[:2] != wanted:
            raise BadWeights(
                "broken_weights", f"The network made {made.shape[:2]} pixels where {wanted} were due."
            )
        return made

    return _tiles.tiled(image, run, meta.upscale, side, meta.input.multiple)


def _translated(source: Source, params: GanParams, network: Weights) -> Array:
    """The new picture at the photo's size, at most `size`; a network of a fixed size is brought back to the
    photo's shape. With a central crop, that part only."""
    photo = tensors.place(source, network.meta.input, params.size)
    made = to_image(network.run(photo.tensor), network.meta)
    scale = (made.shape[1] / photo.tensor.shape[3], made.shape[0] / photo.tensor.shape[2])
    left, top, width, height = photo.content
    made = made[_part(top, height, scale[1]), _part(left, width, scale[0])]
    if not made.size:
        raise BadImage("weights_failed", "The network made an empty picture of this photo.")
    across, down = _reduced(round(photo.region[2]), round(photo.region[3]), params.size)
    result = tensors.resized(np.ascontiguousarray(made), across, down)
    if params.strength == 1:
        return result
    return _blended(_original(source, photo.region, (across, down)), result, params.strength)


def _part(start: int, count: int, scale: float) -> slice:
    return slice(round(start * scale), round((start + count) * scale))


def _original(source: Source, region: tuple[float, float, float, float], size: Size) -> Array:
    """That region of the photo in colour, resized."""
    header = source.header
    scale = (size[0] / region[2], size[1] / region[3])
    image = source.rgb(min_width=round(header.width * scale[0]), min_height=round(header.height * scale[1]))
    across, down = image.shape[1] / header.width, image.shape[0] / header.height
    rows, columns = _part(0, round(region[3]), down), _part(0, round(region[2]), across)
    y, x = round(region[1] * down), round(region[0] * across)
    part = image[y : y + max(1, rows.stop), x : x + max(1, columns.stop)]
    return tensors.resized(np.ascontiguousarray(part), *size)


def _blended(photo: Array, made: Array, strength: float) -> Array:
    """`photo + strength * (made - photo)` for each pixel, rounded."""
    if made.ndim == 2:
        made = np.repeat(made[:, :, None], 3, axis=2)
    return np.asarray(cv2.addWeighted(made, strength, photo, 1 - strength, 0), np.uint8)
