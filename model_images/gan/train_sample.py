"""Trains the sample generator, photo to comic, and writes `samples/comic.onnx` and `.json`.

    python -m model_images.gan.train_sample

Pairs are real photos and the comics that classical filters make of them (`_comic`); the generator learns
them by absolute difference, edges and a PatchGAN judge. Photos: the platform's demo photos, and the sample
images that scikit-image, scikit-learn and Matplotlib bring along. Held out, and used for the told quality
only: cat and china. Minutes on two cores; seeds are fixed, and the same machine gives the same weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from model_images.converter import shipping
from model_images.converter.architectures._loading import image_axes
from model_images.gan._comic import comic
from model_images.gan._comic_network import ComicGenerator, Judge
from model_images.runtime.metadata import InputMeta, WeightsMeta

Array = NDArray[np.uint8]
Pair = tuple[Array, Array]

SEED = 7
STEPS = 750
BATCH, CROP, MARGIN = 4, 104, 4  # the margin of a crop isn't judged: its target knew what lies beyond
VARIANTS = 5  # of size and colour, for each photo
LONGEST = 640
JUDGED_FROM = 0.5  # part of the steps after which the judge joins
LEARNING_RATE = 3e-3

_DEMO = Path(__file__).resolve().parents[2] / "marketplace" / "demo" / "photos"
TRAINING = (
    ("", "astronaut.jpg"), ("", "brick.jpg"), ("", "cameraman.jpg"), ("", "coffee.jpg"), ("", "grass.jpg"),
    ("", "gravel.jpg"), ("", "rocket.jpg"), ("skimage", "data/motorcycle_left.png"),
    ("sklearn", "datasets/images/flower.jpg"), ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
)  # fmt: skip
HELD_OUT = (("", "cat.jpg"), ("sklearn", "datasets/images/china.jpg"))


def photos(names: Sequence[tuple[str, str]]) -> list[Array]:
    """RGB. Those of packages that aren't installed are left out."""
    found = []
    for package, name in names:
        spec = find_spec(package) if package else None
        if package and not (spec and spec.submodule_search_locations):
            continue
        folder = (
            Path(next(iter(spec.submodule_search_locations)))
            if spec and spec.submodule_search_locations
            else _DEMO
        )
        image = cv2.imread(str(folder / name), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise SystemExit(f"{folder / name} can't be read")
        found.append(_at_most(image, LONGEST))
    return found


def _at_most(image: Array, longest: int) -> Array:
    scale = min(1.0, longest / max(image.shape[:2]))
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _variant(image: Array, rng: np.random.Generator) -> Array:
    """The photo at another size, in other light and colours."""
    image = _at_most(image, int(rng.integers(260, LONGEST)))
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.choice([0, 0, *rng.integers(0, 255, 2)])) % 256
    hsv[..., 1] *= rng.uniform(0.5, 1.3)
    hsv[..., 2] = 255 * (hsv[..., 2] / 255) ** rng.uniform(0.6, 1.6)
    image = cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB_FULL)
    noise = rng.normal(0, rng.uniform(0, 4), image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def pairs(images: Sequence[Array], variants: int, rng: np.random.Generator) -> list[Pair]:
    """Each photo as it is and `variants` times changed, with the comic of it."""
    changed = [_variant(image, rng) for image in images for _ in range(variants)]
    return [(image, comic(image)) for image in (*images, *changed)]


def batches(known: Sequence[Pair], rng: np.random.Generator) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless: random crops, mirrored and turned alike, as `(BATCH, 3, CROP, CROP)` in -1..1."""
    while True:
        both = []
        for index in rng.integers(0, len(known), BATCH):
            photo, picture = known[index]
            y = int(rng.integers(0, photo.shape[0] - CROP + 1))
            x = int(rng.integers(0, photo.shape[1] - CROP + 1))
            crop = np.concatenate([side[y : y + CROP, x : x + CROP] for side in (photo, picture)], axis=2)
            crop = np.rot90(crop, int(rng.integers(0, 4)))
            both.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
        tensor = torch.from_numpy(np.stack(both).copy()).permute(0, 3, 1, 2).float() / 127.5 - 1
        yield tensor[:, :3], tensor[:, 3:]


def train(
    known: Sequence[Pair], steps: int, *, width: int = 12, blocks: int = 3
) -> tuple[nn.Module, list[float]]:
    """The generator, and the absolute difference of each step."""
    torch.manual_seed(SEED)
    layout = {"memory_format": torch.channels_last}  # a fifth faster with few channels
    generator, judge = ComicGenerator(width, blocks).to(**layout), Judge().to(**layout)
    paints = torch.optim.AdamW(generator.parameters(), LEARNING_RATE, weight_decay=1e-4)
    judges = torch.optim.Adam(judge.parameters(), 4e-4, betas=(0.5, 0.99))
    plan = torch.optim.lr_scheduler.OneCycleLR(paints, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    losses = []
    crops = batches(known, np.random.default_rng(SEED))
    for step in range(steps):
        photo, target = (half.contiguous(**layout) for half in next(crops))
        painted = generator(photo)
        inner = (..., slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
        photo, painted, target = photo[inner], painted[inner], target[inner]
        difference = F.l1_loss(painted, target)
        loss = difference + _edges(painted, target)
        judged = step >= JUDGED_FROM * steps
        if judged:
            verdict = judge(photo, painted)
            loss = loss + 0.02 * F.mse_loss(verdict, torch.ones_like(verdict))
        paints.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(generator.parameters(), 1.0)
        paints.step()
        plan.step()
        if judged:
            _teach(judge, judges, photo, target, painted.detach())
        losses.append(difference.item())
        if step % 100 == 0:
            shipping.say(f"step {step}: difference {np.mean(losses[-100:]):.4f}")
    return generator.to(memory_format=torch.contiguous_format).eval(), losses


def _edges(painted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """How different neighbouring pixels differ: blurred lines cost what sharp ones don't."""
    across = F.l1_loss(painted.diff(dim=3), target.diff(dim=3))
    return across + F.l1_loss(painted.diff(dim=2), target.diff(dim=2))


def _teach(
    judge: nn.Module,
    judges: torch.optim.Optimizer,
    photo: torch.Tensor,
    target: torch.Tensor,
    painted: torch.Tensor,
) -> None:
    """Least squares (Mao et al. 2017): 1 for the filters' comics, 0 for the generator's."""
    real, made = judge(photo, target), judge(photo, painted)
    loss = F.mse_loss(real, torch.ones_like(real)) + F.mse_loss(made, torch.zeros_like(made))
    judges.zero_grad()
    loss.backward()
    judges.step()


def paint(generator: nn.Module, photo: Array) -> Array:
    """A whole photo, its edges reflected up to multiples of 4."""
    height, width = photo.shape[:2]
    tensor = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 127.5 - 1
    padded = F.pad(tensor, (0, -width % 4, 0, -height % 4), mode="reflect")
    with torch.no_grad():
        painted = generator(padded)[0, :, :height, :width]
    return ((painted.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()


def psnr(one: Array, other: Array) -> float:
    return float(cv2.PSNR(one, other))


def ssim(one: Array, other: Array) -> float:
    """Mean structural similarity of the grey pictures (Wang et al. 2004): Gaussian window, sigma 1.5."""
    x, y = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) for image in (one, other))

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5))

    mx, my = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(np.mean((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))))


def quality(generator: nn.Module, images: Sequence[Array]) -> dict[str, float]:
    """How near the generator's comics come to the filters' on photos it never saw, and how far the photos
    themselves are from them."""
    told = [(image, comic(image), paint(generator, image)) for image in images]
    return {
        "PSNR": round(float(np.mean([psnr(made, target) for _, target, made in told])), 2),
        "SSIM": round(float(np.mean([ssim(made, target) for _, target, made in told])), 3),
        "PSNR of the photo": round(float(np.mean([psnr(image, target) for image, target, _ in told])), 2),
        "SSIM of the photo": round(float(np.mean([ssim(image, target) for image, target, _ in told])), 3),
    }


def meta(measured: dict[str, float]) -> WeightsMeta:
    return WeightsMeta(
        family="gan",
        task="image_to_image",
        input=InputMeta(resize="native", multiple=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
        output="image",
        low=-1.0,
        high=1.0,
        architecture="comic_generator",
        source="trained by model_images/gan/train_sample.py",
        license="Apache-2.0",
        quality=measured,
    )


CARD = shipping.Card(
    slug="comic",
    title="Comic book",
    description=(
        "Paints a photo as a comic: calm areas of strong colour, brightness in steps, and ink lines along "
        "the edges. A small generator for photos of any size, trained on public sample photos. Ink lines are "
        "a few pixels wide, whatever the size: a smaller working size makes bolder ones."
    ),
    price=300,
    price_per_image=1,
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=shipping.SAMPLES)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    known = pairs(photos(TRAINING), VARIANTS, np.random.default_rng(SEED))
    shipping.say(f"{len(known)} pairs")
    generator, _ = train(known, options.steps)
    measured = quality(generator, photos(HELD_OUT))
    shipping.say(str(measured))
    shipping.ship(generator, torch.zeros(1, 3, 256, 256), image_axes(), meta(measured), CARD, options.out)


if __name__ == "__main__":
    main()
