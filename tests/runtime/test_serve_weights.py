"""Previews with weights: a real server, asked over HTTP."""

from __future__ import annotations

import base64
import io
import os
import signal
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from PIL import Image

from tests import weights
from tests.runtime import pictures
from tests.runtime.conftest import until
from tests.runtime.test_node import parents
from tests.runtime.test_serve import Server, ask, refusal

PHOTO = pictures.png()
CAT = [32, 32, 20, 10, 0.9, 0.8, 0.1]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("data"), "--slots", "1", WEIGHTS_MEMORY="100000")
    yield server
    server.end()


@pytest.fixture(scope="module")
def client(server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def detector(server) -> str:
    return weights.keep(server.data_dir, weights.detector([CAT]))


@pytest.fixture(scope="module")
def classifier(server) -> str:
    return weights.keep(server.data_dir, weights.classifier())


def classify(client, sha256, photo=PHOTO, **fields):
    fields = {"params": "{}", "accept": "application/json"} | fields
    return ask(client, photo=photo, name="classify", weights=sha256, **fields)


def test_detect_answers_with_the_drawn_photo_or_json(client, detector):
    photo = pictures.png(np.zeros((64, 64, 3), np.uint8))
    drawn = ask(client, photo=photo, name="detect", params="{}", weights=detector)
    data = ask(client, photo=photo, name="detect", params="{}", weights=detector, accept="application/json")

    assert drawn.headers["content-type"] == "image/jpeg"
    assert np.asarray(Image.open(io.BytesIO(drawn.content))).max() > 200
    assert data.json()["data"] == {
        "detections": [{"label": "cat", "class_id": 0, "confidence": 0.72, "box": [22.0, 27.0, 20.0, 10.0]}],
        "counts": {"cat": 1},
    }


def test_detect_to_json_and_to_img_answer_json_whatever_is_accepted(client, detector):
    plain = ask(client, name="detect-to-json", params='{"draw": true}', weights=detector).json()
    drawn = ask(client, name="detect-to-img", params="{}", weights=detector).json()

    assert "image" not in plain
    assert plain["data"] == drawn["data"]
    assert plain["data"]["counts"] == {"cat": 1}
    assert (drawn["image"]["content_type"], drawn["image"]["width"]) == ("image/jpeg", 64)
    assert base64.b64decode(drawn["image"]["base64"]).startswith(b"\xff\xd8\xff")


def test_classify(client, classifier):
    photo = pictures.png(np.full((10, 20, 3), (0, 255, 0), np.uint8))

    answer = classify(client, classifier, photo, params='{"top_k": 2}')

    e4 = np.exp(4)
    data = answer.json()["data"]
    assert (data["predicted_id"], data["predicted_class"], data["predictor_name"]) == (1, "green", "means")
    assert data["best_prob"] == data["probs"][1] == round(float(e4 / (e4 + 2)), 6)
    assert [entry["label"] for entry in data["top"]] == ["green", "red"]


def test_generate_from_a_photo_and_from_noise_without_one(client, server):
    negative = weights.keep(server.data_dir, weights.generator())
    noise = weights.keep(server.data_dir, weights.generator("noise_to_image"))
    photo = pictures.png()

    made = ask(client, photo=photo, name="generate", params='{"format": "png"}', weights=negative)
    first, again, other = (
        ask(client, photo=None, name="generate", params=f'{{"seed": {seed}}}', weights=noise, accept=kind)
        for seed, kind in ((7, "application/json"), (7, "image/*"), (8, "image/*"))
    )

    assert np.array_equal(np.asarray(Image.open(io.BytesIO(made.content))), 255 - pictures.gradient())
    assert first.json()["data"] == {"seed": 7}
    assert base64.b64decode(first.json()["image"]["base64"]) == again.content != other.content
    assert refusal(ask(client, photo=None, name="generate", params="{}", weights=negative)) == (422, "empty")


def test_weights_stay_loaded(client, server):
    fresh = weights.keep(server.data_dir, weights.classifier(architecture="fresh"))

    answers = [classify(client, fresh).json() for _ in range(3)]

    assert ["load_ms" in answer["timings"] for answer in answers] == [True, False, False]
    assert "weights_load_seconds_count" in client.get("/metrics").text


# --- Refusals ---------------------------------------------------------------------------------------


def test_weights_that_cannot_be_used(client, server, detector):
    large = weights.keep(server.data_dir, weights.classifier(padding=60_000))
    unlabelled = weights.keep(server.data_dir, weights.model([], (1,), None))
    broken = weights.keep(server.data_dir, b"no ONNX at all")
    liar = weights.keep(server.data_dir, weights.classifier()[:-40])

    for sha256, expected in (
        ("f" * 64, (404, "unknown_weights")),
        (large, (413, "weights_too_large")),
        (detector, (422, "wrong_family")),
        (unlabelled, (422, "broken_weights")),
        (broken, (422, "broken_weights")),
        (liar, (422, "broken_weights")),
    ):
        assert refusal(classify(client, sha256)) == expected
    assert classify(client, weights.keep(server.data_dir, weights.classifier())).status_code == 200


@pytest.mark.parametrize(
    ("name", "fields"),
    [("detect", {}), ("detect", {"weights": "../../etc/passwd"}), ("classify", {"weights": "F" * 64}),
     ("generate", {"weights": ""}), ("trial", {"weights": "f" * 64})],
)  # fmt: skip
def test_weights_field_that_is_missing_malformed_or_not_wanted(client, name, fields):
    answer = ask(client, name=name, params="{}", **fields)

    assert refusal(answer) == (422, "invalid")
    assert list(answer.json()["error"]["fields"]) == ["weights"]


def test_photo_and_options_are_refused_as_with_filters(client, classifier, detector):
    assert refusal(classify(client, classifier, b"GIF89a")) == (422, "unsupported_type")
    assert refusal(classify(client, classifier, None)) == (422, "invalid")
    assert refusal(classify(client, classifier, accept="image/*")) == (406, "not_acceptable")
    wrong = ask(client, name="detect", params='{"classes": ["horse"], "iou": 2}', weights=detector)
    assert list(wrong.json()["error"]["fields"]) == ["iou"]
    unknown = ask(client, name="detect", params='{"classes": ["horse"]}', weights=detector)
    assert "no class called 'horse'" in unknown.json()["error"]["message"]


def test_workers_can_read_weights_and_nothing_else_of_the_data(client, server):
    sha256 = weights.keep(server.data_dir, weights.classifier())
    secret = server.data_dir / "secret"
    secret.write_text("not for workers")

    def read(path):
        params = f'{{"act": "escape", "path": "{path}"}}'
        return ask(client, name="trial", params=params, accept="application/json").json()["data"]["read"]

    assert read(secret) == "PermissionError"
    assert read(server.data_dir / "weights" / f"{sha256}.onnx") == "allowed"


# --- Besides ----------------------------------------------------------------------------------------


def test_openapi_and_docs_tell_the_routes(client):
    paths = client.get("/openapi.json").json()["paths"]
    docs = client.get("/docs").text

    for route in ("detect", "detect-to-json", "detect-to-img", "generate", "classify"):
        body = paths[f"/{route}"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert body["properties"]["weights"]["pattern"] == "^[0-9a-f]{64}$"
        assert body["required"] == ["weights"]
        assert {"404", "413", "422"} <= set(paths[f"/{route}"]["post"]["responses"])
        assert f"/{route}" in docs
    assert "image/*" not in paths["/classify"]["post"]["responses"]["200"]["content"]
    assert "weights" not in str(paths["/blackwhite"]["post"]["requestBody"])


def test_readyz_says_no_when_it_cannot_serve(tmp_path):
    server = Server(tmp_path / "data")
    try:
        with server.client() as client:
            assert client.get("/healthz").status_code == 200
            for pid in [pid for pid, parent in parents().items() if parent == server.process.pid]:
                os.kill(pid, signal.SIGKILL)
            until(lambda: client.get("/readyz").status_code == 200, "workers started again")
            assert client.get("/readyz").json() == {"status": "ok", "node": "node-1"}
            (tmp_path / "data").rename(tmp_path / "gone")

            assert refusal(client.get("/readyz")) == (503, "not_ready")
            until(lambda: client.get("/healthz").status_code == 200, "alive, with or without its volume")
    finally:
        server.end()
