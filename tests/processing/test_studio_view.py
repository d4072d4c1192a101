from __future__ import annotations

import json

import pytest

from apps.drive.models import Folder, Image
from apps.processing.models import Job
from tests.processing.conftest import _processor


def config(response) -> dict:
    return response.context["config"]


@pytest.mark.parametrize("path", ["/studio/", "/studio/bw/", "/studio/photos/f/"])
def test_logged_out_people_are_sent_to_log_in(charlie_web, path):
    response = charlie_web.get(path)
    assert response.status_code == 302
    assert response["Location"].startswith("/account/login/")


def test_choose_an_app(alice_web):
    page = alice_web.get("/studio/?folder=abc").content.decode()
    assert "Black &amp; white in one sentence." in page
    assert 'href="/studio/bw/?folder=abc"' in page


def test_an_app_in_the_query_leads_to_its_page(alice_web):
    response = alice_web.get("/studio/?app=bw&image=abc")
    assert response["Location"] == "/studio/bw/?image=abc"


def test_an_app_that_is_not_there(alice_web):
    assert alice_web.get("/studio/none/").status_code == 404


def test_a_photo_opens_with_its_folder(alice, alice_web, photos):
    folder = photos(alice, 3)
    image = Image.objects.get(folder=folder, name="0001.jpg")
    shown = config(alice_web.get(f"/studio/bw/?image={image.pk}"))
    assert (shown["image"]["name"], shown["folder"]) == ("0001.jpg", folder.pk)
    assert shown["folders"] == {folder.pk: 3}


def test_a_folder_opens_at_its_first_photo(alice, alice_web, photos):
    folder = photos(alice, 3)
    shown = config(alice_web.get(f"/studio/bw/?folder={folder.pk}"))
    assert shown["image"]["name"] == "0000.jpg"


def test_nothing_is_open_at_first(alice_web):
    response = alice_web.get("/studio/bw/")
    assert (config(response)["image"], config(response)["folder"]) == (None, "")
    assert response.context["missing"] == ""


@pytest.mark.parametrize("kind", ["image", "folder"])
def test_what_is_anothers_is_not_shown(alice, bob_web, photos, kind):
    folder = photos(alice, 1)
    ids = {"folder": folder.pk, "image": folder.images.get().pk}
    response = bob_web.get(f"/studio/bw/?{kind}={ids[kind]}")
    assert response.status_code == 200
    assert config(response)["image"] is None
    assert "0000.jpg" not in response.content.decode()
    assert f"The {'photo' if kind == 'image' else 'folder'} of this address is not in your drive." in (
        response.content.decode()
    )


def test_options_of_the_address_fill_the_form(alice_web):
    options = json.dumps({"mode": "otsu", "contrast": 0.5})
    response = alice_web.get("/studio/bw/", {"options": options})
    assert response.context["errors"] == {}
    page = response.content.decode()
    assert '<input type="radio" name="mode" value="otsu" checked>' in page
    assert 'value="0.5"' in page


def test_options_that_can_not_be_used_are_said_at_their_field(alice_web):
    response = alice_web.get("/studio/bw/", {"options": json.dumps({"contrast": 7})})
    assert list(response.context["errors"]) == ["contrast"]
    (error,) = response.context["errors"]["contrast"]
    assert f'id="option-contrast-error">{error}</p>' in response.content.decode()


@pytest.mark.parametrize("text", ["not json", "[1]", "3", "[" * 100_000, '{"a":' * 9_000])
def test_options_that_are_no_options_are_ignored(alice_web, text):
    response = alice_web.get("/studio/bw/", {"options": text})
    assert (response.status_code, response.context["values"]) == (200, {})


def test_options_nested_too_deep_are_said_at_their_field(alice_web):
    deep = "[" * 400 + "]" * 400
    response = alice_web.get("/studio/bw/", {"options": f'{{"contrast": {deep}}}'})
    assert (response.status_code, list(response.context["errors"])) == (200, ["contrast"])


def test_the_page_costs_the_same_with_many_folders(alice, alice_web, photos, django_assert_num_queries):
    first = photos(alice, 1, "First")
    # session, user, photo’s folder path, first photo, tree, photo counts, own weights, policy
    alice_web.get(f"/studio/bw/?folder={first.pk}")
    with django_assert_num_queries(8):
        alice_web.get(f"/studio/bw/?folder={first.pk}")
    for number in range(5):
        photos(alice, 2, f"Folder {number}", parent=first)
    with django_assert_num_queries(8):
        alice_web.get(f"/studio/bw/?folder={first.pk}")


def test_the_strip_comes_in_stretches(alice, alice_web, photos):
    folder = photos(alice, 65)
    first = alice_web.get(f"/studio/photos/{folder.pk}/").json()
    assert (len(first["items"]), first["offset"], first["total"]) == (60, 0, 65)
    rest = alice_web.get(f"/studio/photos/{folder.pk}/?offset=60").json()
    assert [photo["name"] for photo in rest["items"]] == [f"{n:04}.jpg" for n in range(60, 65)]


def test_the_strip_opens_around_a_photo(alice, alice_web, photos):
    folder = photos(alice, 65)
    image = folder.images.get(name="0062.jpg")
    shown = alice_web.get(f"/studio/photos/{folder.pk}/?image={image.pk}").json()
    assert shown["offset"] == 60
    assert image.pk in [photo["id"] for photo in shown["items"]]


@pytest.mark.parametrize("offset", ["-5", "x", "", "²", "9" * 20])
def test_a_bad_offset_is_the_beginning(alice, alice_web, photos, offset):
    folder = photos(alice, 2)
    assert alice_web.get(f"/studio/photos/{folder.pk}/?offset={offset}").json()["offset"] == 0


def test_an_id_that_can_be_none_opens_nothing(alice, alice_web, photos, django_assert_max_num_queries):
    folder = photos(alice, 2)
    assert alice_web.get(f"/studio/photos/{folder.pk}/?image=%00").json()["offset"] == 0
    with django_assert_max_num_queries(2):
        assert alice_web.get("/studio/photos/%00/").status_code == 404


def test_the_strip_of_anothers_folder_is_not_there(alice, bob_web, photos):
    assert bob_web.get(f"/studio/photos/{photos(alice, 1).pk}/").status_code == 404


def test_looking_changes_nothing(alice, alice_web, photos):
    folder = photos(alice, 2)
    alice_web.get(f"/studio/bw/?folder={folder.pk}")
    assert (Job.objects.count(), Folder.objects.count(), Image.objects.count()) == (0, 1, 2)


def test_only_reading(alice_web):
    assert alice_web.post("/studio/bw/").status_code == 405


# --- Apps of other kinds ----------------------------------------------------------------------------


def _add(apps, *made: dict) -> None:
    old = json.loads(apps.read_text())["processors"]
    apps.write_text(json.dumps({"processors": [*old, *made]}))


def _made(name: str, kind: str, outputs: list[str], properties: dict) -> dict:
    schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return _processor(name, name.title(), outputs) | {"kind": kind, "params_schema": schema}


SHARE = {"type": "number", "minimum": 0.01, "maximum": 1, "default": 0.25}
SEED = {"type": "integer", "minimum": 0, "maximum": 9, "default": 0}
CLASSES = {"type": "array", "items": {"enum": ["cat", "dog"]}, "default": []}
DETECTOR = _made(
    "finder",
    "detection",
    ["image", "data"],
    {"confidence": SHARE, "classes": CLASSES, "draw": {"type": "boolean", "default": True}},
)
CLASSIFIER = _made("digits", "classification", ["data"], {"top_k": SEED})
DREAMER = _made("dream", "generation", ["image", "data"], {"seed": SEED})


def test_a_detector_shows_boxes_and_its_classes(alice_web, apps):
    _add(apps, DETECTOR)
    response = alice_web.get("/studio/finder/")
    told = config(response)
    assert (told["kind"], told["takes_photo"], told["hues"]) == ("detection", True, {"cat": 1, "dog": 2})
    assert told["options"] == {
        "confidence": {"default": 0.25, "minimum": 0.01},
        "draw": {"default": True, "minimum": None},
    }
    page = response.content.decode()
    for part in ("data-finder", 'value="boxes" checked', 'value="dog" data-choice', 'data-view="data"'):
        assert part in page
    assert "data-finder-least>" not in page  # the form has that slider


def test_a_classifier_shows_bars_and_no_picture(alice_web, apps):
    _add(apps, CLASSIFIER)
    page = alice_web.get("/studio/digits/").content.decode()
    assert 'value="classes" checked' in page
    assert 'name="view" value="image"' not in page
    assert "data-finder" not in page


def test_a_picture_from_noise_needs_no_photo(alice_web, apps):
    _add(apps, DREAMER)
    response = alice_web.get("/studio/dream/")
    assert config(response)["takes_photo"] is False
    page = response.content.decode()
    assert "It needs no photo" in page
    assert "<before-after" not in page
    assert "data-new-seed" in page


def test_filters_are_as_they_were(alice_web):
    response = alice_web.get("/studio/ascii/")
    page = response.content.decode()
    assert (config(response)["kind"], config(response)["options"]) == ("filter", {})
    assert 'name="view" value="image" checked' in page
    assert "<before-after" in page
    assert "data-finder" not in page


def test_who_has_only_filters_is_told_of_the_market(alice_web, apps):
    assert "Look at the market" in alice_web.get("/studio/").content.decode()
    assert "Look at the market" not in alice_web.get("/studio/?q=black").content.decode()
    _add(apps, DETECTOR)
    assert "Look at the market" not in alice_web.get("/studio/").content.decode()


def test_apps_stand_by_kind(alice_web, apps):
    _add(apps, DREAMER, CLASSIFIER, DETECTOR)
    response = alice_web.get("/studio/")
    assert [(group["title"], [app.id for app in group["apps"]]) for group in response.context["groups"]] == [
        ("Filters", ["bw", "ascii"]),
        ("Detectors", ["finder"]),
        ("Generators", ["dream"]),
        ("Classifiers", ["digits"]),
    ]
    page = response.content.decode()
    assert "Built in" in page
    assert "free to run" in page
    assert 'type="search"' not in page


def test_many_apps_can_be_searched(alice_web, apps):
    _add(apps, *(DETECTOR | {"name": f"d{n}", "title": f"Detector {n}"} for n in range(12)))
    assert 'type="search"' in alice_web.get("/studio/").content.decode()
    response = alice_web.get("/studio/?q=DETECTOR+1&folder=abc")
    (group,) = response.context["groups"]
    assert [app.id for app in group["apps"]] == ["d1", "d10", "d11"]
    page = response.content.decode()
    assert 'href="/studio/d10/?folder=abc"' in page
    assert 'name="folder" value="abc"' in page
    assert "No app matches this." in alice_web.get("/studio/?q=zzz").content.decode()


def test_the_tabs_hold_few_apps_and_the_open_one(alice_web, apps):
    _add(apps, *(DETECTOR | {"name": f"d{n}", "title": f"Detector {n}"} for n in range(12)))
    tabs = [app.id for app in alice_web.get("/studio/d11/").context["siblings"]]
    assert (len(tabs), "d11" in tabs) == (8, True)
    assert [app.id for app in alice_web.get("/studio/bw/").context["siblings"]] == ["bw", "ascii"]
