"""The results of detectors, classifiers and generators: boxes, classes, filters in the address."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import caches
from django.utils import timezone
from redis import RedisError

from apps.drive.models import Image
from apps.processing import catalog, queries
from apps.processing.models import Job, JobImage
from apps.processing.shown import colours_of, takes_photo
from tests.processing.conftest import SCHEMA, _processor
from tests.processing.documents import classified, detected, detection, tell

CLASSES = ["boat", "cat", "dog"]
FOUND = [
    detected(detection("cat", 0.9, class_id=1, rgb="red"), detection("boat", 0.3, (1, 2, 3, 4), class_id=0)),
    None,
    detected(),
    detected(detection("cat", 0.4, class_id=1, rgb="blue")),
    detected(detection("boat", 0.8, class_id=0)),
]


@pytest.fixture(autouse=True)
def finders(apps) -> None:
    """A detector, a classifier and two generators beside the filters."""
    choice = {"type": "array", "items": {"type": "string", "enum": CLASSES}, "default": []}
    number = {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5}
    whole = {"type": "integer", "minimum": 0, "maximum": 9, "default": 0}
    made = [
        _app("finder", "detection", {"classes": choice, "confidence": number}),
        _app("digits", "classification", {"top_k": whole}),
        _app("comic", "generation", {"strength": number}),
        _app("dream", "generation", {"seed": whole}),
    ]
    old = json.loads(apps.read_text())["processors"]
    apps.write_text(json.dumps({"processors": old + made}))


def _app(name: str, kind: str, properties: dict) -> dict:
    made = _processor(name, name.title(), ["image", "data"])
    return made | {"kind": kind, "params_schema": SCHEMA | {"properties": properties}}


@pytest.fixture
def job(alice, submit) -> Job:
    job = submit(alice, count=5, app="finder")
    tell(job, FOUND)
    return job


def positions(response) -> list[int]:
    return [card.item.document["position"] for card in response.context["cards"]]


def text(response) -> str:
    return response.content.decode()


def image_id(job: Job, position: int) -> str:
    return JobImage.objects.get(job=job, position=position).image_id


def links(page: str, ending: str) -> list[str]:
    return [href.replace("&amp;", "&") for href in re.findall(rf'href="([^"]*{ending}[^"]*)"', page)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("label=cat", [0, 3]),
        ("label=cat&min_confidence=0.5", [0]),
        ("min_confidence=0.5", [0, 4]),
        ("min_confidence=0", [0, 1, 2, 3, 4]),
        ("rgb=blue", [3]),
        ("rgb=blue&label=boat", []),
        ("status=ok&label=boat", [0, 4]),
        ("status=failed", [1]),
    ],
)
def test_filters_of_the_address(alice_web, job, query, expected):
    response = alice_web.get(f"/jobs/{job.pk}/results/?{query}")
    assert positions(response) == expected
    assert response.context["found"] == len(expected)


def test_boxes_lie_over_the_photo_in_its_own_pixels(alice_web, job):
    page = text(alice_web.get(f"/jobs/{job.pk}/results/"))
    assert 'viewBox="0 0 1000 800"' in page
    assert '<rect class="boxes__box class-2" x="100" y="200" width="300" height="400"/>' in page
    assert 'alt="0000.jpg: 1 cat, 1 boat"' in page
    assert 'alt="0002.jpg: nothing found"' in page


def test_only_boxes_that_match_are_drawn(alice_web, job):
    response = alice_web.get(f"/jobs/{job.pk}/results/?label=cat")
    assert [[box.label for box in card.boxes] for card in response.context["cards"]] == [["cat"], ["cat"]]


def test_classes_are_bars_that_filter(alice_web, job):
    response = alice_web.get(f"/jobs/{job.pk}/results/?label=boat")
    bars = {bar.label: (bar.value, bar.share, bar.hue, bar.active) for bar in response.context["classes"]}
    assert bars == {"boat": (2, 1, 1, True), "cat": (2, 1, 2, False)}
    assert 'name="label" value="boat" checked' in text(response)


def test_a_class_has_one_colour_everywhere(alice_web, job):
    colours = colours_of(None)
    assert colours.of("cat") == colours.of("cat")
    assert 1 <= colours.of("ein Hündchen 🐶") <= 12
    result = alice_web.get(f"/jobs/{job.pk}/results/{image_id(job, 0)}/")
    assert [one["hue"] for one in result.context["finder"]["detections"]] == [2, 1]
    page = alice_web.get(f"/jobs/{job.pk}/results/")
    assert {bar.label: bar.hue for bar in page.context["classes"]} == {"cat": 2, "boat": 1}


def test_exports_keep_the_filters(alice_web, job):
    page = text(alice_web.get(f"/jobs/{job.pk}/results/?label=cat&min_confidence=0.5&after=1&group=x"))
    wanted = {"label": ["cat"], "min_confidence": ["0.5"]}
    for ending in ("results.csv", "results.jsonl", "coco.json", "yolo.zip"):
        (href,) = links(page, re.escape(ending))
        assert parse_qs(urlsplit(href).query) == wanted
        assert alice_web.get(href).status_code == 200


def test_nonsense_filters_do_not_reach_the_exports(alice_web, job):
    page = text(alice_web.get(f"/jobs/{job.pk}/results/?min_confidence=nan&status=odd"))
    (href,) = links(page, re.escape("results.csv"))
    assert "?" not in href


def test_filters_offer_no_boxes_of_an_app_that_has_none(alice_web, submit, alice):
    page = text(alice_web.get(f"/jobs/{submit(alice, name='Plain').pk}/results/"))
    assert links(page, "results.csv")
    assert not links(page, "coco.json")
    assert "data-facets" not in page


@pytest.mark.parametrize(
    ("query", "position", "before", "after"),
    [("", 1, 0, 2), ("label=cat", 0, None, 3), ("label=cat", 3, 0, None), ("status=ok", 2, 0, 3)],
)
def test_neighbours_follow_the_filters(alice_web, job, query, position, before, after):
    response = alice_web.get(f"/jobs/{job.pk}/results/{image_id(job, position)}/?{query}")
    wanted = [image_id(job, one) if one is not None else "" for one in (before, after)]
    assert [response.context["previous"], response.context["next"]] == wanted
    if query and after is not None:
        assert links(text(response), f"{wanted[1]}/")[0].endswith(f"?{query}")


def test_one_photo_with_its_boxes(alice_web, job):
    response = alice_web.get(f"/jobs/{job.pk}/results/{image_id(job, 0)}/")
    page = text(response)
    data = json.loads(re.search(r'id="finder-data" type="application/json">(.*?)</script>', page)[1])
    assert (data["width"], data["height"]) == (1000, 800)
    assert data["detections"][0] == {
        "label": "cat",
        "hue": 2,
        "confidence": 0.9,
        "box": [100, 200, 300, 400],
        "rgb": "red",
        "ryb": "",
    }
    assert "data-finder" in page
    assert "<before-after" not in page


def test_labels_are_no_html(alice_web, job):
    tell(job, [detected(detection("</script><b>x"))])
    for address in (f"/jobs/{job.pk}/results/", f"/jobs/{job.pk}/results/{image_id(job, 0)}/"):
        assert "<b>x" not in text(alice_web.get(address))


def test_a_photo_that_was_deleted_since(alice_web, job):
    Image.objects.filter(pk=image_id(job, 0)).delete()
    assert "The picture was deleted" in text(alice_web.get(f"/jobs/{job.pk}/results/"))
    assert alice_web.get(f"/jobs/{job.pk}/results/{image_id(job, 0)}/").status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        {"detections": "junk", "classes": 7},
        {"detections": [7, {"label": "x"}]},
        {"predicted_class": "x", "top": "junk"},
        {"predicted_class": "x", "top": [{"label": "x", "confidence": "high"}, 3]},
        {"detections": [{"label": "x", "box": [1, 2, 3, 4], "confidence": 99}]},
        {"seed": None, "classes": [{"label": "x", "rgb": 5}]},
        {"seed": [1], "predicted_class": "x", "classes": [{"label": "x", "rgb": {"a": 1}}]},
    ],
)
def test_odd_data_of_a_worker_breaks_no_page(alice_web, job, data):
    tell(job, [data])
    for address in ("", "results/", "results/?group=class", f"results/{image_id(job, 0)}/"):
        assert alice_web.get(f"/jobs/{job.pk}/{address}").status_code == 200


# --- Classifiers ------------------------------------------------------------------------------------


@pytest.fixture
def sorted_job(alice, submit) -> Job:
    job = submit(alice, count=4, app="digits", name="Digits")
    tell(job, [classified("seven", 0.9, "red", "orange"), classified("two"), classified("seven"), None])
    return job


def test_the_predicted_class_is_on_each_card(alice_web, sorted_job):
    response = alice_web.get(f"/jobs/{sorted_job.pk}/results/")
    assert [card.best and (card.best.label, card.best.value) for card in response.context["cards"]] == [
        ("seven", 0.9),
        ("two", 0.8),
        ("seven", 0.8),
        None,
    ]
    assert "90 %" in text(response)


def test_photos_of_each_class(alice_web, sorted_job):
    response = alice_web.get(f"/jobs/{sorted_job.pk}/results/?group=class")
    groups = {
        group.bar.label: [card.item.document["position"] for card in group.cards]
        for group in response.context["groups"]
    }
    assert groups == {"seven": [0, 2], "two": [1]}
    response = alice_web.get(f"/jobs/{sorted_job.pk}/results/?group=class&label=two")
    assert (response.context["grouped"], positions(response)) == (False, [1])


def test_the_likeliest_classes_as_bars(alice_web, sorted_job):
    response = alice_web.get(f"/jobs/{sorted_job.pk}/results/{image_id(sorted_job, 0)}/")
    assert [(bar.label, bar.percent) for bar in response.context["bars"]] == [
        ("seven", "90.00%"),
        ("two", "45.00%"),
        ("boat", "30.00%"),
    ]
    page = text(response)
    assert "90.0 %" in page
    assert 'data-wheel="rgb" data-colour="red"' in page


# --- Generators ---------------------------------------------------------------------------------------


def _with_output(job: Job, alice, data: dict | None) -> None:
    output = Image.objects.filter(owner=alice).last()
    tell(job, [data], output_image=output.pk, outputs=[{"kind": "image", "name": "a.png"}])


@pytest.mark.parametrize(("app", "kind"), [("comic", "pair"), ("dream", "picture"), ("bw", "pair")])
def test_a_picture_from_noise_has_no_before(alice, alice_web, submit, app, kind):
    job = submit(alice, count=1, app=app)
    _with_output(job, alice, {"seed": 42} if app == "dream" else {})
    assert [card.kind for card in alice_web.get(f"/jobs/{job.pk}/results/").context["cards"]] == [kind]
    page = text(alice_web.get(f"/jobs/{job.pk}/results/{image_id(job, 0)}/"))
    assert ("<before-after" in page) == (kind == "pair")
    assert ("<dt>Seed</dt>" in page) == (app == "dream")


def test_which_apps_take_a_photo(apps):
    assert {
        name: takes_photo(catalog.find(name)) for name in ("bw", "finder", "digits", "comic", "dream")
    } == {
        "bw": True,
        "finder": True,
        "digits": True,
        "comic": True,
        "dream": False,
    }
    assert takes_photo(None)


# --- The job's page, and what all of it costs ------------------------------------------------------


def test_a_finished_job_sums_up_what_was_found(alice_web, job):
    assert "What was found" not in text(alice_web.get(f"/jobs/{job.pk}/"))
    Job.objects.filter(pk=job.pk).update(status=Job.Status.SUCCEEDED)
    page = text(alice_web.get(f"/jobs/{job.pk}/"))
    assert "What was found" in page
    assert f'href="/jobs/{job.pk}/results/?label=cat"' in page
    assert links(page, "yolo.zip")


@pytest.mark.parametrize("query", ["", "?label=cat&min_confidence=0.2", "?group=class", "?status=ok"])
def test_a_page_costs_the_same_with_many_photos_and_boxes(
    alice, alice_web, submit, query, django_assert_max_num_queries
):
    few, many = (submit(alice, count=count, app="finder", name=f"{count}") for count in (2, 70))
    tell(few, [FOUND[0]] * 2)
    tell(many, [detected(*[detection(one, 0.9) for one in ("cat", "boat") * 20])] * 70)
    with django_assert_max_num_queries(30) as first:
        alice_web.get(f"/jobs/{few.pk}/results/{query}")
    with django_assert_max_num_queries(30) as second:
        assert alice_web.get(f"/jobs/{many.pk}/results/{query}").status_code == 200
    assert len(second) == len(first)


@pytest.mark.parametrize("query", ["", "?label=cat"])
def test_one_result_costs_the_same(alice, alice_web, submit, query, django_assert_num_queries):
    many = submit(alice, count=70, app="finder")
    tell(many, [FOUND[0]] * 70)
    address = f"/jobs/{many.pk}/results/{image_id(many, 30)}/{query}"
    # session, user, job twice, placements, the row, document, photos, attachments, two neighbours
    with django_assert_num_queries(10):
        assert alice_web.get(address).status_code == 200


def test_anothers_results_are_not_there(bob_web, job):
    assert bob_web.get(f"/jobs/{job.pk}/results/?label=cat").status_code == 404


def test_counts_of_a_finished_job_are_made_once(alice, submit, django_assert_num_queries):
    job = submit(alice, count=5, app="finder")
    tell(job, FOUND)
    queries.result_counts(job)
    with django_assert_num_queries(4):  # while it runs they change
        queries.result_counts(job)

    job.finished, job.done = timezone.now(), 5
    first = queries.result_counts(job)
    with django_assert_num_queries(0):
        assert queries.result_counts(job) == first
    assert (first.labels, first.failed) == ({"boat": 2, "cat": 2}, 1)

    tell(job, [*FOUND[:4], detected(detection("cat", 0.4, class_id=1))])
    job.attempt += 1  # a retry
    assert queries.result_counts(job).labels == {"cat": 3, "boat": 1}


@pytest.mark.parametrize("broken", ["get", "set"])
def test_without_the_cache_counts_are_counted(alice, submit, monkeypatch, broken):
    def gone(*_, **__):
        raise RedisError("gone")

    job = submit(alice, count=5, app="finder")
    tell(job, FOUND)
    job.finished = timezone.now()
    monkeypatch.setattr(type(caches["default"]), broken, gone)
    assert queries.result_counts(job).total == 5
