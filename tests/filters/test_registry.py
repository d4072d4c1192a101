"""Every processor is finished: documented, tested, bounded, with examples that hold."""

from __future__ import annotations

import doctest
import inspect
import re
from pathlib import Path

import pytest

from model_images.runtime.contract import ImageParams
from model_images.runtime.registry import describe, processors

ROOT = Path(__file__).parents[2]
DOCS = {name: (ROOT / f"docs/{name}.md").read_text() for name in ("filters", "apps")}
PROCESSORS = [p for p in processors().values() if type(p).__module__.startswith("model_images.")]
TESTS = {"filters": ROOT / "tests/filters", "apps": ROOT / "tests/families"}
FIELDS = [
    pytest.param(p, name, schema, id=f"{p.name}-{name}")
    for p in PROCESSORS
    for name, schema in p.Params.model_json_schema()["properties"].items()
]


def chapter(processor) -> str:
    return "apps" if processor.needs_weights else "filters"


def section(name: str, title: str) -> str:
    found = re.search(rf"^## `?{re.escape(title)}`?$(.*?)(?=^## |\Z)", DOCS[name], re.M | re.S)
    return found[1] if found else ""


def test_filters_and_families_are_found():
    filters = sorted(p.name for p in PROCESSORS if not p.needs_weights)
    families = {p.name: (p.family, p.ways_in[0].path) for p in PROCESSORS if p.needs_weights}

    assert filters == ["ascii", "blackwhite", "mosaic", "pixelart"]
    assert families == {
        "yolov5": ("yolov5", "detect"),
        "gan": ("gan", "generate"),
        "classifier": ("classifier", "classify"),
    }


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda p: p.name)
def test_a_processor_says_what_it_is(processor):
    cls = type(processor)
    assert cls.__doc__ and ">>>" in cls.__doc__
    assert inspect.getmodule(cls).__doc__
    assert processor.title
    assert processor.summary.endswith(".")
    assert 20 < len(processor.summary) <= 120
    assert re.fullmatch(r"[a-z0-9]+", processor.name)
    assert processor.version
    assert 0 < processor.seconds_per_megapixel < 1
    assert set(processor.outputs) <= {"image", "text", "html", "data"}
    assert issubclass(processor.Params, ImageParams) == ("image" in processor.outputs)
    processor.Params()  # every option has a default, and the defaults hold


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda p: p.name)
def test_the_example_in_its_docstring_runs(processor):
    module = inspect.getmodule(type(processor))
    results = doctest.testmod(module)
    assert results.attempted >= 1
    assert results.failed == 0


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda p: p.name)
def test_a_processor_has_tests_of_its_own(processor):
    assert (TESTS[chapter(processor)] / f"test_{processor.name}.py").exists()


@pytest.mark.parametrize(("processor", "name", "schema"), FIELDS)
def test_an_option_is_bounded_and_explained(processor, name, schema):
    assert "default" in schema, "no default"
    assert schema.get("description"), "no description"
    assert schema.get("examples"), "no example"
    kind = schema.get("type")
    if kind in ("integer", "number"):
        assert "minimum" in schema and "maximum" in schema, "no bounds"
    if kind == "string" and "enum" not in schema:
        assert "maxLength" in schema, "no bound"
    if kind == "array":
        assert "maxItems" in schema, "no bound"
    processor.Params(**{name: schema["examples"][0]})
    assert schema["examples"][0] != schema["default"] or len(schema["examples"]) > 1


@pytest.mark.parametrize(("processor", "name", "schema"), FIELDS)
def test_an_option_is_in_the_docs(processor, name, schema):
    page = chapter(processor)
    own = section(page, processor.name)
    assert own, f"docs/{page}.md has no section {processor.name}"
    shared = section("filters", "Options of every filter")
    where = shared if name in ImageParams.model_fields else own
    assert f"`{name}`" in where
    for value in schema.get("enum", []):
        assert f"`{value}`" in where, f"{value} is not explained"


def test_the_catalogue_can_be_made():
    names = [entry["name"] for entry in describe()["processors"]]
    assert set(names) >= {"ascii", "blackwhite", "mosaic", "pixelart"}
