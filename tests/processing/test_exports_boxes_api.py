"""COCO and YOLO files: right numbers, the same filters as the page, nothing of failed photos."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import pytest
import yaml

from apps.processing.catalog import App
from apps.processing.classes import ClassNumbers, known_classes
from apps.processing.models import Job, JobImage
from tests.processing.documents import classified, detected, detection, tell

BASE = "/api/v1/jobs"
DATA = [
    detected(detection("boat", 0.9, (100, 200, 300, 400), class_id=7), detection("cat", 0.4, class_id=2)),
    None,
    detected(),
    detected(detection("cat", 0.8, (-50, 700, 100, 300), class_id=2, rgb="red", ryb="orange")),
]


@pytest.fixture
def job(alice, submit) -> Job:
    """Four photos of 1000 × 800: boat and cat; failed; nothing; a cat over the corner."""
    job = submit(alice, count=4)
    tell(job, DATA)
    return job


def coco(api, job: Job, query: str = "") -> dict:
    response = api.get(f"{BASE}/{job.id}/coco.json{query}")
    assert response.status_code == 200
    return json.loads(b"".join(response.streaming_content))


def yolo(api, job: Job, query: str = "") -> dict[str, str]:
    response = api.get(f"{BASE}/{job.id}/yolo.zip{query}")
    assert (response.status_code, response["Content-Type"]) == (200, "application/zip")
    assert response["Content-Disposition"] == 'attachment; filename="Harbour Black & white yolo.zip"'
    with zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))) as file:
        assert file.testzip() is None
        return {name: file.read(name).decode() for name in file.namelist()}


def rename(job: Job, *names: str) -> None:
    for position, name in enumerate(names):
        JobImage.objects.filter(job=job, position=position).update(name=name)


def test_coco_is_what_was_found(alice_api, job):
    made = coco(alice_api, job)
    assert [(one["id"], one["file_name"], one["width"], one["height"]) for one in made["images"]] == [
        (1, "0000.jpg", 1000, 800),
        (3, "0002.jpg", 1000, 800),
        (4, "0003.jpg", 1000, 800),
    ]
    first = made["annotations"][0]
    assert first == {
        "id": 100_001,
        "image_id": 1,
        "category_id": 8,
        "bbox": [100, 200, 300, 400],
        "area": 120_000,
        "iscrowd": 0,
        "score": 0.9,
    }
    assert [(one["image_id"], one["category_id"]) for one in made["annotations"]] == [(1, 8), (1, 3), (4, 3)]
    names = {one["id"]: one["name"] for one in made["categories"]}
    assert (names[8], names[3], len(names)) == ("boat", "cat", 8)
    assert len({one["id"] for one in made["annotations"]}) == 3


def test_filters_hold_for_the_boxes_and_change_no_number(alice_api, job):
    whole = {one["id"]: one for one in coco(alice_api, job)["annotations"]}
    for query, ids in {
        "?label=cat": [100_002, 400_001],
        "?label=cat&min_confidence=0.5": [400_001],
        "?min_confidence=0.5": [100_001, 400_001],
        "?rgb=red": [400_001],
        "?ryb=orange&label=boat": [],
        "?status=failed": [],
    }.items():
        made = coco(alice_api, job, query)["annotations"]
        assert [one["id"] for one in made] == ids, query
        assert all(whole[one["id"]] == one for one in made)


def test_coco_of_an_app_that_detects_nothing_is_valid_and_empty(alice_api, job):
    tell(job, [None, classified("seven"), classified("two")])
    made = coco(alice_api, job)
    assert (len(made["images"]), made["annotations"], made["categories"]) == (2, [], [])


@pytest.mark.parametrize(
    "junk",
    [
        7,
        {"label": "x", "box": "junk"},
        {"label": "x", "box": [1, 2, 3]},
        {"label": "", "box": [1, 2, 3, 4]},
        {"box": [1, 2, 3, 4]},
        {"label": "x", "box": [1, 2, None, 4]},
    ],
)
def test_what_is_no_detection_is_left_out(alice_api, job, junk):
    tell(job, [{"detections": [junk, detection("cat")]}, {"detections": "junk"}, {"detections": None}])
    assert [one["id"] for one in coco(alice_api, job)["annotations"]] == [100_002]
    files = yolo(alice_api, job)
    assert files["labels/0000.txt"].count("\n") == 1
    assert files["labels/0001.txt"] == files["labels/0002.txt"] == ""


def test_yolo_boxes_are_shares_clipped_to_the_photo(alice_api, job):
    files = yolo(alice_api, job)
    assert files["labels/0000.txt"].splitlines() == [
        "7 0.250000 0.500000 0.300000 0.500000",
        "2 0.250000 0.500000 0.300000 0.500000",
    ]
    assert files["labels/0002.txt"] == ""  # an example of nothing to be found
    assert files["labels/0003.txt"] == "2 0.025000 0.937500 0.050000 0.125000\n"
    assert "labels/0001.txt" not in files  # failed
    assert files["classes.txt"].splitlines()[2::5] == ["cat", "boat"]
    data = yaml.safe_load(files["data.yaml"])
    assert (data["train"], data["names"][2], data["names"][7], len(data["names"])) == (
        "images",
        "cat",
        "boat",
        8,
    )


def test_yolo_with_confidence_and_filters(alice_api, job):
    files = yolo(alice_api, job, "?label=cat&min_confidence=0.5&confidence=1")
    assert files["labels/0003.txt"] == "2 0.025000 0.937500 0.050000 0.125000 0.800000\n"
    assert [name for name in files if name.startswith("labels/")] == ["labels/0003.txt"]


def test_yolo_confidence_is_a_switch(alice_api, job):
    response = alice_api.get(f"{BASE}/{job.id}/yolo.zip?confidence=yes")
    assert (response.status_code, list(response.json()["error"]["fields"])) == (422, ["confidence"])


def test_photos_that_differ_in_the_ending_only_keep_a_file_each(alice_api, job):
    rename(job, "cat.jpg", "x.jpg", "CAT.png", "cat (2).webp")
    tell(job, DATA)
    files = yolo(alice_api, job)
    rows = {row["name"]: row["labels"] for row in csv.DictReader(io.StringIO(files["photos.csv"]))}
    assert rows == {
        "cat.jpg": "labels/cat.txt",
        "CAT.png": "labels/CAT (2).txt",
        "cat (2).webp": "labels/cat (2) (2).txt",
    }
    assert set(rows.values()) <= set(files)


def test_names_are_safe_in_a_zip_and_in_a_spreadsheet(alice_api, job):
    rename(job, "a:b?.jpg", "x.jpg", ".hidden", "=cmd.jpg")
    tell(job, DATA)
    files = yolo(alice_api, job)
    assert {"labels/a_b_.txt", "labels/.hidden.txt", "labels/=cmd.txt"} <= set(files)
    assert "'=cmd.jpg" in files["photos.csv"]


def test_odd_class_names_stay_a_line_each(alice_api, job):
    tell(job, [detected(detection("two\nlines", class_id=0), detection('a: "b"', class_id=1))])
    files = yolo(alice_api, job)
    assert files["classes.txt"].splitlines() == ["two lines", 'a: "b"']
    assert yaml.safe_load(files["data.yaml"])["names"] == {0: "two\nlines", 1: 'a: "b"'}


@pytest.mark.parametrize("name", ["coco.json", "yolo.zip"])
def test_another_persons_job_is_not_there(bob_api, job, name):
    assert bob_api.get(f"{BASE}/{job.id}/{name}").status_code == 404


@pytest.mark.parametrize("name", ["coco.json", "yolo.zip"])
def test_an_export_reads_in_batches(alice, alice_api, submit, name, django_assert_max_num_queries):
    large = submit(alice, count=60, name="Large")
    tell(large, [DATA[0]] * 60)
    with django_assert_max_num_queries(5):
        b"".join(alice_api.get(f"{BASE}/{large.id}/{name}").streaming_content)


def test_csv_tells_classes_and_colours(alice_api, job):
    tell(job, [classified("=seven", 0.75, "red", "orange"), None, detected(), DATA[0]])
    body = b"".join(alice_api.get(f"{BASE}/{job.id}/results.csv").streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(body.removeprefix("\ufeff"))))
    names = ("findings", "labels", "predicted_class", "probability", "rgb", "ryb")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("1", "'=seven: 1", "'=seven", "0.75", "red", "orange"),
        ("", "", "", "", "", ""),
        ("0", "", "", "", "", ""),
        ("2", "boat: 1; cat: 1", "", "", "", ""),
    ]


# --- numbers of classes ---------------------------------------------------------------------------------


def test_a_findings_own_number_counts_most():
    numbers = ClassNumbers(["boat", "cat", "dog"])
    assert (numbers.of("cat", 0), numbers.of("dog"), numbers.of("boat"), numbers.of("new")) == (0, 2, 3, 4)
    assert numbers.names == ["cat", "class_1", "dog", "boat", "new"]


def test_numbers_of_the_list_without_findings():
    assert ClassNumbers(["boat", "cat"]).names == ["boat", "cat"]


@pytest.mark.parametrize("odd", [None, "3", -1, True, 10_000, 2.0])
def test_a_number_that_is_none_is_passed_over(odd):
    numbers = ClassNumbers()
    assert (numbers.of("cat", odd), numbers.of("dog", odd), numbers.of("cat", 7)) == (0, 1, 0)


def test_two_classes_never_share_a_number():
    numbers = ClassNumbers()
    assert (numbers.of("cat", 3), numbers.of("dog", 3)) == (3, 0)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "array", "items": {"enum": ["boat", "cat"]}},
        {"anyOf": [{"type": "array", "items": {"enum": ["boat", "cat"]}}, {"type": "null"}]},
    ],
)
def test_the_classes_that_an_app_offers(part):
    assert known_classes(app_with(part)) == ["boat", "cat"]
    assert known_classes(app_with({"type": "array", "items": {"type": "string"}})) == []


def test_the_classes_of_the_weights_come_before_those_of_the_options():
    part = {"type": "array", "items": {"enum": ["boat", "cat"]}}
    assert known_classes(app_with(part, ("zero", "one"))) == ["zero", "one"]
    assert known_classes(None) == []


def app_with(part: dict, classes: tuple[str, ...] = ()) -> App:
    schema = {"properties": {"classes": part}}
    return App("finder", "Finder", "", "detection", "1", ("data",), schema, classes=classes)
