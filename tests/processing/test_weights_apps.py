"""Apps made of weights: who may run them, their options, and that jobs keep the weights they began with."""

from __future__ import annotations

import json

import httpx
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import Http404
from django.utils import timezone

import jobfolder
from apps.catalog.models import Listing, Version
from apps.payments.models import Purchase
from apps.processing import catalog, folders
from apps.processing.classes import known_classes
from apps.processing.models import Job
from apps.processing.services import jobs, previews
from apps.processing.services.jobs import JobRequest
from apps.processing.shown import colours_of
from apps.processing.weights_apps import specialise
from marketplace.api import ApiError
from tests.drive.photos import photo
from tests.processing.conftest import run_to_end

DETECTOR = {
    "name": "yolov5",
    "title": "Detector",
    "summary": "Finds objects.",
    "kind": "detection",
    "version": "1",
    "outputs": ["image", "data"],
    "seconds_per_megapixel": 0.06,
    "weights": True,
    "family": "yolov5",
    "route": "detect",
    "params_schema": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "confidence": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.25},
            "classes": {
                "type": "array",
                "items": {"type": "string", "maxLength": 120},
                "examples": [["dog"]],
                "default": [],
                "x-classes": True,
            },
            "seed": {"type": "integer", "default": 0, "x-tasks": ["noise_to_image"]},
            "strength": {"type": "number", "default": 1, "x-tasks": ["detection", "image_to_image"]},
        },
    },
}
OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture(autouse=True)
def _detector(apps):
    entries = json.loads(apps.read_text())["processors"]
    apps.write_text(json.dumps({"processors": [*entries, DETECTOR]}))


def add_version(listing: Listing, number: int, sha256: str) -> Version:
    version = Version.objects.create(
        listing=listing,
        number=number,
        upload_id=f"up{number}{listing.pk[-10:]}",
        file_name="w.onnx",
        bytes=1,
        upload_sha256=sha256,
        weights_sha256=sha256,
        status="ready",
        card={"task": "detection", "classes": ["circle", "square"]},
        finished=timezone.now(),
    )
    Listing.objects.filter(pk=listing.pk).update(current_version=version)
    return version


@pytest.fixture
def listing(alice) -> Listing:
    made = Listing.objects.create(
        seller=alice,
        title="Shapes",
        family="yolov5",
        kind="detection",
        description="Finds drawn shapes.\nMore words.",
        price_per_image=3,
    )
    add_version(made, 1, OLD)
    return made


def test_own_ready_weights_are_an_app(alice, bob, staff, listing):
    app = catalog.app_for(alice, listing.pk)

    assert [one.id for one in catalog.apps_for(alice)] == ["bw", "ascii", listing.pk]
    assert (app.title, app.summary, app.kind, app.source) == (
        "Shapes",
        "Finds drawn shapes.",
        "detection",
        "own",
    )
    assert (app.runs, app.path, app.weights, app.version) == ("yolov5", "detect", OLD, "1")
    assert (app.price_per_image, app.outputs) == (0, ("image", "data"))
    for other in (bob, staff):
        assert [one.id for one in catalog.apps_for(other)] == ["bw", "ascii"]
        with pytest.raises(Http404):
            catalog.app_for(other, listing.pk)


@pytest.mark.parametrize("status", ["published", "withdrawn"])
def test_what_was_bought_is_an_app_at_its_price(alice, bob, listing, photos, status):
    Listing.objects.filter(pk=listing.pk).update(status=status, published_at=timezone.now())
    Purchase.objects.create(
        buyer=bob,
        seller=alice,
        listing=listing,
        title="Shapes",
        price=0,
        fee=0,
        licence="run",
        commercial_use=False,
    )

    app = catalog.app_for(bob, listing.pk)

    assert (app.source, app.price_per_image, app.weights) == ("purchased", 3, OLD)
    assert [one.id for one in catalog.apps_for(bob)] == ["bw", "ascii", listing.pk]
    quote = jobs.quote(bob, JobRequest(app=listing.pk, folder=photos(bob, 4).pk))
    assert quote.price == 12


def test_a_processor_of_weights_is_no_app_by_itself(alice):
    with pytest.raises(Http404):
        catalog.app_for(alice, "yolov5")


def test_options_are_those_of_the_weights(alice, listing):
    app = catalog.app_for(alice, listing.pk)

    assert list(app.params_schema["properties"]) == ["confidence", "classes", "strength"]
    assert app.params_schema["properties"]["classes"]["items"] == {
        "type": "string",
        "enum": ["circle", "square"],
    }
    assert catalog.validate(app, {"classes": ["square"]})["classes"] == ["square"]
    with pytest.raises(ApiError) as caught:
        catalog.validate(app, {"classes": ["dog"], "seed": 3})
    assert set(caught.value.fields) == {"classes.0", "seed"} or "seed" in caught.value.fields


def test_weights_with_very_many_classes_take_any_text():
    schema = specialise(DETECTOR["params_schema"], {"classes": [f"c{n}" for n in range(1000)]})

    assert schema["properties"]["classes"] == DETECTOR["params_schema"]["properties"]["classes"]


@pytest.mark.parametrize(
    "change", [{"current_version": None}, {"status": "taken_down"}, {"seller": None, "status": "withdrawn"}]
)
def test_what_can_not_be_run_is_no_app(alice, listing, change):
    Listing.objects.filter(pk=listing.pk).update(**change)

    with pytest.raises(Http404):
        catalog.app_for(alice, listing.pk)


def test_a_job_names_processor_and_weights(alice, listing, photos, controller, engine):
    folder = photos(alice, 2)
    job = jobs.submit(alice, JobRequest(app=listing.pk, folder=folder.pk, params={"confidence": 0.5}))
    assert (job.app, job.processor, job.weights, job.app_version) == (listing.pk, "yolov5", OLD, "1")
    assert (job.app_title, job.price_per_image, job.price_held) == ("Shapes", 0, 0)

    controller.tick()

    spec = jobfolder.read_spec(folders.path_of(job.pk))
    assert (spec.app, spec.weights, spec.params["confidence"]) == ("yolov5", OLD, 0.5)
    assert run_to_end(controller, engine, job).status == "succeeded"


def test_a_retry_keeps_the_weights_of_the_submit(alice, listing, photos, controller, engine):
    job = jobs.submit(alice, JobRequest(app=listing.pk, folder=photos(alice, 2).pk))
    run_to_end(controller, engine, job, lambda image: "too_hard" if image.position else "")
    add_version(listing, 2, NEW)

    jobs.retry(alice, job.pk)

    job.refresh_from_db()
    assert (job.weights, job.app_version) == (OLD, "1")
    controller.tick()
    assert jobfolder.read_spec(folders.path_of(job.pk)).weights == OLD
    assert catalog.app_for(alice, listing.pk).weights == NEW


def test_built_in_jobs_have_no_weights(alice, photos, controller):
    job = jobs.submit(alice, JobRequest(app="bw", folder=photos(alice, 1).pk))
    Job.objects.filter(pk=job.pk).update(processor="")  # one from before there were weights
    controller.tick()

    spec = jobfolder.read_spec(folders.path_of(job.pk))
    assert (spec.app, spec.weights) == ("bw", None)


def test_a_preview_sends_the_weights_to_their_route(alice, bob_api, alice_api, listing, monkeypatch):
    asked = []

    def send(path, fields, files, accept, timeout, family):
        asked.append((path, dict(fields)))
        return httpx.Response(200, content=b"PNG", headers={"Content-Type": "image/png"})

    monkeypatch.setattr(previews, "send_preview", send)
    url = f"/api/v1/apps/{listing.pk}/preview"

    good = alice_api.post(url, {"file": SimpleUploadedFile("a.jpg", photo())}, headers={"Accept": "image/*"})
    other = bob_api.post(url, {"file": SimpleUploadedFile("a.jpg", photo())}, headers={"Accept": "image/*"})

    assert (good.status_code, other.status_code) == (200, 404)
    assert [(path, fields["weights"]) for path, fields in asked] == [("detect", OLD)]


def test_the_studio_shows_them_like_filters(alice_web, bob_web, listing):
    page = alice_web.get(f"/studio/{listing.pk}/").content.decode()

    assert "Shapes" in page
    assert "circle" in page
    assert bob_web.get(f"/studio/{listing.pk}/").status_code == 404
    assert "Shapes" in alice_web.get("/studio/").content.decode()


def test_apps_take_one_query_for_all_weights(alice, listing, django_assert_num_queries):
    with django_assert_num_queries(1):
        catalog.apps_for(alice)
    for number in range(4):
        made = Listing.objects.create(seller=alice, title=f"L{number}", family="yolov5", kind="detection")
        add_version(made, 1, f"{number}" * 64)
    with django_assert_num_queries(1):
        assert len(catalog.apps_for(alice)) == 7


def test_classes_of_a_classifier_have_colours_of_their_own(alice, apps):
    """Its options list no classes, so their places come from the card."""
    entries = json.loads(apps.read_text())["processors"]
    processor = DETECTOR | {"name": "classifier", "family": "classifier", "kind": "classification"}
    processor |= {"params_schema": {"type": "object", "properties": {}}}
    apps.write_text(json.dumps({"processors": [*entries, processor]}))
    listing = Listing.objects.create(seller=alice, title="Digits", family="classifier", kind="classification")
    version = add_version(listing, 1, OLD)
    digits = [str(number) for number in range(10)]
    Version.objects.filter(pk=version.pk).update(card={"task": "classification", "classes": digits})

    app = catalog.app_for(alice, listing.pk)

    assert known_classes(app) == digits
    assert len(set(colours_of(app).hues.values())) == len(digits)
