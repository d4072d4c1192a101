"""The command line, as the platform calls it: one process a step, one JSON object at the end."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from tests.converter import models
from tests.converter.command import run


def test_onnx_file_becomes_weights_with_a_card(tmp_path):
    upload = models.save(models.classifier(classes=3), tmp_path / "upload.onnx")
    out = tmp_path / "out"
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(["cat", "dog", "bird"]))

    arguments = ["--upload", upload, "--name", "a.onnx", "--family", "classifier", "--labels", labels]
    converted = run("convert", out, *arguments)
    checked = run("check", out)
    measured = run("measure", out)

    assert (converted["status"], converted["kind"]) == ("ok", "onnx")
    assert (checked["status"], checked["task"], checked["classes"]) == ("ok", "classification", 3)
    card = json.loads((out / "card.json").read_text())
    assert measured["sha256"] == card["sha256"] == sha256((out / "weights.onnx").read_bytes()).hexdigest()
    assert card["classes"] == ["cat", "dog", "bird"]
    assert card["bytes"] == (out / "weights.onnx").stat().st_size
    assert set(card["latency_ms"]) == {"1", "2"}
    results = {entry["check"]: entry["result"] for entry in card["scan"]}
    assert results.pop("preparation") == "assumed"
    assert set(results.values()) == {"ok"}


def test_refusal_says_why_and_leaves_no_weights(tmp_path):
    upload = tmp_path / "upload.onnx"
    upload.write_bytes(b"hello" * 100)
    out = tmp_path / "out"

    answer = run("convert", out, "--upload", upload, "--family", "gan")

    assert (answer["status"], answer["code"]) == ("rejected", "unsupported_type")
    assert list(out.iterdir()) == []


def test_checkpoint_is_converted_behind_the_sandbox(tmp_path):
    """With a real architecture: what torch loads late must be there before the process locks itself in."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    layers = [
        *(nn.ConvTranspose2d(8, 16, 4, 1, 0, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.ConvTranspose2d(8, 3, 4, 2, 1, bias=False), nn.Tanh()),
    ]
    state = {f"main.{name}": tensor for name, tensor in nn.Sequential(*layers).state_dict().items()}
    upload, out = tmp_path / "upload.pt", tmp_path / "out"
    torch.save(state, upload)

    converted = run("convert", out, "--upload", upload, "--family", "gan")
    checked = run("check", out)
    measured = run("measure", out)

    assert converted["architecture"].startswith("dcgan")
    assert converted["compared"]["max_difference"] < 1e-4
    assert (checked["task"], measured["status"]) == ("noise_to_image", "ok")
    assert {path.name for path in out.iterdir()} == {
        *("converted.onnx", "convert.json", "weights.onnx", "check.json", "card.json", "samples")
    }
