"""JSON Schema errors in plain words, each beside the option it is about."""

from __future__ import annotations

from collections.abc import Iterator
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


def explain(error: ValidationError) -> Iterator[tuple[str, str]]:
    """(option, what is wrong) for one error; several when options are unknown or missing."""
    if error.validator in {"anyOf", "oneOf"} and error.context:
        yield from _of_alternatives(error)
        return
    place = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema.get("properties", {})
        for name in sorted(set(error.instance) - set(known)):
            yield _join(place, name), "there is no such option"
        return
    if error.validator == "required" and isinstance(error.instance, dict):
        for name in error.validator_value:
            if name not in error.instance:
                yield _join(place, name), "is needed"
        return
    yield place or "params", _text(error)


def _of_alternatives(error: ValidationError) -> Iterator[tuple[str, str]]:
    """One of several schemas must match. Where only types differ, name them all; else explain the one that
    the value came closest to."""
    causes = list(error.context)
    if all(cause.validator in {"type", "const"} and not cause.path for cause in causes):
        texts = [_wanted(cause) for cause in causes]
        place = ".".join(str(part) for part in error.absolute_path)
        yield place or "params", f"must be {' or '.join(dict.fromkeys(texts))}"
        return
    serious = [cause for cause in causes if cause.validator not in {"type", "const"} or cause.path]
    yield from explain(max(serious or causes, key=relevance))


def _wanted(cause: ValidationError) -> str:
    if cause.validator == "const":
        return _show(cause.validator_value)
    wanted = cause.validator_value if isinstance(cause.validator_value, list) else [cause.validator_value]
    return " or ".join(_TYPES.get(name, name) for name in wanted)


def _text(error: ValidationError) -> str:  # noqa: PLR0911 - one return a keyword reads best
    limit: Any = error.validator_value
    match error.validator:
        case "type":
            return f"must be {_wanted(error)}"
        case "enum":
            return f"must be one of {', '.join(_show(value) for value in limit)}"
        case "const":
            return f"must be {_show(limit)}"
        case "minimum":
            return f"must be at least {limit:g}"
        case "maximum":
            return f"must be at most {limit:g}"
        case "exclusiveMinimum":
            return f"must be more than {limit:g}"
        case "exclusiveMaximum":
            return f"must be less than {limit:g}"
        case "multipleOf":
            return f"must be a multiple of {limit:g}"
        case "minLength":
            return f"must have at least {limit} {'character' if limit == 1 else 'characters'}"
        case "maxLength":
            return f"must have at most {limit} {'character' if limit == 1 else 'characters'}"
        case "minItems":
            return f"must have at least {limit} {'entry' if limit == 1 else 'entries'}"
        case "maxItems":
            return f"must have at most {limit} {'entry' if limit == 1 else 'entries'}"
        case "uniqueItems":
            return "must not have the same entry twice"
        case "pattern":
            return f"must look like {limit}"
    return "can't be accepted"


def _show(value: Any) -> str:
    return "empty" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
