"""The networks: sizes as published, decoding by hand, and descriptions that are refused."""

from __future__ import annotations

import pytest
import torch

from model_images.converter.nets.yolo import Network
from model_images.converter.nets.yolo_config import STANDARD, Unsupported, read
from model_images.converter.nets.yolo_heads import BINS, AnchorHead, DflHead
from model_images.converter.nets.yolo_layers import C3, SPP, SPPF, Focus

MULTIPLES = {"n": (0.33, 0.25), "s": (0.33, 0.5), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25)}
ANCHORS = torch.ones(3, 3, 2)


def described(size: str = "n", **changes) -> dict:
    depth, width = MULTIPLES[size]
    return STANDARD | {"depth_multiple": depth, "width_multiple": width} | changes


def built(config: dict, classes: int = 80, *, anchors: bool = True) -> Network:
    with torch.device("meta"):
        return Network(
            read(config, classes, 0),
            lambda channels: (
                AnchorHead(classes, ANCHORS.to("meta"), channels) if anchors else DflHead(classes, channels)
            ),
        )


def parameters(network: Network) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("size", "anchored", "anchor_free"),
    [
        ("n", 1_872_157, 2_654_816),
        ("s", 7_235_389, 9_153_152),
        ("m", 21_190_557, 25_111_456),
        ("l", 46_563_709, 53_225_024),
        ("x", 86_749_405, 97_276_448),
    ],
)
def test_every_size_has_the_parameters_of_the_original(size, anchored, anchor_free):
    assert parameters(built(described(size))) == anchored
    assert parameters(built(described(size), anchors=False)) == anchor_free
    assert read(described(size), 80, 0).size == size


def test_strides_are_found_by_shape():
    assert built(described()).strides() == [8, 16, 32]


def test_anchor_head_decodes_as_published():
    """One level of 2 × 2 cells at stride 8, one anchor of 2 × 3 cells, one class; sigmoid(0) is one half."""
    head = AnchorHead(1, torch.tensor([[[2.0, 3.0]]]), [4]).eval()
    head.strides = (8,)
    raw = torch.zeros(1, 1, 2, 2, 6)
    raw[0, 0, 1, 0] = torch.tensor([100.0, -100.0, 100.0, -100.0, 100.0, 0.0])

    boxes = head.decode([raw])

    assert boxes.shape == (1, 4, 6)
    # Sigmoid one half: the cell's middle, and just the anchor.
    assert boxes[0, 0].tolist() == [4.0, 4.0, 16.0, 24.0, 0.5, 0.5]
    assert boxes[0, 3].tolist() == [12.0, 12.0, 16.0, 24.0, 0.5, 0.5]
    # Row 1, column 0; sigmoids one, zero, one, zero: x = 1.5 cells, y = 0.5, 4 × the anchor's width, flat.
    assert boxes[0, 2].tolist() == pytest.approx([12.0, 4.0, 64.0, 0.0, 1.0, 0.5])


def test_anchor_free_head_takes_distances_from_the_cells_middle():
    head = DflHead(1, [64]).eval()
    head.strides = (8,)
    raw, scores = torch.zeros(1, 4 * BINS, 2, 2), torch.zeros(1, 1, 2, 2)
    for side, cells in enumerate((1, 2, 3, 4)):  # left, top, right, bottom
        raw[0, side * BINS + cells, 0, 1] = 100.0

    boxes = head.decode([(raw, scores)])

    assert boxes.shape == (1, 5, 4)
    # Cell at row 0, column 1: its middle is (1.5, 0.5) cells, so the box is (0.5, -1.5) to (4.5, 4.5).
    assert boxes[0, :, 1].tolist() == pytest.approx([2.5 * 8, 1.5 * 8, 4 * 8, 6 * 8, 0.5])
    # A flat softmax is the mean of 0 … 15 on every side.
    assert boxes[0, :, 0].tolist() == pytest.approx([4.0, 4.0, 15 * 8, 15 * 8, 0.5])


def test_both_pyramids_are_the_same_function():
    old, new = SPP(8, 8).eval(), SPPF(8, 8).eval()
    new.load_state_dict(old.state_dict())
    x = torch.randn(1, 8, 20, 20, generator=torch.Generator().manual_seed(1))

    assert torch.equal(old(x), new(x))


def test_stem_of_old_versions_loses_no_pixel():
    x = torch.arange(3 * 4 * 4.0).reshape(1, 3, 4, 4)
    seen = []
    focus = Focus(3, 8)
    focus.conv = torch.nn.Identity()
    seen = focus(x)

    assert seen.shape == (1, 12, 2, 2)
    assert sorted(seen.flatten().tolist()) == sorted(x.flatten().tolist())
    assert seen[0, :3, 0, 0].tolist() == x[0, :, 0, 0].tolist()
    assert seen[0, 3:6, 0, 0].tolist() == x[0, :, 1, 0].tolist()  # rows move first


def test_shortcut_is_off_where_the_description_says_so():
    assert C3(8, 8).m[0].add
    assert not C3(8, 8, 1, False).m[0].add


def test_older_stem_and_pyramid_are_built():
    backbone = [[-1, 1, "Focus", [64, 3]], *STANDARD["backbone"][1:9], [-1, 1, "SPP", [1024, [5, 9, 13]]]]
    network = built(described(backbone=backbone))

    assert network.strides() == [8, 16, 32]
    assert "model.0.conv.conv.weight" in network.state_dict()


def replaced(index: int, row: object) -> dict:
    backbone = list(STANDARD["backbone"])
    backbone[index] = row
    return described(backbone=backbone)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "backbone is not a list"),
        (described(depth_multiple=1e9), "multiple 1e"),
        (described(width_multiple="2"), "two numbers"),
        (described(width_multiple=float("nan")), "multiple"),
        (described(backbone=[[-1, 1, "Conv", [64, 6, 2, 2]]] * 500), "layers"),
        (described(head=STANDARD["head"][:-1]), "not Detect"),
        (described(head=[*STANDARD["head"], [-1, 1, "Conv", [8]]]), "not the last layer"),
        (replaced(0, [-1, 1, "Conv", [10**9]]), "channels of layer 0"),
        (replaced(0, [-1, 10**9, "Conv", [64]]), "number of layer 0"),
        (replaced(0, [5, 1, "Conv", [64]]), "not before it"),
        (replaced(1, [-3, 1, "Conv", [64]]), "not before it"),
        (replaced(1, ["__import__('os')", 1, "Conv", [64]]), "takes its input from"),
        (replaced(1, [-1, 1, "__import__('os').system", ["true"]]), "channels of layer 1"),
        (replaced(1, [-1, 1, "Transformer", [64]]), "is a Transformer"),
        (replaced(1, [-1, 1, "Conv", [64, "open('x')"]]), "has arguments"),
        (replaced(1, [-1, 1, "Conv", [64, 3, 0]]), "has arguments"),
        (replaced(1, [-1, 1, "Conv", [64, 1, 2, 3, 4, 5]]), "has arguments"),
        (replaced(1, [-1, 1, "Conv", []]), "no channels"),
        (replaced(1, [-1, 1, "Conv"]), "is not \\[from"),
        (replaced(1, None), "layer 1 is not a list"),
        (replaced(1, [-1, 1, "nn.Upsample", [None, 2, "bicubic"]]), "doubling"),
        (replaced(1, [-1, 1, "SPP", [64, 7]]), "has arguments"),
    ],
)
def test_description_that_is_not_of_this_kind_is_refused_with_its_reason(config, reason):
    with pytest.raises(Unsupported, match=reason):
        built(config)
