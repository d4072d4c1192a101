"""`/docs` of a preview server: one page, no scripts, nothing loaded from anywhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; vertical-align: top }
pre, code { font-family: ui-monospace, monospace; font-size: .9em }
pre { overflow-x: auto; padding: .8rem; background: #8882 }
"""


def page(catalogue: list[dict[str, Any]], url: str) -> str:
    """`catalogue` as in `registry.describe()`."""
    apps = "".join(_app(entry, url) for entry in catalogue)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Preview server</title>'
        f"<style>{_STYLE}</style><h1>Preview server</h1>"
        "<p>Each app answers <code>POST</code> with <code>multipart/form-data</code>: <code>file</code>, the "
        "photo, and <code>params</code>, the options as JSON; some also <code>weights</code>, the sha256 of "
        "those to run. <code>Accept</code> chooses the answer: "
        "<code>image/*</code>, <code>text/plain</code>, <code>text/html</code> or "
        "<code>application/json</code>. The schema is at "
        f'<a href="/openapi.json">/openapi.json</a>.</p>{apps}'
    )


def _app(entry: dict[str, Any], url: str) -> str:
    schema = entry["params_schema"]
    rows = "".join(_row(name, field) for name, field in schema.get("properties", {}).items())
    name = escape(entry["name"])
    weights = " -F weights=SHA256" if entry["weights"] else ""
    base = escape(url)
    examples = "\n".join(
        f"curl -F file=@photo.jpg{weights} -F 'params={{}}' -H 'Accept: application/json' {base}/{path}"
        for path in entry["routes"]
    )
    return (
        f'<h2 id="{name}">{escape(entry["title"])}</h2><p>{escape(entry["summary"])} '
        f"Makes: {escape(', '.join(entry['outputs']))}.</p><pre>{examples}</pre>"
        f"<table><tr><th>Option</th><th>Default</th><th>Values</th><th></th></tr>{rows}</table>"
    )


def _row(name: str, field: dict[str, Any]) -> str:
    values = (name, json.dumps(field.get("default")), _values(field), field.get("description", ""))
    cells = "".join(f"<td>{escape(value)}</td>" for value in values)
    return f"<tr>{cells}</tr>"


def _values(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_values(option) for option in field["anyOf"])
    if "enum" in field:
        return ", ".join(map(str, field["enum"]))
    low, high = field.get("minimum"), field.get("maximum")
    bounds = f" {low:g} to {high:g}" if low is not None and high is not None else ""
    return f"{field.get('type', '')}{bounds}"
