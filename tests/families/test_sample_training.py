"""The scripts that train the sample weights: a few steps must teach something, and the file must be whole."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from model_images.classifier import train_sample as classifier  # noqa: E402 - after the check for torch
from model_images.classifier._digit_photos import photos  # noqa: E402
from model_images.converter import shipping  # noqa: E402
from model_images.converter.architectures._loading import batch_axes, image_axes  # noqa: E402
from model_images.gan import train_sample as gan  # noqa: E402
from model_images.gan._comic import comic  # noqa: E402
from model_images.runtime.sessions import Session  # noqa: E402
from tests.families.held_out_digits import digits  # noqa: E402


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_generator_learns_and_is_shipped_whole(tmp_path):
    photo = gan.photos([("", "coffee.jpg")])[0][:160, :200]
    known = gan.pairs([photo], 1, np.random.default_rng(0))

    network, losses = gan.train(known, 16, width=8, blocks=1)
    measured = gan.quality(network, [photo])
    path = shipping.ship(
        network, torch.zeros(1, 3, 64, 64), image_axes(), gan.meta(measured), gan.CARD, tmp_path
    )

    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])
    session = Session(path)
    assert session.meta.quality == measured
    given = torch.rand(1, 3, 36, 52) * 2 - 1
    with torch.no_grad():
        assert np.abs(session.run(given.numpy()) - network(given).numpy()).max() < 1e-4
    assert json.loads(path.with_suffix(".json").read_text())["quality"] == measured


def test_classifier_learns_and_is_shipped_whole(tmp_path):
    images, targets = digits()
    known = (torch.from_numpy(np.tile(images, (4, 1, 1))), torch.from_numpy(np.tile(targets, 4)))

    network, losses = classifier.train(known, 6, width=8)
    measured = classifier.quality(network, known)
    path = shipping.ship(
        network,
        torch.zeros(1, 1, 32, 32),
        batch_axes(),
        classifier.meta(measured),
        classifier.CARD,
        tmp_path,
    )

    assert losses[-1] < 0.95 * losses[0]
    session = Session(path)
    assert session.meta.classes[7] == "seven"
    given = classifier.plain(known[0][:3])
    with torch.no_grad():
        assert np.abs(session.run(given.numpy()) - network(given).numpy()).max() < 1e-4


def test_made_photos_are_of_both_kinds_and_repeatable():
    images = torch.from_numpy(digits()[0])

    first, again = (photos(images, torch.Generator().manual_seed(5)) for _ in range(2))

    assert first.shape == (100, 1, 32, 32)
    assert torch.equal(first, again)
    assert float(first.min()) >= -1
    assert float(first.max()) <= 1
    corners, middle = first[:, 0, 2, 2], first[:, 0].amin((1, 2))
    dark_on_light = int((corners - middle > 0.5).sum())
    assert 30 < dark_on_light < 80


def test_comic_calms_noise_and_inks_edges():
    noise = np.random.default_rng(0).normal(0, 4, (64, 64, 3))
    photo = np.clip(np.full((64, 64, 3), 170) + noise, 0, 255)
    photo[:, 32:] = np.clip(40 + noise[:, 32:], 0, 255)

    painted = comic(photo.astype(np.uint8)).astype(int)

    assert painted[:, 4:24].std() < photo[:, 4:24].std() / 2
    assert painted[:, 30:36].min() < 20


def test_structural_similarity_knows_same_and_different():
    image = gan.photos([("", "cat.jpg")])[0]

    assert gan.ssim(image, image) == pytest.approx(1)
    assert gan.ssim(image, 255 - image) < 0.5
    assert gan.psnr(image, np.clip(image.astype(int) + 10, 0, 255).astype(np.uint8)) == pytest.approx(
        28.1, abs=0.3
    )
