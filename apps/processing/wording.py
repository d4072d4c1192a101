"""JSON Schema errors in plain words, each beside the option it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from jsonschema.exceptions import ValidationError, relevance

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "empty",
}


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


_TEXTS: dict[str, Callable[[Any], str]] = {
    "enum": lambda values: f"must be one of {', '.join(_show(value) for value in values)}",
    "const": lambda value: f"must be {_show(value)}",
    "minimum": lambda limit: f"must be at least {limit:g}",
    "maximum": lambda limit: f"must be at most {limit:g}",
    "exclusiveMinimum": lambda limit: f"must be more than {limit:g}",
    "exclusiveMaximum": lambda limit: f"must be less than {limit:g}",
    "multipleOf": lambda step: f"must be a multiple of {step:g}",
    "minLength": lambda limit: f"must have at least {_count(limit, 'character', 'characters')}",
    "maxLength": lambda limit: f"must have at most {_count(limit, 'character', 'characters')}",
    "minItems": lambda limit: f"must have at least {_count(limit, 'entry', 'entries')}",
    "maxItems": lambda limit: f"must have at most {_count(limit, 'entry', 'entries')}",
    "uniqueItems": lambda _: "must not have the same entry twice",
    "pattern": lambda pattern: f"must look like {pattern}",
    "type": lambda names: f"must be {_type(names)}",
}


def explain(error: ValidationError) -> Iterator[tuple[str, str]]:
    """(option, what is wrong) for one error; several when options are unknown or missing."""
    if error.validator in {"anyOf", "oneOf"} and error.context:
        yield from _of_alternatives(error)
    elif error.validator == "additionalProperties":
        for name in sorted(set(error.instance) - set(error.schema.get("properties", {}))):
            yield _place(error, name), "there is no such option"
    elif error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield _place(error, name), "is needed"
    else:
        text = _TEXTS.get(str(error.validator))
        yield _place(error), text(error.validator_value) if text else "can't be accepted"


def _of_alternatives(error: ValidationError) -> Iterator[tuple[str, str]]:
    """One of several schemas must match. Where only types differ, name them all; else explain the one that
    the value came closest to."""
    causes = list(error.context)
    by_content = [cause for cause in causes if cause.validator not in {"type", "const"} or cause.path]
    if by_content:
        yield from explain(max(by_content, key=relevance))
        return
    wanted = (_TEXTS[cause.validator](cause.validator_value).removeprefix("must be ") for cause in causes)
    yield _place(error), f"must be {' or '.join(dict.fromkeys(wanted))}"


def _place(error: ValidationError, *more: str) -> str:
    return ".".join([*(str(part) for part in error.absolute_path), *more]) or "params"


def _type(names: str | list[str]) -> str:
    return " or ".join(_TYPES.get(name, name) for name in ([names] if isinstance(names, str) else names))


def _show(value: Any) -> str:
    if value is None:
        return "empty"
    return str(value).lower() if isinstance(value, bool) else str(value)
