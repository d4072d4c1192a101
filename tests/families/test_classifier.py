"""The classifier: probabilities and names out of known outputs."""

from __future__ import annotations

import numpy as np
import pytest

from model_images.classifier.classifier import Classifier
from model_images.runtime.contract import BadWeights
from model_images.runtime.metadata import InputMeta
from tests.families.doubles import Network, run

CLASSIFIER = Classifier()
PHOTO = np.full((10, 20, 3), (0, 200, 0), np.uint8)


def network(values, **meta) -> Network:
    given = {"classes": ("a", "b", "c"), "architecture": "resnet18", "input": InputMeta(width=8, height=8)}
    return Network(lambda batch: np.array([values]), "classifier", **(given | meta))


def test_softmax_of_logits():
    data = run(CLASSIFIER, network([1.0, 3.0, 2.0]), PHOTO, top_k=2).data

    total = np.exp(-2) + 1 + np.exp(-1)
    expected = [round(float(v / total), 6) for v in (np.exp(-2), 1, np.exp(-1))]
    assert data == {
        "probs": expected,
        "best_prob": expected[1],
        "predicted_id": 1,
        "predicted_class": "b",
        "predictor_name": "resnet18",
        "top": [
            {"label": "b", "class_id": 1, "confidence": expected[1]},
            {"label": "c", "class_id": 2, "confidence": expected[2]},
        ],
        "classes": [{"label": "b", "class_id": 1, "confidence": expected[1]}],
    }


def test_probabilities_are_taken_as_they_are():
    data = run(CLASSIFIER, network([0.2, 0.5, 0.3], output="probabilities"), PHOTO).data

    assert data["probs"] == [0.2, 0.5, 0.3]


def test_large_logits_do_not_overflow():
    assert run(CLASSIFIER, network([1e4, -1e4, 0]), PHOTO).data["probs"] == [1, 0, 0]


def test_first_of_equals_wins_and_top_is_no_longer_than_there_are_classes():
    data = run(CLASSIFIER, network([0, 0, 0]), PHOTO, top_k=100).data

    assert data["predicted_class"] == "a"
    assert [entry["label"] for entry in data["top"]] == ["a", "b", "c"]


def test_classes_without_names_and_networks_without():
    data = run(CLASSIFIER, network([0, 0, 9], classes=(), architecture=""), PHOTO).data

    assert (data["predicted_class"], data["predictor_name"]) == ("2", "classifier")


def test_dominant_colour():
    data = run(CLASSIFIER, network([0, 0, 9]), PHOTO, dominant_colour=True).data

    assert (data["classes"][0]["rgb"], data["classes"][0]["ryb"]) == ("green", "green")
    assert "rgb" not in data["top"][0]


def test_dominant_colour_is_that_of_the_part_in_sight_even_under_a_gray_network():
    photo = np.full((10, 40, 3), (0, 0, 250), np.uint8)
    photo[:, 15:25] = (250, 0, 0)
    meta = InputMeta(width=8, height=8, resize="crop", resize_to=8, channels=1, color="gray")

    data = run(CLASSIFIER, network([0, 0, 9], input=meta), photo, dominant_colour=True).data

    assert data["classes"][0]["rgb"] == "red"


def test_outputs_of_other_shapes():
    assert run(CLASSIFIER, Network(lambda b: np.ones((1, 3, 1, 1)), "classifier"), PHOTO).data["probs"]
    for shape in ((2, 3), (1, 0)):
        with pytest.raises(BadWeights, match="no list of classes"):
            run(CLASSIFIER, Network(lambda b, s=shape: np.ones(s), "classifier"), PHOTO)
