"""The card and the samples of each family, made by the processors that serve it."""

from __future__ import annotations

import json

import pytest

from model_images.converter import measuring
from model_images.runtime.imageio import read_header
from tests.converter import models
from tests.converter.checks import check


@pytest.mark.parametrize(
    ("made", "family", "labels", "parameters", "assumes"),
    [
        (models.detector(side=64), "yolov5", ["a", "b"], 3 * 3 * 7 * 3 + 7, False),
        (models.generator(factor=2), "gan", None, 3 * 3 + 4, True),
        (models.dcgan(), "gan", None, 16 * 3 * 8 * 8, False),
        (models.classifier(), "classifier", ["a", "b", "c"], 9, True),
    ],
    ids=["detector", "enlarger", "noise", "classifier"],
)
def test_card_tells_what_was_measured(tmp_path, monkeypatch, made, family, labels, parameters, assumes):
    monkeypatch.setattr(measuring, "RUNS", 3)
    check(tmp_path, made, family, labels)

    measuring.measure(tmp_path)

    card = json.loads((tmp_path / "card.json").read_text())
    assert (card["family"], card["opset"], card["classes"]) == (family, 17, labels or [])
    assert card["parameters"] == parameters
    assert card["latency_ms"]["1"] > 0
    assert card["latency_ms"]["2"] > 0
    checks = ["operators", "files", "structure", "shapes", "trial run"]
    assert [entry["check"] for entry in card["scan"] if entry["result"] == "ok"] == checks
    # A plain file does not say how its photos are prepared; a detector's layout leaves no
    # choice, and noise is no photo.
    assumed = [entry["check"] for entry in card["scan"] if entry["result"] == "assumed"]
    assert assumed == (["preparation"] if assumes else [])
    assert len(card["scan"]) == len(checks) + len(assumed)
    assert len(card["samples"]) == 3
    for sample in card["samples"]:
        assert read_header((tmp_path / sample["file"]).read_bytes()).format == "jpeg"
