"""The controller with the runtime's own worker, in this process, on real photos and a real filter."""

from __future__ import annotations

import io
import json
import signal
from pathlib import Path

import pytest
from PIL import Image as Pillow

from apps.drive.models import Folder, Image
from apps.drive.services import images
from apps.drive.storage import blob_path
from apps.processing import folders
from apps.processing.documents import store
from apps.processing.services import jobs
from apps.processing.services.jobs import JobRequest
from model_images.runtime import batch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def real_apps(apps):
    apps.write_text((ROOT / "model_images" / "catalog.json").read_text())


@pytest.fixture
def handlers():
    """The worker takes over signals, as a process of its own may."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def photo(colour: str) -> io.BytesIO:
    buffer = io.BytesIO()
    Pillow.new("RGB", (60, 40), colour).save(buffer, "JPEG")
    buffer.seek(0)
    return buffer


def test_a_folder_through_black_and_white(alice, real_apps, handlers, controller, engine):
    folder = Folder.objects.create(owner=alice, name="Colours")
    for colour in ("red", "green", "blue"):
        images.add(alice, folder, f"{colour}.jpg", photo(colour))
    gone = images.add(alice, folder, "white.jpg", photo("white"))
    special = folder.images.get(name="blue.jpg")
    job = jobs.submit(
        alice,
        JobRequest(
            app="blackwhite",
            folder=folder.id,
            params={"format": "png"},
            image_params={special.id: {"format": "png", "invert": True}},
        ),
    )
    blob_path(alice.id, gone.sha256).unlink()

    controller.tick()
    for worker in engine.running():
        assert batch.run(worker.folder, worker.spec.worker, worker.spec.node, []) == "done"
        worker.state = "exited"
    controller.tick()

    job.refresh_from_db()
    assert (job.status, job.done, job.failed) == ("succeeded", 4, 1)
    docs = {doc["name"]: doc for doc in store().page(job.id)}
    assert docs["white.jpg"]["error"] == {
        "code": "missing",
        "message": "The photo is no longer in the drive.",
    }
    grey = [_pixel(docs[f"{name}.jpg"]) for name in ("red", "green", "blue")]
    assert grey == pytest.approx([76, 75, 255 - 29], abs=3)
    assert json.loads((folders.path_of(job.id) / "job.json").read_text())["app"] == "blackwhite"


def _pixel(doc: dict) -> int:
    image = Image.objects.get(id=doc["output_image"])
    assert (image.width, image.height, image.format) == (60, 40, "png")
    with Pillow.open(blob_path(image.owner_id, image.sha256)) as opened:
        return opened.convert("L").getpixel((30, 20))
