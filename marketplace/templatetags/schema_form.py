"""`{% schema_form schema values=… errors=… folders=… %}` draws the options of an app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import template

from marketplace import schema_form as forms

register = template.Library()


@register.inclusion_tag("schema_form/form.html", name="schema_form")
def schema_form(
    schema: Mapping[str, Any],
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, Sequence[str]] | None = None,
    folders: Sequence[Any] = (),
    prefix: str = "option",
) -> dict[str, Any]:
    """`folders`: what a folder option offers; each has `id` and `path`."""
    return {"groups": forms.build(schema, values, errors, prefix), "folders": folders}
