"""The detector: exact boxes out of known outputs."""

from __future__ import annotations

import numpy as np
import pytest

from model_images.runtime.contract import BadParams, BadWeights
from model_images.runtime.metadata import InputMeta
from model_images.yolov5 import _boxes, _draw
from model_images.yolov5.yolov5 import Yolov5
from tests.families.doubles import Network, run

YOLO = Yolov5()
PHOTO = np.full((64, 64, 3), 90, np.uint8)
CAT, DOG = [20, 30, 10, 8, 0.9, 0.8, 0.1], [50, 40, 20, 10, 0.5, 0.2, 0.9]


def network(*rows, **meta) -> Network:
    output = np.array([rows], np.float32).reshape(1, len(rows), -1 if rows else 7)
    if meta.get("output") == "yolov5u":
        output = np.delete(output, 4, axis=2).transpose(0, 2, 1)
    return Network(lambda batch: output, "yolov5", **({"classes": ("cat", "dog")} | meta))


def found(net: Network, photo=PHOTO, **options) -> list[tuple]:
    data = run(YOLO, net, photo, **({"draw": False} | options)).data
    return [(d["label"], d["confidence"], d["box"]) for d in data["detections"]]


def test_rows_with_objectness_become_boxes():
    assert found(network(CAT, DOG)) == [
        ("cat", 0.72, [15.0, 26.0, 10.0, 8.0]),
        ("dog", 0.45, [40.0, 35.0, 20.0, 10.0]),
    ]


def test_columns_without_objectness_become_boxes():
    assert found(network(DOG, CAT, output="yolov5u")) == [
        ("dog", 0.9, [40.0, 35.0, 20.0, 10.0]),
        ("cat", 0.8, [15.0, 26.0, 10.0, 8.0]),
    ]


def test_counts_and_class_numbers():
    data = run(YOLO, network(CAT, DOG, [5, 5, 4, 4, 0.9, 0.9, 0]), PHOTO, draw=False).data

    assert data["counts"] == {"cat": 2, "dog": 1}
    assert [d["class_id"] for d in data["detections"]] == [0, 0, 1]


def test_nothing_found():
    assert run(YOLO, network([9, 9, 4, 4, 0.1, 0.5, 0.5]), PHOTO, draw=False).data == {
        "detections": [],
        "counts": {},
    }
    assert found(network()) == []
    assert run(YOLO, network(), PHOTO).image.shape == PHOTO.shape


def test_confidence_is_the_product_and_a_lower_bound():
    net = network([9, 9, 4, 4, 0.5, 0.5, 0.1], [40, 40, 4, 4, 0.5, 0.52, 0.1])

    assert [c for _, c, _ in found(net, confidence=0.25)] == [0.26, 0.25]
    assert [c for _, c, _ in found(net, confidence=0.255)] == [0.26]


def test_boxes_come_back_onto_the_photo():
    """200 × 100 becomes 64 × 32, 16 pixels from the top."""
    photo = np.zeros((100, 200, 3), np.uint8)

    assert found(network([32, 32, 16, 8, 1, 1, 0]), photo) == [("cat", 1.0, [75.0, 37.5, 50.0, 25.0])]


def test_boxes_are_clipped_and_those_beside_the_photo_left_out():
    photo = np.zeros((100, 200, 3), np.uint8)
    inside_the_padding, half = [32, 8, 10, 10, 1, 1, 0], [0, 32, 16, 8, 1, 0, 1]

    assert found(network(inside_the_padding, half), photo) == [("dog", 1.0, [0.0, 37.5, 25.0, 25.0])]


# --- Suppression: exact cases -------------------------------------------------------------------------

# 10 × 10 boxes moved by 2 and 5 pixels: intersection over union 80/120 = 0.667 and 50/150 = 0.333.
A, B, C = [20, 20, 10, 10, 1, 0.9, 0], [22, 20, 10, 10, 1, 0.8, 0], [25, 20, 10, 10, 1, 0.7, 0]


@pytest.mark.parametrize(
    ("iou", "kept"),
    [(0.3, [0.9]), (0.34, [0.9, 0.7]), (0.54, [0.9, 0.7]), (0.68, [0.9, 0.8, 0.7]), (1, [0.9, 0.8, 0.7])],
)
def test_overlap_above_the_limit_drops_the_less_confident(iou, kept):
    assert [c for _, c, _ in found(network(B, C, A), iou=iou)] == kept


def test_a_box_that_was_dropped_drops_no_others():
    """C overlaps B by 70/130 = 0.54 but A by 0.33 only; B is gone by then."""
    assert [c for _, c, _ in found(network(A, B, C), iou=0.5)] == [0.9, 0.7]


def test_classes_do_not_suppress_each_other_unless_agnostic():
    dog = [20, 20, 10, 10, 1, 0, 0.8]

    assert [label for label, _, _ in found(network(A, dog))] == ["cat", "dog"]
    assert [label for label, _, _ in found(network(A, dog), agnostic=True)] == ["cat"]


def test_equal_boxes_of_equal_confidence_leave_the_first():
    assert len(found(network(A, A, A))) == 1


def test_touching_boxes_both_stay_even_at_zero():
    assert len(found(network(A, [30, 20, 10, 10, 1, 0.8, 0]), iou=0)) == 2


def test_most_detections_are_the_most_confident():
    rows = [[4 + 6 * n, 20, 4, 4, 1, 0.5 + n / 100, 0] for n in range(10)]

    assert [c for _, c, _ in found(network(*rows), max_detections=3)] == [0.59, 0.58, 0.57]


def test_suppression_agrees_with_the_plain_definition():
    rng = np.random.default_rng(1)
    rows = np.concatenate(
        [rng.uniform(5, 60, (400, 2)), rng.uniform(4, 20, (400, 2)), np.ones((400, 1)), rng.random((400, 2))],
        1,
    )
    boxes = _boxes.candidates(rows[None].astype(np.float32), network(CAT).meta, 0.3)

    kept = _boxes.suppressed(boxes, 0.45, False, 1000)

    expected: list[int] = []
    for i in range(len(boxes.boxes)):
        same = [j for j in expected if boxes.classes[j] == boxes.classes[i]]
        if all(_iou(boxes.boxes[i], boxes.boxes[j]) <= 0.45 for j in same):
            expected.append(i)
    assert np.array_equal(kept.boxes, boxes.boxes[expected])
    assert 10 < len(expected) < len(boxes.boxes)


def _iou(a, b) -> float:
    width, height = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    inter = max(0.0, width) * max(0.0, height)
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


def test_no_more_than_so_many_are_compared():
    rows = np.tile(np.array([20, 20, 10, 10, 1, 0.5, 0], np.float32), (_boxes.MAX_CANDIDATES + 50, 1))
    rows[-1, 5] = 0.9

    boxes = _boxes.candidates(rows[None], network(CAT).meta, 0.25)

    assert len(boxes.boxes) == _boxes.MAX_CANDIDATES
    assert boxes.confidence[0] == np.float32(0.9)


# --- Options ------------------------------------------------------------------------------------------


def test_only_the_chosen_classes():
    assert [label for label, _, _ in found(network(CAT, DOG), classes=["dog"])] == ["dog"]
    assert [label for label, _, _ in found(network(CAT, DOG), classes=["dog", "cat"])] == ["cat", "dog"]
    with pytest.raises(BadParams, match="no class called 'horse'") as refused:
        found(network(CAT), classes=["cat", "horse"])
    assert list(refused.value.fields) == ["classes"]


def test_class_without_a_name_is_called_by_its_number():
    assert found(network(DOG, classes=()))[0][0] == "1"


def test_dominant_colour_is_that_of_the_box():
    photo = PHOTO.copy()
    photo[26:34, 15:25] = (255, 0, 0)

    data = run(YOLO, network(CAT, DOG), photo, draw=False, dominant_colour=True).data

    assert [(d["rgb"], d["ryb"]) for d in data["detections"]] == [("red", "red"), ("gray", "gray")]


def test_dominant_colour_under_a_gray_network():
    photo = PHOTO.copy()
    photo[26:34, 15:25] = (255, 0, 0)
    meta = InputMeta(width=64, height=64, channels=1, color="gray", resize="letterbox")

    for draw in (False, True):
        data = run(YOLO, network(CAT, DOG, input=meta), photo, draw=draw, dominant_colour=True).data
        assert [d["rgb"] for d in data["detections"]] == ["red", "gray"]


def test_without_a_picture_less_is_decoded():
    from tests.filters.doubles import ArraySource

    for draw, asked in ((False, ("rgb", 64, 32)), (True, ("rgb", 0, 0))):
        source = ArraySource(np.zeros((100, 200, 3), np.uint8))
        run(YOLO, network(CAT), source, draw=draw)
        assert source.asked == [asked]


def test_drawing_changes_the_border_and_the_label_and_nothing_else():
    photo = np.full((200, 200, 3), 90, np.uint8)
    meta = {"input": InputMeta(width=200, height=200, resize="letterbox")}
    net = network([100, 120, 80, 40, 1, 0.87, 0], **meta)

    plain = run(YOLO, net, photo, draw_labels=False, line_width=2).image
    labelled = run(YOLO, net, photo, line_width=2).image

    assert photo.max() == 90, "the photo itself is left as it is"
    assert tuple(plain[100, 100]) == _draw.colour(0)
    assert np.array_equal(plain[104:136, 64:136], photo[104:136, 64:136])
    assert np.array_equal(plain[:95], photo[:95])
    changed = np.argwhere((labelled != plain).any(axis=2))
    assert changed[:, 0].max() <= 100
    assert len(changed) > 100


@pytest.mark.parametrize("corner", [(0, 0), (199, 0), (0, 199), (199, 199)])
def test_labels_stay_within_the_photo(corner):
    photo = np.zeros((200, 200, 3), np.uint8)
    boxes = [_draw.Drawn([*corner, 1, 1], 3, "a rather long label " * 5)]

    drawn = _draw.draw(photo, boxes, 0, True)

    rows, columns = np.nonzero(drawn.any(axis=2))
    assert (rows.max() - rows.min(), columns.max() - columns.min()) > (10, 100)


def test_label_that_is_larger_than_the_photo():
    assert _draw.draw(np.zeros((5, 5, 3), np.uint8), [_draw.Drawn([1, 1, 2, 2], 0, "label")], 0, True).any()


def test_colours_differ_and_letters_can_be_read():
    colours = [_draw.colour(i) for i in range(80)]

    assert len(set(colours)) == 80
    assert _draw.ink((250, 240, 60)) == 0
    assert _draw.ink((20, 20, 160)) == 255


@pytest.mark.parametrize("shape", [(1, 10), (2, 10, 7), (1, 10, 5), (1, 4, 10, 7)])
def test_output_that_is_none_of_a_detector(shape):
    with pytest.raises(BadWeights, match="none of a yolov5 detector"):
        run(YOLO, Network(lambda batch: np.zeros(shape), "yolov5"), PHOTO)


def test_gray_network_on_a_drawn_photo():
    meta = InputMeta(width=64, height=64, channels=1, color="gray", resize="letterbox")
    net = network(CAT, input=meta)

    result = run(YOLO, net, PHOTO)

    assert net.seen[0].shape == (1, 1, 64, 64)
    assert result.image.shape == PHOTO.shape
