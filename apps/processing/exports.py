"""Results as files: CSV and JSON lines. Generators, so that memory does not grow with the job.

`exports_boxes` makes those that hold detections only.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from apps.processing.documents.base import Doc, findings

COLUMNS = (
    *("image", "position", "name", "sha256", "status", "error_code", "error_message", "node", "worker"),
    *("started", "finished", "seconds", "width", "height", "bytes", "output_image", "output_name"),
    *("output_bytes", "findings", "labels", "predicted_class", "probability", "rgb", "ryb", "data"),
)
# What makes a spreadsheet run a cell as a formula.
_FORMULA = ("=", "+", "-", "@")


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def to_csv(docs: Iterable[Doc]) -> Iterator[str]:
    """A line a photo, with a header line. Text that a spreadsheet would run begins with an apostrophe.

    `labels` counts the classes found ("cat: 2; dog: 1"); `rgb` and `ryb` are the dominant colours of the
    photo where one class was given to it as a whole.
    """
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(COLUMNS)  # the mark tells spreadsheets that it is UTF-8
    for doc in docs:
        yield writer.writerow([safe_cell(value) for value in _columns(doc)])


def _columns(doc: Doc) -> Iterator[Any]:
    error = doc["error"] or {}
    image = next((one for one in doc["outputs"] if one["kind"] == "image"), {})
    data = doc["data"] or {}
    yield from (doc["image"], doc["position"], doc["name"], doc["sha256"], doc["status"])
    yield from (error.get("code", ""), error.get("message", ""), doc["node"], doc["worker"])
    yield from (doc["started"], doc["finished"], round(doc["finished"] - doc["started"], 4))
    yield from (doc["width"], doc["height"], doc["bytes"])
    yield from (doc["output_image"] or "", image.get("name", ""), image.get("bytes", ""))
    found = findings(doc)
    yield len(found) if found or "detections" in data else ""
    counts = Counter(one["label"] for one in found)
    yield "; ".join(f"{label}: {count}" for label, count in counts.most_common())
    whole = found[0] if found and data.get("predicted_class") else {}
    yield from (data.get("predicted_class") or "", data.get("best_prob", ""))
    yield from (whole.get("rgb", ""), whole.get("ryb", ""))
    yield json.dumps(data, ensure_ascii=False) if data else ""


def safe_cell(value: Any) -> Any:
    """`value`, with an apostrophe before text that a spreadsheet would take for a formula."""
    return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(_FORMULA) else value


def to_jsonl(docs: Iterable[Doc]) -> Iterator[str]:
    """A document a line."""
    for doc in docs:
        yield json.dumps(doc, ensure_ascii=False, separators=(",", ":")) + "\n"
