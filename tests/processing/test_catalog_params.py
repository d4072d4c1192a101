"""Apps as the catalogue describes them, and options checked in plain words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.http import Http404

from apps.processing import catalog
from marketplace.api import ApiError

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^[a-z]*$"},
        "level": {"type": "integer", "minimum": 1, "exclusiveMaximum": 10, "multipleOf": 2, "default": 4},
        "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "on": {"type": "boolean"},
        "kind": {"const": "x"},
        "mode": {"enum": ["a", None, True, 3]},
        "size": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "default": None},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"const": False}]},
        "colors": {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "uniqueItems": True,
            "items": {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
        },
        "box": {"type": "object", "additionalProperties": False, "properties": {"w": {"type": "integer"}}},
        "never": {"not": {}},
    },
}


@pytest.fixture
def app() -> catalog.App:
    return catalog.App(
        id="x", title="X", summary="", kind="filter", version="1", outputs=("image",), params_schema=SCHEMA
    )


def test_apps_come_from_the_catalogue(alice):
    assert [app.id for app in catalog.apps_for(alice)] == ["bw", "ascii"]
    app = catalog.app_for(alice, "ascii")
    assert (app.title, app.outputs, app.source, app.price_per_image) == (
        "ASCII",
        ("image", "text"),
        "builtin",
        0,
    )
    assert app.asset_options == ["tile_folder"]
    with pytest.raises(Http404):
        catalog.app_for(alice, "nothing")


def test_a_changed_catalogue_is_read_again(alice, apps):
    catalog.apps_for(alice)
    apps.write_text('{"processors": []}')
    os.utime(apps, ns=(1, 1))
    assert catalog.apps_for(alice) == []


def test_the_catalogue_of_this_project_can_be_read():
    found = catalog.read(ROOT / "model_images" / "catalog.json")
    assert {name for name, app in found.items() if not app.family} == {
        "ascii",
        "blackwhite",
        "mosaic",
        "pixelart",
    }
    assert {app.family for app in found.values() if app.family} == {"classifier", "gan", "yolov5"}
    for app in found.values():
        assert catalog.validate(app, {}) == {
            name: schema["default"] for name, schema in app.params_schema["properties"].items()
        }


def test_defaults_are_filled_in_and_given_values_kept(app):
    assert catalog.validate(app, {"name": "abc"}) == {"name": "abc", "level": 4, "size": None}
    assert catalog.validate(app, {"name": "a", "level": 6, "size": 2})["level"] == 6


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({}, {"name": ["is needed"]}),
        ({"name": "a", "label": 1}, {"label": ["there is no such option"]}),
        ({"name": 1}, {"name": ["must be text"]}),
        ({"name": ""}, {"name": ["must have at least 1 character"]}),
        ({"name": "abcd"}, {"name": ["must have at most 3 characters"]}),
        ({"name": "A"}, {"name": ["must look like ^[a-z]*$"]}),
        ({"name": "a", "level": 1.5}, {"level": ["must be a whole number", "must be a multiple of 2"]}),
        ({"name": "a", "level": True}, {"level": ["must be a whole number"]}),
        ({"name": "a", "level": 0}, {"level": ["must be at least 1"]}),
        ({"name": "a", "level": 10}, {"level": ["must be less than 10"]}),
        ({"name": "a", "share": 0}, {"share": ["must be more than 0"]}),
        ({"name": "a", "share": 1.5}, {"share": ["must be at most 1"]}),
        ({"name": "a", "on": 1}, {"on": ["must be true or false"]}),
        ({"name": "a", "kind": "y"}, {"kind": ["must be x"]}),
        ({"name": "a", "mode": "b"}, {"mode": ["must be one of a, empty, true, 3"]}),
        ({"name": "a", "size": 0}, {"size": ["must be at least 1"]}),
        ({"name": "a", "size": "big"}, {"size": ["must be a whole number or empty"]}),
        ({"name": "a", "either": 1.5}, {"either": ["must be a whole number or text or false"]}),
        ({"name": "a", "colors": []}, {"colors": ["must have at least 1 entry"]}),
        ({"name": "a", "colors": ["#000000"] * 2}, {"colors": ["must not have the same entry twice"]}),
        ({"name": "a", "colors": ["red"]}, {"colors.0": ["must look like ^#[0-9a-f]{6}$"]}),
        ({"name": "a", "box": {"w": "x"}}, {"box.w": ["must be a whole number"]}),
        ({"name": "a", "box": {"h": 1}}, {"box.h": ["there is no such option"]}),
        ({"name": "a", "never": 1}, {"never": ["can't be accepted"]}),
        ({"name": "a\x00"}, {"name": ["holds a character or a number that can't be stored"]}),
        (
            {"name": "a", "share": float("inf")},
            {"share": ["holds a character or a number that can't be stored"]},
        ),
        ([], {"params": ["must be an object"]}),
    ],
)
def test_what_is_wrong_is_said_beside_the_option(app, params, fields):
    with pytest.raises(ApiError) as caught:
        catalog.validate(app, params)
    assert (caught.value.status_code, caught.value.code) == (422, "invalid")
    assert {name: sorted(texts) for name, texts in caught.value.fields.items()} == {
        name: sorted(texts) for name, texts in fields.items()
    }


def test_a_folder_option_becomes_the_hashes_of_its_photos(alice, photos):
    tiles = photos(alice, 3, "Tiles")
    app = catalog.app_for(alice, "bw")
    hashes = sorted(tiles.images.values_list("sha256", flat=True))
    assert catalog.freeze_assets(alice, app, {"tile_folder": tiles.id}) == {"tile_folder": hashes}
    assert catalog.freeze_assets(alice, app, {"tile_folder": None}) == {}
    assert catalog.freeze_assets(alice, app, {}) == {}


@pytest.mark.parametrize("whose", ["bob's", "nobody's", "empty"])
def test_a_folder_option_must_be_a_folder_of_the_users_with_photos(alice, bob, photos, whose):
    folder_id = {"bob's": photos(bob).id, "nobody's": "nothing", "empty": photos(alice, 0).id}[whose]
    with pytest.raises(ApiError) as caught:
        catalog.freeze_assets(alice, catalog.app_for(alice, "bw"), {"tile_folder": folder_id})
    assert caught.value.status_code == 422
    assert list(caught.value.fields) == ["tile_folder"]
