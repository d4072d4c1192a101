"""Every construct of JSON Schema that an app's options use becomes the right control."""

from __future__ import annotations

import re

import pytest
from django.template import Context, Template

from marketplace.schema_form import Field, build


def field(part: dict, *, defs: dict | None = None, **kwargs) -> Field:
    schema = {"properties": {"option": part}, "$defs": defs or {}}
    (group,) = build(schema, **kwargs)
    (only,) = group.fields
    return only


def drawn(part: dict, **kwargs) -> str:
    schema = {"properties": {"option": part}}
    page = Template("{% load schema_form %}{% schema_form schema values errors folders %}")
    return page.render(Context({"schema": schema, "values": {}, "errors": {}, "folders": []} | kwargs))


HEX = {"type": "string", "pattern": "^#[0-9a-f]{6}$"}


@pytest.mark.parametrize(
    ("part", "control"),
    [
        ({"type": "string", "enum": ["on", "off"]}, "segments"),
        ({"type": "string", "enum": ["a", "b", "c", "d", "e"]}, "select"),
        ({"type": "string", "enum": ["a long word indeed", "another long word"]}, "select"),
        ({"const": "only", "type": "string"}, "segments"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "integer"),
        ({"type": "number"}, "number"),
        ({"type": "boolean"}, "switch"),
        ({"type": "string"}, "text"),
        (HEX, "color"),
        ({"type": "array", "items": HEX}, "colors"),
        ({"type": "array", "prefixItems": [{"type": "number"}, {"type": "number"}]}, "numbers"),
        ({"type": "array", "prefixItems": [{"type": "number"}, {"type": "string"}]}, "json"),
        ({"type": "array", "items": {"type": "integer"}}, "json"),
        ({"type": "array", "items": {"type": "string", "enum": ["cat", "dog"]}}, "choices"),
        ({"type": "array", "items": {"enum": ["cat", "dog"]}, "default": []}, "choices"),
        ({"type": "object"}, "json"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "json"),
        ({"type": "string", "x-asset": "folder"}, "folder"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}], "x-asset": "folder"}, "folder"),
    ],
)
def test_the_control_follows_the_type(part, control):
    assert field(part).control == control


def test_a_reference_to_a_definition_is_opened():
    made = field(
        {"$ref": "#/$defs/Mode", "default": "b"}, defs={"Mode": {"type": "string", "enum": ["a", "b"]}}
    )
    assert (made.control, made.value, [c.value for c in made.choices]) == ("segments", "b", ["a", "b"])


def test_null_beside_a_type_makes_the_field_optional():
    made = field(
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"type": "null"}], "default": None}
    )
    assert (made.control, made.nullable, made.bounded, made.text, made.empty) == (
        "integer",
        True,
        False,
        "",
        "Automatic",
    )


@pytest.mark.parametrize(
    ("part", "bounded", "step"),
    [
        ({"type": "integer", "minimum": 0, "maximum": 255}, True, 1),
        ({"type": "integer", "minimum": 0, "maximum": 255, "multipleOf": 5}, True, 5),
        ({"type": "integer", "minimum": 0}, False, 1),
        ({"type": "integer", "minimum": 0, "maximum": 2**31}, False, 1),
        ({"type": "number", "minimum": 0, "maximum": 1}, True, 0.01),
        ({"type": "number", "minimum": 0, "maximum": 10}, True, 0.1),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100}, True, 1),
        ({"type": "number"}, False, "any"),
    ],
)
def test_a_slider_needs_bounds_that_are_near_enough(part, bounded, step):
    made = field(part)
    assert (made.bounded, made.step) == (bounded, step)


@pytest.mark.parametrize(
    ("name", "title", "label"),
    [
        ("block_size", "Block Size", "Block size"),
        ("block_size", "", "Block size"),
        ("charset", "Character set", "Character set"),
        ("dpi", "DPI", "DPI"),
    ],
)
def test_labels_are_in_sentence_case(name, title, label):
    (group,) = build({"properties": {name: {"type": "integer", "title": title}}})
    assert group.fields[0].label == label


def test_labels_of_values_come_from_the_schema_or_from_the_value():
    made = field({"enum": ["floyd_steinberg", "none"], "x-labels": {"floyd_steinberg": "Floyd–Steinberg"}})
    assert [choice.label for choice in made.choices] == ["Floyd–Steinberg", "None"]


def test_groups_come_after_the_rest_and_open_when_there_is_something_to_see():
    schema = {
        "properties": {
            "quality": {"type": "integer", "default": 90, "x-group": "File"},
            "mode": {"type": "boolean", "default": False},
        }
    }
    titles = [(group.title, [f.name for f in group.fields]) for group in build(schema)]
    assert titles == [("", ["mode"]), ("File", ["quality"])]
    assert not build(schema)[1].open
    assert build(schema, {"quality": 80})[1].open
    assert build(schema, errors={"quality": ["too low"]})[1].open


def test_a_rule_for_showing_reaches_the_page():
    page = drawn({"type": "integer", "x-show-if": {"mode": "dither"}})
    assert 'data-show-if="{&quot;mode&quot;: [&quot;dither&quot;]}"' in page


def test_help_and_errors_are_tied_to_the_control():
    page = drawn(
        {"type": "integer", "minimum": 1, "maximum": 9, "description": "How many", "default": 3},
        errors={"option": ["must be at least 1"]},
    )
    described = re.search(r'type="number"[^>]*aria-describedby="([^"]+)"', page)
    assert described
    assert described.group(1) == "option-option-help option-option-error"
    assert '<p class="field__help" id="option-option-help">How many</p>' in page
    assert '<p class="field__error" id="option-option-error">must be at least 1</p>' in page
    assert 'aria-invalid="true"' in page


def test_a_bounded_number_has_a_slider_and_a_number():
    page = drawn({"type": "number", "minimum": 0, "maximum": 1, "default": 0.25})
    assert 'type="range" min="0" max="1" step="0.01" value="0.25"' in page
    assert 'type="number"' in page


def test_given_values_replace_defaults():
    part = {"type": "string", "enum": ["a", "b", "c", "d", "e"], "default": "a"}
    assert '<option value="c" selected>C</option>' in drawn(part, values={"option": "c"})


def test_what_a_person_typed_is_escaped():
    page = drawn({"type": "string"}, values={"option": '"><script>alert(1)</script>'})
    assert "<script>" not in page


def test_folders_are_offered_by_path():
    folders = [{"id": "f1", "path": "Family/Holiday"}]
    page = drawn({"type": "string", "x-asset": "folder", "x-empty": "Built-in tiles"}, folders=folders)
    assert '<option value="">Built-in tiles</option><option value="f1">Family/Holiday</option>' in page


def test_a_list_of_colours_has_one_input_each_and_a_template_for_more():
    page = drawn(
        {"type": "array", "items": HEX, "maxItems": 4, "default": []},
        values={"option": ["#000000", "#ffffff"]},
    )
    before_template = page.partition("<template>")[0]
    assert before_template.count('type="color"') == 2
    assert 'data-max="4"' in page


def test_a_fixed_tuple_has_as_many_inputs_as_it_has_parts():
    part = {"type": "array", "prefixItems": [{"type": "number"}] * 3, "default": [0.3, 0.6, 0.1]}
    page = drawn(part)
    assert re.findall(r'type="number"[^>]*value="([^"]*)"', page) == ["0.3", "0.6", "0.1"]


def test_classes_are_a_list_to_choose_from():
    names = [f"class_{number}" for number in range(13)]
    part = {"type": "array", "items": {"type": "string", "enum": names}, "default": []}
    made = field(part, values={"option": ["class_3", "gone"]})
    assert ([choice.label for choice in made.choices], made.searched) == (names, True)
    page = drawn(part, values={"option": ["class_3"]})
    assert page.count("data-choice>") == 13
    assert 'value="class_3" checked data-choice>' in page
    assert "data-choice-search" in page


def test_few_classes_need_no_search():
    page = drawn({"type": "array", "items": {"enum": ["cat", "dog"]}, "default": []})
    assert "data-choice-search" not in page
    assert page.count(" checked") == 0


@pytest.mark.parametrize("value", [None, "cat", 7, {"a": 1}, [3, None]])
def test_odd_values_of_a_choice_choose_nothing(value):
    page = drawn({"type": "array", "items": {"enum": ["cat", "dog"]}}, values={"option": value})
    assert page.count(" checked") == 0


def test_a_seed_has_a_button_for_a_new_one():
    schema = {"properties": {"seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "default": 0}}}
    (group,) = build(schema)
    assert group.fields[0].control == "seed"
    page = Template("{% load schema_form %}{% schema_form schema %}").render(Context({"schema": schema}))
    assert "data-new-seed" in page
    assert 'max="4294967295"' in page
