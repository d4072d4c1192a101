"""The sample detector's training: its pictures, its loss, its measure. Numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model_images.converter.training import average_precision as ap
from model_images.converter.training import shapes
from model_images.converter.training.yolo_loss import assign, ciou
from model_images.yolov5 import train_sample


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads of torch a test, and a test a core, wait for each other more than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_boxes_lie_tightly_around_their_shapes(monkeypatch):
    """On a flat photo, without camera effects, what differs from it is the shapes."""
    monkeypatch.setattr(shapes, "_develop", lambda rng, picture: picture)
    monkeypatch.setattr(shapes, "_distract", lambda rng, picture: None)
    rng = np.random.default_rng(4)
    flat = np.full((200, 200, 3), 120, np.uint8)
    seen = 0
    for _ in range(60):
        picture, found = shapes.drawn(rng, [flat], 192)
        if len(found) != 1:
            continue
        seen += 1
        rows, columns = np.nonzero((picture != picture[0, 0]).any(2))
        left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
        _, x, y, width, height = found[0]
        box = (x - width / 2, x + width / 2, y - height / 2, y + height / 2)
        # Lines have pointed or round corners and soft edges: a pixel or two, more on thick lines.
        assert np.abs(np.subtract(box, (left, right, top, bottom))).max() < 2 + 0.06 * max(width, height)
    assert seen >= 5


def test_pictures_are_the_same_for_the_same_seed_and_hold_every_class():
    photo = np.random.default_rng(1).integers(0, 255, (220, 240, 3), dtype=np.uint8)
    first = [shapes.drawn(np.random.default_rng(seed), [photo], 64) for seed in range(30)]
    second = [shapes.drawn(np.random.default_rng(seed), [photo], 64) for seed in range(30)]

    assert all(
        np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(first, second, strict=True)
    )
    assert {int(row[0]) for _, found in first for row in found} == set(range(len(shapes.CLASSES)))


def test_held_out_photos_are_none_of_those_trained_on():
    learnt, held_out = shapes.demo_photos()

    assert (len(learnt), len(held_out)) == (7, 3)
    assert not any(np.array_equal(a, b) for a in learnt for b in held_out)


def test_ciou_by_hand():
    box = torch.tensor([[10.0, 10.0, 4.0, 4.0]])

    assert ciou(box, box).item() == pytest.approx(1, abs=1e-5)
    # Same shape, moved by its own width: IoU 0; squared distance 16 over the diagonal of 8 × 4, which is 80.
    assert ciou(box, box + torch.tensor([[4.0, 0, 0, 0]])).item() == pytest.approx(-16 / 80, abs=1e-5)
    # Same centre, twice as wide: IoU 1/2; aspect v = 4/π² (atan 2 - atan 1)², weighted by v / (1/2 + v).
    v = 4 / np.pi**2 * (np.arctan(2) - np.arctan(1)) ** 2
    wide = torch.tensor([[10.0, 10.0, 8.0, 4.0]])
    assert ciou(box, wide).item() == pytest.approx(0.5 - v * v / (0.5 + v), abs=1e-5)


def test_shape_is_learnt_by_fitting_anchors_in_three_cells():
    anchors = torch.tensor([[2.0, 2.0], [40.0, 40.0]])  # the second is 13 times as large: no match
    target = torch.tensor(
        [[0.0, 1.0, 5.3, 2.8, 3.0, 3.0]]
    )  # centre in column 5, row 2; nearest: left and below

    at = assign(target, anchors, 8, 8)

    cells = sorted(zip(at.column.tolist(), at.row.tolist(), strict=True))
    assert cells == [(4, 2), (5, 2), (5, 3)]
    assert set(at.anchor.tolist()) == {0}
    own = at.box[at.column.tolist().index(5)]
    assert own.tolist() == pytest.approx([0.3, 0.8, 3.0, 3.0], abs=1e-5)


def test_neighbours_beyond_the_edge_are_not_used():
    at = assign(torch.tensor([[0.0, 0.0, 0.2, 7.9, 1.0, 1.0]]), torch.tensor([[1.0, 1.0]]), 8, 8)

    assert list(zip(at.column.tolist(), at.row.tolist(), strict=True)) == [(0, 7)]


def test_average_precision_by_hand():
    """Four found, surest first: hit, miss, hit, hit; of four truths. Precision 1, 1/2, 2/3, 3/4 at recalls
    1/4, 1/4, 1/2, 3/4; the best at that recall or higher: 1 up to 0.25 (26 of 101 levels), 3/4 up to 0.75 (50
    levels), then 0."""
    confidence = np.array([0.6, 0.9, 0.8, 0.7])
    correct = np.array([True, True, False, True])

    assert ap.average_precision(confidence, correct, 4) == pytest.approx((26 * 1 + 50 * 0.75) / 101)
    assert ap.average_precision(np.zeros(0), np.zeros(0, bool), 2) == 0
    assert np.isnan(ap.average_precision(np.zeros(0), np.zeros(0, bool), 0))


def test_map_counts_each_truth_once_and_by_overlap():
    truth = [np.array([[0, 0, 10, 10, 0.0]]), np.array([[0, 0, 10, 10, 1.0]])]
    found = [
        np.array([[0, 0, 10, 10, 0.9, 0], [0, 0, 10, 9, 0.8, 0]]),  # the second hits what is taken
        np.array([[0, 0, 10, 7, 0.9, 1]]),  # IoU 0.7
    ]

    scores = ap.mean_average_precision(found, truth, 3)

    assert scores[0.5] == scores[0.7] == 1.0
    assert scores[0.75] == scores[0.95] == 0.5
    assert len(scores) == 10


def test_a_few_steps_on_the_same_pictures_lower_the_loss(monkeypatch):
    learnt, _ = shapes.demo_photos()
    images, targets = train_sample.batch(learnt, (1, 2), 4)
    monkeypatch.setattr(train_sample, "batch", lambda *_, **how: (images, targets))

    net, losses = train_sample.train([], [train_sample.Cycle(20, 4e-3, False)])

    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    assert not net.training
