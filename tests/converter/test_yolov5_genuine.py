"""Checkpoints that the original packages made, against what the originals answer.

`make genuine` puts PyPI's `yolov5` (the original repository's code) and `ultralytics` into a folder of
their own: they are under the GPL and the AGPL, so the product neither has nor imports them. 14 MB, some ten
seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from model_images.converter import loading, registry
from model_images.converter.architecture import Built, Checkpoint
from tests.converter.command import run

PACKAGES = Path(os.environ.get("GENUINE_PACKAGES") or Path(sys.prefix) / "genuine")
MAKER = Path(__file__).parent / "genuine" / "make_checkpoint.py"

pytestmark = pytest.mark.skipif(
    not PACKAGES.is_dir(), reason="the original packages are not installed: make genuine"
)


@dataclass(frozen=True)
class Genuine:
    path: Path
    image: np.ndarray
    output: np.ndarray
    checkpoint: Checkpoint
    built: Built


def made(origin: str, folder: Path) -> Path:
    done = subprocess.run(
        [sys.executable, str(MAKER), origin, str(folder)],
        env={
            **os.environ,
            "PYTHONPATH": str(PACKAGES),
            "YOLO_CONFIG_DIR": str(folder),
            "OMP_NUM_THREADS": "1",
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "checkpoint.pt"


@pytest.fixture(scope="module")
def genuine(request, tmp_path_factory) -> Genuine:
    folder = tmp_path_factory.mktemp(request.param)
    path = made(request.param, folder)
    checkpoint = loading.load(path, "torch_zip")
    architecture = registry.find(checkpoint, "yolov5")
    image, output = np.load(folder / "image.npy"), np.load(folder / "output.npy")
    return Genuine(path, image, output, checkpoint, architecture.build(checkpoint, None))


@pytest.mark.parametrize(
    "genuine", ["yolov5-v6", "yolov5-v7", "yolov5-p6", "yolov5-leaky", "yolov5u"], indirect=True
)
def test_our_network_answers_as_the_original(genuine):
    with torch.no_grad():
        answer = genuine.built.module(torch.from_numpy(genuine.image)).numpy()

    assert answer.shape == genuine.output.shape
    # Measured: 0 for the original's, less than 1e-3 px for YOLOv5u, whose box arithmetic has another order.
    assert np.abs(answer - genuine.output).max() <= 1e-3
    assert genuine.output.std() > 1


@pytest.mark.parametrize("genuine", ["yolov5-v7", "yolov5u"], indirect=True)
def test_names_size_and_stride_are_kept(genuine):
    meta = genuine.built.meta

    assert meta.classes == ("bolt", "nut", "washer")
    assert (meta.input.resize_to, meta.input.multiple, meta.stride) == (128, 32, 32)
    assert meta.output == ("yolov5u" if genuine.checkpoint.origin == "ultralytics" else "yolov5")


@pytest.mark.parametrize("genuine", ["yolov5-v7", "yolov5u"], indirect=True)
def test_command_line_converts_it(genuine, tmp_path):
    """In the locked-in process, from the file to ONNX, which answers as the original did."""
    convert = ["--upload", genuine.path, "--name", "best.pt", "--family", "yolov5"]
    answers = [run("convert", tmp_path, *convert), run("check", tmp_path)]

    assert [answer["status"] for answer in answers] == ["ok", "ok"], answers
    session = ort.InferenceSession(tmp_path / "weights.onnx", providers=["CPUExecutionProvider"])
    (output,) = session.run(["output"], {"images": genuine.image})
    np.testing.assert_allclose(output, genuine.output, atol=0.02, rtol=1e-3)
