"""Each family from photo to answer against torch: a small module, exported here, run by both."""

from __future__ import annotations

import io
import json

import numpy as np
import onnx
import pytest

from model_images.runtime import tensors
from model_images.runtime.contract import Context
from model_images.runtime.imageio import open_source
from model_images.runtime.metadata import KEY, InputMeta, WeightsMeta
from model_images.runtime.registry import processors
from model_images.runtime.sessions import SessionCache
from tests import weights
from tests.runtime import pictures

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the exporter; a warning that raises breaks its tracing
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(5)


def loaded(tmp_path, module, shape, meta: WeightsMeta, dynamic=(0, 2, 3)):
    """`module`, exported with the metadata and loaded as the runtime does."""
    buffer = io.BytesIO()
    torch.onnx.export(
        module.eval(),
        torch.zeros(shape),
        buffer,
        input_names=["images"],
        output_names=["output"],
        dynamic_axes={"images": {axis: f"axis{axis}" for axis in dynamic}},
        dynamo=False,
    )
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, {KEY: json.dumps(meta.model_dump())})
    sha256 = weights.keep(tmp_path, model.SerializeToString())
    return SessionCache(10**9).get(tmp_path, sha256, meta.family)


def answer(name, session, photo: bytes, **options):
    processor = processors()[name]
    return processor.process(open_source(photo), processor.Params(**options), Context(weights=session))


def photo_tensor(photo: bytes, size: tuple[int, int], mean=(0, 0, 0), std=(1, 1, 1)):
    pixels = tensors.resized(open_source(photo).rgb(*size), *size)
    batch = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float()[None] / 255
    return (batch - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)


def test_classifier(tmp_path):
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.BatchNorm2d(8), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 7),
    ).eval()  # fmt: skip
    module[1].running_mean.uniform_(-1, 1)
    meta = WeightsMeta(
        family="classifier",
        task="classification",
        input=InputMeta(width=32, height=24, mean=MEAN, std=STD),
        output="logits",
    )
    photo = pictures.jpeg(pictures.gradient(100, 80))

    data = answer("classifier", loaded(tmp_path, module, (1, 3, 24, 32), meta, (0,)), photo).data

    with torch.no_grad():
        expected = module(photo_tensor(photo, (32, 24), MEAN, STD)).softmax(1)[0].numpy()
    assert np.abs(np.array(data["probs"]) - expected).max() < 1e-4
    assert data["predicted_id"] == int(expected.argmax())


def test_image_to_image(tmp_path):
    module = torch.nn.Sequential(
        torch.nn.ReflectionPad2d(1), torch.nn.Conv2d(3, 8, 3), torch.nn.InstanceNorm2d(8), torch.nn.ReLU(),
        torch.nn.ReflectionPad2d(1), torch.nn.Conv2d(8, 3, 3), torch.nn.Tanh(),
    )  # fmt: skip
    half = (0.5, 0.5, 0.5)
    meta = WeightsMeta(
        family="gan",
        task="image_to_image",
        input=InputMeta(resize="native", mean=half, std=half),
        output="image",
        low=-1.0,
    )
    photo = pictures.png(pictures.gradient(61, 47))

    image = answer("gan", loaded(tmp_path, module, (1, 3, 32, 32), meta), photo).image

    with torch.no_grad():
        expected = (module(photo_tensor(photo, (61, 47), half, half))[0] + 1) * 127.5
    expected = expected.round().clamp(0, 255).permute(1, 2, 0).numpy()
    assert image.shape == (47, 61, 3)
    assert np.abs(image - expected).max() <= 1


def test_detector(tmp_path):
    """A grid of 4 × 4 cells, three anchors each, decoded as YOLOv5 does it."""

    class Head(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.Conv2d(3, 3 * 7, 16, 16)
            y, x = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
            self.register_buffer("grid", torch.stack([x, y], 2).view(1, 1, 4, 4, 2))
            self.register_buffer("anchors", torch.tensor([[8.0, 8], [20, 14], [30, 30]]).view(1, 3, 1, 1, 2))

        def forward(self, images):
            raw = self.body(images).view(-1, 3, 7, 4, 4).permute(0, 1, 3, 4, 2).sigmoid()
            centre = (raw[..., :2] * 2 - 0.5 + self.grid) * 16
            size = (raw[..., 2:4] * 2) ** 2 * self.anchors
            return torch.cat([centre, size, raw[..., 4:]], 4).view(-1, 48, 7)

    module = Head().eval()
    meta = WeightsMeta(
        family="yolov5",
        task="detection",
        input=InputMeta(width=64, height=64, resize="letterbox"),
        output="yolov5",
        classes=("cat", "dog"),
    )
    photo = pictures.png(pictures.noise(64, 64))
    session = loaded(tmp_path, module, (1, 3, 64, 64), meta, (0,))

    data = answer("yolov5", session, photo, confidence=0.2, iou=1, max_detections=1000, draw=False).data

    with torch.no_grad():
        rows = module(photo_tensor(photo, (64, 64)))[0]
    confidence, classes = (rows[:, 5:] * rows[:, 4:5]).max(1)
    expected = []
    for row, score, class_id in zip(rows, confidence, classes, strict=True):
        x1, y1 = ((row[:2] - row[2:4] / 2).clamp(0, 64)).tolist()
        x2, y2 = ((row[:2] + row[2:4] / 2).clamp(0, 64)).tolist()
        if score >= 0.2 and x2 - x1 >= 0.5 and y2 - y1 >= 0.5:
            expected.append([score.item(), class_id.item(), x1, y1, x2 - x1, y2 - y1])
    expected.sort(key=lambda entry: -entry[0])
    made = [[d["confidence"], d["class_id"], *d["box"]] for d in data["detections"]]
    assert 5 < len(made) == len(expected)
    assert np.abs(np.array(made) - np.array(expected)).max() < 0.02
