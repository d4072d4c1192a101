from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image
from pydantic import ValidationError
from skimage.metrics import structural_similarity

from model_images.filters import _tileindex, _tiles
from model_images.filters.mosaic import Mosaic
from model_images.runtime.contract import BadParams, Context
from model_images.runtime.imageio import open_source
from tests.filters.doubles import ArraySource, jpeg, pixels_of, run

MOSAIC = Mosaic()
COLOURS = np.array([[255, 0, 0], [0, 200, 0], [0, 0, 255], [240, 240, 240]], np.uint8)


@pytest.fixture(autouse=True)
def _forget():
    _tileindex._recent.clear()


def stored(folder: Path, pixels, format: str = "PNG") -> Path:
    """A photo as a drive keeps it: named by its sha256."""
    target = folder / "new"
    Image.fromarray(pixels).save(target, format)
    return target.rename(folder / hashlib.sha256(target.read_bytes()).hexdigest())


@pytest.fixture
def plain_tiles(tmp_path):
    """Four photos of one colour each, in the order of COLOURS."""
    folder = tmp_path / "drive"
    folder.mkdir()
    return [stored(folder, np.full((20, 30, 3), colour, np.uint8)) for colour in COLOURS]


def context(tiles, cache: Path | None = None) -> Context:
    return Context(assets={"tile_folder": tiles}, cache_dir=cache)


def cells_of(picture, px):
    """The `(rows, columns, 3)` colour in the middle of each cell."""
    return picture[px // 2 :: px, px // 2 :: px]


# -- blocks -----------------------------------------------------------------------------------------------


def test_blocks_are_means():
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[::2] = 100
    picture[:, 10:] += 50
    result = run(MOSAIC, picture, style="blocks", columns=10)
    assert result.image.shape == (20, 20, 3)
    assert (result.image[:, :10] == 50).all()
    assert (result.image[:, 10:] == 100).all()
    assert result.data == {"columns": 10, "rows": 10}


def test_blocks_that_do_not_divide_the_photo_fill_it():
    picture = np.full((7, 23, 3), 90, np.uint8)
    assert (run(MOSAIC, picture, style="blocks", columns=10).image == picture).all()


def test_more_blocks_than_pixels_leave_the_photo_as_it_is(noise):
    picture = np.repeat(noise[..., None], 3, axis=2)
    assert (run(MOSAIC, picture, style="blocks", columns=400).image == picture).all()


def test_blocks_like_a_plain_reference(photo):
    data = jpeg(photo, quality=95)
    ours = run(MOSAIC, open_source(data), style="blocks", columns=64).image
    theirs = np.asarray(Image.fromarray(photo).resize((64, 48), Image.Resampling.BOX).resize((512, 384), 0))
    assert structural_similarity(ours, theirs, channel_axis=2) > 0.98


# -- which tile goes where --------------------------------------------------------------------------------


def test_each_cell_gets_the_tile_it_looks_like(plain_tiles):
    small = COLOURS[np.random.default_rng(3).integers(0, 4, (10, 10))]
    picture = small.repeat(6, axis=0).repeat(6, axis=1)
    result = run(
        MOSAIC,
        picture,
        context(plain_tiles),
        tile_folder="f",
        columns=10,
        tile_px=8,
        match_grid=1,
        tint=0,
        min_distance=0,
    )
    assert (cells_of(result.image, 8) == small).all()
    assert (result.image == small.repeat(8, axis=0).repeat(8, axis=1)).all()
    most = int(np.unique(small.reshape(-1, 3), axis=0, return_counts=True)[1].max())
    assert result.data == {
        "columns": 10,
        "rows": 10,
        "tiles": 4,
        "used": 4,
        "most_uses": most,
        "min_distance": 0,
    }


def test_a_finer_grid_tells_tiles_with_the_same_mean_apart(tmp_path):
    across = np.zeros((16, 16, 3), np.uint8)
    across[:8] = 255
    tiles = [
        stored(tmp_path, picture) for picture in (across, np.ascontiguousarray(across.transpose(1, 0, 2)))
    ]
    picture = np.tile(across.transpose(1, 0, 2), (10, 10, 1))
    options = {"tile_folder": "f", "columns": 10, "tile_px": 16, "tint": 0}
    fine = run(MOSAIC, picture, context(tiles), match_grid=2, **options)
    assert (fine.image == picture).all()
    coarse = run(MOSAIC, picture, context(tiles), match_grid=1, **options)
    assert (coarse.image == np.tile(across, (10, 10, 1))).all()  # a tie goes to the first tile


@pytest.mark.parametrize("distance", [1, 2, 3])
def test_no_tile_again_nearby(distance):
    sky = np.full((60, 80, 3), [120, 160, 220], np.uint8)
    px = 8
    result = run(MOSAIC, sky, columns=40, tile_px=px, tint=0, min_distance=distance)
    chosen = which(result.image, px)
    for down in range(distance + 1):
        for right in range(-distance, distance + 1):
            if (down, right) > (0, 0):
                left = slice(max(0, -right), 40 - max(0, right))
                there = slice(max(0, right), 40 + min(0, right))
                assert (chosen[: 30 - down, left] != chosen[down:, there]).all(), (down, right)
    assert result.data["min_distance"] == distance


def which(image, px):
    """The built-in tile in each cell, told by its pixels."""
    tiles = {tile.tobytes(): number for number, tile in enumerate(_tiles.built_in(px))}
    rows, columns = image.shape[0] // px, image.shape[1] // px
    cells = image.reshape(rows, px, columns, px, 3).transpose(0, 2, 1, 3, 4)
    return np.array([[tiles[cell.tobytes()] for cell in row] for row in np.ascontiguousarray(cells)])


@pytest.mark.parametrize(("max_uses", "distance"), [(4, 0), (4, 2), (60, 3), (1200, 0)])
def test_the_limit_on_reuse_holds(photo, max_uses, distance):
    result = run(MOSAIC, photo, columns=40, tile_px=8, tint=0, max_uses=max_uses, min_distance=distance)
    uses = np.bincount(which(result.image, 8).ravel())
    assert uses.sum() == 1200
    assert uses.max() <= max_uses
    assert result.data["most_uses"] == uses.max()
    assert result.data["used"] == (uses > 0).sum()


def test_exactly_enough_tiles_are_all_used(plain_tiles):
    picture = np.full((40, 40, 3), COLOURS[0], np.uint8)
    result = run(
        MOSAIC, picture, context(plain_tiles), tile_folder="f", columns=10, tile_px=8, max_uses=25, tint=0
    )
    seen, counts = np.unique(cells_of(result.image, 8).reshape(-1, 3), axis=0, return_counts=True)
    assert len(seen) == 4
    assert counts.tolist() == [25] * 4


def test_too_few_tiles_for_the_limit_are_refused_with_a_way_out(plain_tiles):
    with pytest.raises(BadParams) as caught:
        run(
            MOSAIC,
            np.zeros((40, 40, 3), np.uint8),
            context(plain_tiles),
            tile_folder="f",
            columns=10,
            max_uses=24,
        )
    assert "at least 25 uses" in caught.value.fields["max_uses"][0]


def test_the_seed_changes_who_chooses_first(photo):
    pictures = [run(MOSAIC, photo, columns=40, tile_px=8, max_uses=5, seed=seed).image for seed in (1, 1, 2)]
    assert (pictures[0] == pictures[1]).all()
    assert (pictures[0] != pictures[2]).any()


def test_tint_ends_at_the_colour_of_the_cell(photo):
    result = run(MOSAIC, photo, columns=32, tile_px=8, tint=1, match_grid=1)
    means = cv2.resize(photo, (32, 24), interpolation=cv2.INTER_AREA)
    assert (cells_of(result.image, 8) == means).all()
    none, some = (run(MOSAIC, photo, columns=32, tile_px=8, tint=t).image for t in (0, 0.5))
    target = means.repeat(8, axis=0).repeat(8, axis=1)
    assert np.abs((none.astype(int) + target) / 2 - some).max() <= 1


def test_looks_like_the_photo_from_afar(photo):
    image = run(MOSAIC, photo, columns=128, tile_px=8, tint=0).image
    small = [cv2.resize(p, (64, 48), interpolation=cv2.INTER_AREA) for p in (image, photo)]
    assert structural_similarity(*small, channel_axis=2) > 0.8


def test_decodes_only_what_the_grid_needs(photo):
    source = ArraySource(photo)
    run(MOSAIC, source, columns=40, match_grid=3)
    assert source.asked == [("rgb", 120, 90)]


# -- built-in tiles ---------------------------------------------------------------------------------------


def test_built_in_tiles_are_many_and_different():
    for px in (8, 32, 128):
        tiles = _tiles.built_in(px)
        assert tiles.shape == (360, px, px, 3)
        assert len({tile.tobytes() for tile in tiles}) >= 200
    means = _tiles.built_in(32).mean(axis=(1, 2, 3))
    assert means.min() < 20
    assert means.max() > 235


# -- a folder of tiles ------------------------------------------------------------------------------------


def test_tiles_are_the_middle_square_turned_upright(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:10, 20:40] = 200  # upper half of the middle square
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(wide, quality=95, orientation=3, sampling="444"))
    (tile,) = _tileindex.tiles_of([path], 20, None)
    assert tile[15].mean() > 190 and tile[5].mean() < 10


def test_a_file_that_is_no_photo_is_left_out(plain_tiles, tmp_path):
    broken = tmp_path / "broken"
    broken.write_bytes(b"no photo")
    missing = tmp_path / "gone"
    tiles = _tileindex.tiles_of([broken, *plain_tiles, missing], 8, None)
    assert tiles[:, 0, 0].tolist() == COLOURS.tolist()


def test_the_same_file_twice_is_one_tile(plain_tiles):
    assert len(_tileindex.tiles_of([*plain_tiles, plain_tiles[0]], 8, None)) == 4


@pytest.mark.parametrize("files", [0, 1])
def test_a_folder_without_tiles_is_refused(plain_tiles, files):
    with pytest.raises(BadParams) as caught:
        run(MOSAIC, np.zeros((9, 9, 3), np.uint8), context(plain_tiles[:files]), tile_folder="f")
    assert f"has {files} photos" in caught.value.fields["tile_folder"][0]


def test_few_tiles_lower_the_distance(plain_tiles, photo):
    result = run(MOSAIC, photo, context(plain_tiles), tile_folder="f", columns=10, min_distance=6)
    assert result.data["min_distance"] == 0


# -- the cache --------------------------------------------------------------------------------------------


def cached(folder: Path) -> Path:
    (file,) = (folder / "tiles").iterdir()
    return file


def again(paths, cache):
    _tileindex._recent.clear()
    return _tileindex.tiles_of(paths, 8, cache)


def test_the_second_time_no_file_is_read(plain_tiles, tmp_path):
    first = again(plain_tiles, tmp_path)
    for path in plain_tiles:
        path.unlink()
    assert (again(plain_tiles, tmp_path) == first).all()


def test_other_content_is_another_index(plain_tiles, tmp_path):
    again(plain_tiles, tmp_path)
    again(plain_tiles[:3], tmp_path)
    assert len(list((tmp_path / "tiles").iterdir())) == 2
    named = tmp_path / "name.png"
    Image.fromarray(np.full((9, 9, 3), 10, np.uint8)).save(named)
    before = again([named], tmp_path)[0, 0, 0].tolist()
    Image.fromarray(np.full((9, 9, 3), 20, np.uint8)).save(named)
    assert (before, again([named], tmp_path)[0, 0, 0].tolist()) == ([10] * 3, [20] * 3)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "pickle", "other shape", "too many"])
def test_a_damaged_cache_is_made_anew(plain_tiles, tmp_path, damage):
    first = again(plain_tiles, tmp_path)
    file = cached(tmp_path)
    data = file.read_bytes()
    if damage == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        middle = len(data) // 3
        file.write_bytes(data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "text":
        file.write_text("not an index")
    elif damage == "pickle":
        with file.open("wb") as out:
            np.savez(out, tiles=np.array([Bomb()], dtype=object), seen=np.int64(1))
    elif damage == "other shape":
        with file.open("wb") as out:
            np.savez(out, tiles=np.zeros((4, 9, 9, 3), np.uint8), seen=np.int64(4))
    else:
        with file.open("wb") as out:
            np.savez(out, tiles=np.zeros((5, 8, 8, 3), np.uint8), seen=np.int64(5))
    assert (again(plain_tiles, tmp_path) == first).all()
    assert file.read_bytes() == data
    assert Bomb.gone_off == 0


class Bomb:
    gone_off = 0

    def __reduce__(self):
        return (_explode, ())


def _explode():
    Bomb.gone_off += 1


def test_no_cache_or_one_that_cannot_be_written_changes_nothing(plain_tiles, tmp_path):
    first = again(plain_tiles, None)
    file = tmp_path / "file"
    file.write_text("in the way")
    assert (again(plain_tiles, file) == first).all()
    assert file.read_text() == "in the way"


def test_no_half_written_file_is_left(plain_tiles, tmp_path, monkeypatch):
    def full_disk(*args, **arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    assert len(again(plain_tiles, tmp_path)) == 4
    assert list((tmp_path / "tiles").iterdir()) == []


def test_a_try_that_was_killed_is_continued(plain_tiles, tmp_path, monkeypatch):
    cut, cuts = _tileindex._cut, []

    def killed_at_the_third(path, px):
        if len(cuts) == 2:
            raise KeyboardInterrupt
        cuts.append(path)
        return cut(path, px)

    monkeypatch.setattr(_tileindex, "_KEEP_AFTER", 0)
    monkeypatch.setattr(_tileindex, "_cut", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        again(plain_tiles, tmp_path)
    seen = []
    monkeypatch.setattr(_tileindex, "_cut", lambda path, px: seen.append(path) or cut(path, px))
    tiles = again(plain_tiles, tmp_path)
    assert tiles[:, 0, 0].tolist() == COLOURS.tolist()
    assert seen == plain_tiles[2:]


def test_a_file_out_of_reach_is_not_forgotten_for_ever(plain_tiles, tmp_path):
    away = plain_tiles[1].rename(tmp_path / "away")
    assert len(again(plain_tiles, tmp_path)) == 3
    away.rename(plain_tiles[1])
    assert len(again(plain_tiles, tmp_path)) == 4


def test_no_more_tiles_than_bounded(plain_tiles, monkeypatch):
    monkeypatch.setattr(_tileindex, "MAX_TILES", 3)
    assert len(again(plain_tiles, None)) == 3


# -- limits -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"columns": 10, "tile_px": 128}, {"style": "blocks"}, {"columns": 33, "tile_px": 9}]
)
def test_output_pixels_are_told_right(photo, options):
    source = ArraySource(np.ascontiguousarray(photo[:301, :403]))
    height, width = run(MOSAIC, source, **options).image.shape[:2]
    assert MOSAIC.output_pixels(source.header, MOSAIC.Params(**options)) == height * width


def test_the_largest_mosaic_is_told_before_any_work(photo):
    params = MOSAIC.Params(columns=400, tile_px=128)
    assert MOSAIC.output_pixels(ArraySource(photo).header, params) == 400 * 300 * 128**2


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("style", ["photomosaic", "blocks"])
def test_tiny_and_narrow_photos(shape, style):
    image = run(MOSAIC, np.full((*shape, 3), 77, np.uint8), style=style, columns=10, tile_px=8).image
    assert image.shape[2] == 3


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"columns": 9}, "columns"),
        ({"columns": 401}, "columns"),
        ({"tile_px": 7}, "tile_px"),
        ({"tile_px": 129}, "tile_px"),
        ({"match_grid": 0}, "match_grid"),
        ({"match_grid": 6}, "match_grid"),
        ({"tint": 1.1}, "tint"),
        ({"max_uses": -1}, "max_uses"),
        ({"min_distance": 7}, "min_distance"),
        ({"seed": -1}, "seed"),
        ({"style": "hexagons"}, "style"),
        ({"tile_folder": "x" * 65}, "tile_folder"),
        ({"opacity": 1}, "opacity"),
    ],
)
def test_refused_options(options, field):
    with pytest.raises(ValidationError) as caught:
        MOSAIC.Params(**options)
    assert caught.value.errors()[0]["loc"] == (field,)


def test_the_same_bytes_every_time(photo):
    data = jpeg(photo)
    first, second = (run(MOSAIC, open_source(data), columns=60, tile_px=16) for _ in range(2))
    assert simplejpeg.encode_jpeg(first.image) == simplejpeg.encode_jpeg(second.image)
    assert first.data == second.data
    assert pixels_of(first).shape == (45 * 16, 960, 3)
