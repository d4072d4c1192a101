"""Generators: pictures out of known networks."""

from __future__ import annotations

import numpy as np
import pytest

from model_images.gan import _tiles, gan
from model_images.gan.gan import Gan, GanParams
from model_images.runtime.contract import BadImage, BadWeights, Context, Header
from model_images.runtime.metadata import InputMeta
from model_images.runtime.sources import NoPhoto
from tests.families.doubles import Network, run
from tests.filters.doubles import ArraySource
from tests.runtime.pictures import gradient, noise

GAN = Gan()
NATIVE = InputMeta(resize="native")


def negative(**meta) -> Network:
    return Network(lambda batch: 1 - batch, "gan", **({"input": NATIVE} | meta))


def smooth(batch: np.ndarray) -> np.ndarray:
    """The mean of 3 × 3, zeros around, each pixel twice in both directions."""
    padded = np.pad(batch, ((0, 0), (0, 0), (1, 1), (1, 1)))
    height, width = batch.shape[2:]
    total = sum(padded[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3))
    return (total / 9).repeat(2, axis=2).repeat(2, axis=3)


def enlarger(**meta) -> Network:
    values = {"task": "super_resolution", "upscale": 2, "input": NATIVE}
    return Network(smooth, "gan", **(values | meta))


# --- image_to_image ---------------------------------------------------------------------------------


def test_native_works_on_the_photo_as_it_is():
    assert np.array_equal(run(GAN, negative(), gradient()).image, 255 - gradient())


def test_mirrored_edges_are_cut_off_again():
    net = negative(input=InputMeta(resize="native", multiple=32))

    image = run(GAN, net, gradient(50, 33)).image

    assert net.seen[0].shape == (1, 3, 64, 64)
    assert np.array_equal(image, 255 - gradient(50, 33))


def test_values_between_low_and_high():
    net = Network(lambda b: b * 2 - 1, "gan", input=NATIVE, low=-1.0, high=1.0)
    assert np.array_equal(run(GAN, net, gradient()).image, gradient())
    beyond = Network(lambda b: b * 0 + np.array([-5, 0.5, 9]).reshape(1, 3, 1, 1), "gan", input=NATIVE)
    assert tuple(run(GAN, beyond, gradient()).image[0, 0]) == (0, 128, 255)


def test_strength_mixes_photo_and_result():
    photo = np.full((8, 8, 3), 100, np.uint8)

    assert {int(run(GAN, negative(), photo, strength=s).image[0, 0, 0]) for s in (0, 0.5, 1)} == {
        100,
        128,
        155,
    }


def test_large_photos_are_reduced_to_the_working_size():
    net = negative()

    image = run(GAN, net, np.zeros((500, 1000, 3), np.uint8), size=100).image

    assert net.seen[0].shape == (1, 3, 50, 100)
    assert image.shape == (50, 100, 3)
    assert GAN.output_pixels_with(Header("png", 1000, 500), GanParams(size=100), Context(weights=net)) == 5000


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "crop"])
@pytest.mark.parametrize("strength", [1, 0.5])
def test_network_of_a_fixed_size_gives_back_the_shape_of_the_photo(resize, strength):
    net = negative(input=InputMeta(width=32, height=32, resize=resize, resize_to=32))
    photo = np.full((100, 200, 3), (0, 100, 200), np.uint8)

    image = run(GAN, net, photo, strength=strength).image

    assert net.seen[0].shape == (1, 3, 32, 32)
    assert image.shape == ((100, 100, 3) if resize == "crop" else (100, 200, 3))
    expected = np.array([255, 155, 55]) if strength == 1 else np.array([128, 128, 128])
    assert np.abs(image.astype(int) - expected).max() <= 1


def test_mixing_under_a_crop_keeps_the_middle_in_place():
    photo = np.zeros((100, 200, 3), np.uint8)
    photo[:, 100:] = 200
    net = Network(lambda b: b, "gan", input=InputMeta(width=50, height=50, resize="crop", resize_to=50))

    image = run(GAN, net, photo, strength=0.5).image

    assert image.shape == (100, 100, 3)
    assert (image[:, :45] < 10).all()
    assert (image[:, 55:] > 190).all()


def test_gray_results_and_gray_inputs():
    gray = Network(lambda b: b[:, :1], "gan", input=NATIVE)
    assert run(GAN, gray, gradient()).image.ndim == 2
    assert run(GAN, gray, gradient(), strength=0.5).image.shape == (48, 64, 3)
    colouriser = Network(
        lambda b: b.repeat(3, axis=1), "gan", input=InputMeta(resize="native", channels=1, color="gray")
    )
    assert run(GAN, colouriser, gradient()).image.shape == (48, 64, 3)
    assert colouriser.seen[0].shape == (1, 1, 48, 64)


def test_bgr_network_gives_rgb():
    net = Network(lambda b: b, "gan", input=InputMeta(resize="native", color="bgr"))

    assert np.array_equal(run(GAN, net, gradient()).image, gradient())


def test_output_that_is_no_picture():
    for shape in ((1, 3), (2, 3, 8, 8), (1, 4, 8, 8)):
        with pytest.raises(BadWeights, match="no picture"):
            run(GAN, Network(lambda b, s=shape: np.zeros(s), "gan", input=NATIVE), gradient())


# --- super_resolution -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 48), (192, 192), (193, 20), (20, 500), (450, 410), (1, 1)])
def test_tiles_give_what_the_whole_photo_would(size):
    photo = noise(*size)
    net = enlarger()

    image = run(GAN, net, photo, size=2048).image

    batch = (photo.astype(np.float32) / 255).transpose(2, 0, 1)[None]
    whole = np.rint(smooth(batch)[0].transpose(1, 2, 0) * 255).astype(int)
    assert image.shape == (2 * size[1], 2 * size[0], 3)
    inside = np.abs(image.astype(int) - whole)[2:-2, 2:-2]  # at the edges there are mirror images, not zeros
    assert not inside.size or inside.max() <= 1
    most = _tiles.TILE + 2 * _tiles.OVERLAP
    assert all(max(batch.shape[2:]) <= most for batch in net.seen)


def test_network_of_a_fixed_size_enlarges_any_photo():
    net = enlarger(input=InputMeta(width=64, height=48, resize="stretch"))

    image = run(GAN, net, gradient(150, 130)).image

    assert {batch.shape for batch in net.seen} == {(1, 3, 48, 64)}
    assert image.shape == (260, 300, 3)
    assert np.abs(image[10:-10:2, 10:-10:2].astype(int) - gradient(150, 130)[5:-5, 5:-5]).max() <= 2


def test_size_of_the_result_is_told_before():
    context = Context(weights=enlarger(upscale=4))

    assert GAN.output_pixels_with(Header("png", 2000, 1000), GanParams(size=1000), context) == 4000 * 2000


def test_network_that_enlarges_by_something_else():
    with pytest.raises(BadWeights, match="pixels where"):
        run(GAN, enlarger(upscale=3), gradient())


# --- noise_to_image ---------------------------------------------------------------------------------


def painter(**meta) -> Network:
    net = Network(
        lambda b: b.reshape(1, 1, 2, 2), "gan", task="noise_to_image", low=-4.0, high=4.0,
        **({"input": InputMeta(latent=4)} | meta),
    )  # fmt: skip
    net.input_shape = (1, 4, 1, 1)
    return net


class File(ArraySource):
    def __init__(self, data: bytes) -> None:
        super().__init__(gradient())
        self.data = data


def test_same_seed_same_picture():
    first, again, other = (run(GAN, painter(), NoPhoto(), seed=seed) for seed in (1, 1, 2))

    assert np.array_equal(first.image, again.image)
    assert not np.array_equal(first.image, other.image)
    assert [r.data["seed"] for r in (first, again, other)] == [1, 1, 2]


def test_noise_is_standard_normal_from_the_seed():
    net = painter()
    run(GAN, net, NoPhoto(), seed=3)

    expected = np.random.Generator(np.random.PCG64(3)).standard_normal((1, 4), dtype=np.float32)
    assert np.array_equal(net.seen[0], expected.reshape(1, 4, 1, 1))
    net.input_shape = (None, 4)
    run(GAN, net, NoPhoto(), seed=3)
    assert np.array_equal(net.seen[1], expected)


def test_each_photo_has_its_own_seed_which_can_be_used_again():
    one, two = (run(GAN, painter(), File(data), seed=2**32 - 1) for data in (b"one", b"two"))
    fixed = run(GAN, painter(), File(b"two"), seed=one.data["seed"], vary=False)

    assert one.data["seed"] != two.data["seed"]
    assert one.data["seed"] == gan.noise_seed(2**32 - 1, b"one") < 2**32
    assert np.array_equal(fixed.image, one.image)


def test_other_tasks_need_a_photo():
    for net in (negative(), enlarger()):
        with pytest.raises(BadImage, match="needs a photo"):
            run(GAN, net, NoPhoto())


def test_weights_that_do_not_say_how_much_noise():
    with pytest.raises(BadWeights, match="how much noise"):
        run(GAN, painter(input=InputMeta()), NoPhoto())
