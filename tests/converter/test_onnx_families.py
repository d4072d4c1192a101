"""ONNX files of every family: what is found out about them from shapes, metadata and a first answer."""

from __future__ import annotations

import json

import numpy as np
import pytest
from onnx import helper

from model_images.runtime.metadata import KEY, InputMeta, WeightsMeta
from tests.converter import models
from tests.converter.checks import check, refusal

NAMES = str({0: "cat", 1: "dog"})


def test_detector_with_anchors(tmp_path):
    made = models.detector(names=NAMES, stride="32", license="AGPL-3.0", task="detect")

    meta = check(tmp_path, made, "yolov5")

    assert (meta.task, meta.output, meta.classes, meta.stride) == ("detection", "yolov5", ("cat", "dog"), 32)
    assert (meta.input.resize, meta.input.width, meta.input.height) == ("letterbox", 64, 64)
    assert meta.license == "AGPL-3.0"


def test_detector_without_anchors(tmp_path):
    meta = check(tmp_path, models.detector(anchors=0, side=128, names=NAMES), "yolov5")

    assert (meta.output, len(meta.classes)) == ("yolov5u", 2)


def test_sellers_labels_come_before_those_in_the_file(tmp_path):
    meta = check(tmp_path, models.detector(names=NAMES), "yolov5", ["Katze", "Hund"])

    assert meta.classes == ("Katze", "Hund")


def test_photo_generator_of_free_size(tmp_path):
    meta = check(tmp_path, models.generator(tanh=True), "gan")

    assert (meta.task, meta.output, meta.low, meta.high) == ("image_to_image", "image", -1.0, 1.0)
    assert (meta.input.resize, meta.input.mean, meta.input.std) == ("native", (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize("factor", [2, 4])
def test_enlarging_generator(tmp_path, factor):
    meta = check(tmp_path, models.generator(factor=factor, side=64), "gan")

    assert (meta.task, meta.upscale, meta.low, meta.input.width) == ("super_resolution", factor, 0.0, 64)


@pytest.mark.parametrize("rank", [2, 4])
def test_generator_from_noise(tmp_path, rank):
    meta = check(tmp_path, models.dcgan(rank=rank), "gan")

    assert (meta.task, meta.input.latent, meta.low) == ("noise_to_image", 16, -1.0)


def test_classifier_takes_the_usual_normalisation(tmp_path):
    meta = check(tmp_path, models.classifier(size="side"), "classifier", ["a", "b", "c"])

    assert (meta.output, meta.classes) == ("logits", ("a", "b", "c"))
    assert (meta.input.width, meta.input.resize, meta.input.resize_to) == (224, "crop", 256)
    assert meta.input.mean == (0.485, 0.456, 0.406)


def assumed(folder) -> list[str]:
    scan = json.loads((folder / "check.json").read_text())["scan"]
    return [entry["detail"] for entry in scan if entry["result"] == "assumed"]


def test_what_was_assumed_of_a_plain_file_is_told(tmp_path):
    check(tmp_path / "plain", models.classifier(), "classifier", ["a", "b", "c"])
    (told,) = assumed(tmp_path / "plain")
    assert "minus the mean 0.485, 0.456, 0.406, divided by 0.229, 0.224, 0.225" in told

    own = WeightsMeta(
        family="classifier", task="classification", output="logits", classes=("a", "b", "c"),
        input=InputMeta(width=32, height=32),
    )  # fmt: skip
    check(tmp_path / "own", models.classifier(**{KEY: own.model_dump_json()}), "classifier")
    check(tmp_path / "boxes", models.detector(names=NAMES), "yolov5")
    assert assumed(tmp_path / "own") == assumed(tmp_path / "boxes") == []


def test_classifier_that_ends_in_softmax_gives_probabilities(tmp_path):
    meta = check(tmp_path, models.classifier(softmax=True, names=str(["a", "b", "c"])), "classifier")

    assert meta.output == "probabilities"


def test_file_may_say_itself_how_it_is_fed(tmp_path):
    own = WeightsMeta(
        family="classifier", task="classification", output="logits", classes=("a", "b", "c"),
        input=InputMeta(width=32, height=32, scale=1.0), quality={"accuracy": 0.5},
    )  # fmt: skip

    assert check(tmp_path, models.classifier(**{KEY: own.model_dump_json()}), "classifier") == own


def test_own_words_must_fit_the_network(tmp_path):
    own = WeightsMeta(
        family="classifier", task="classification", output="logits", classes=("a",),
        input=InputMeta(width=32, height=32),
    )  # fmt: skip
    made = models.classifier(**{KEY: own.model_dump_json()})

    assert refusal(tmp_path, made).code == "wrong_output"
    assert refusal(tmp_path, made, "gan").code == "wrong_family"


def test_documentation_strings_are_dropped(tmp_path):
    """Exporters write stack traces into them, with the seller's paths."""
    made = models.classifier()
    made.graph.node[0].doc_string = "/home/someone/secret/train.py"

    check(tmp_path, made, "classifier", ["a", "b", "c"])

    assert b"someone" not in (tmp_path / "weights.onnx").read_bytes()


@pytest.mark.parametrize(
    ("made", "family", "labels", "code"),
    [
        (models.classifier(), "classifier", None, "labels_needed"),
        (models.classifier(), "classifier", ["a"], "labels_mismatch"),
        (models.detector(), "yolov5", None, "labels_needed"),
        (models.detector(names=NAMES, task="segment"), "yolov5", None, "wrong_task"),
        (models.classifier(), "yolov5", None, "wrong_output"),
        (models.classifier(), "gan", None, "wrong_output"),
        (models.generator(), "classifier", ["a"], "wrong_output"),
        (models.generator(), "yolov5", None, "wrong_output"),
        (models.dcgan(), "classifier", ["a"], "wrong_input"),
        (models.classifier(**{KEY: "{}"}), "classifier", ["a", "b", "c"], "bad_metadata"),
        (models.classifier(**{KEY: "[" * 100_000}), "classifier", ["a", "b", "c"], "bad_metadata"),
        (models.classifier(names="(" * 100_000), "classifier", None, "labels_needed"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, made, family, labels, code):
    assert refusal(tmp_path, made, family, labels).code == code


def test_detector_of_free_size_must_take_a_photo_that_is_not_square(tmp_path):
    free = models.detector(side=64, names=NAMES, imgsz="[96, 96]", stride="32")
    for axis in (2, 3):
        free.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"side{axis}"

    meta = check(tmp_path / "any", free, "yolov5")

    assert (meta.input.width, meta.input.resize_to, meta.input.multiple) == (None, 96, 32)

    boxes = 3 * (12 * 12 + 6 * 6 + 3 * 3)  # as if the grid were that of 96 × 96
    free.graph.initializer.append(models.constant("grid", np.zeros((1, boxes, 1), np.float32)))
    last = free.graph.node[-1]
    last.output[0] = "loose"
    free.graph.node.append(helper.make_node("Add", ["loose", "grid"], ["output0"]))
    assert refusal(tmp_path / "square", free, "yolov5").code == "not_runnable"
