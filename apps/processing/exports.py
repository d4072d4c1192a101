"""Results as files: CSV, JSON lines, COCO. Generators, so that memory does not grow with the job."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from apps.processing.documents.base import Doc
from apps.processing.models import Job

COLUMNS = (
    *("image", "position", "name", "sha256", "status", "error_code", "error_message", "node", "worker"),
    *("started", "finished", "seconds", "width", "height", "bytes", "output_image", "output_name"),
    *("output_bytes", "findings", "data"),
)
# What makes a spreadsheet run a cell as a formula.
_FORMULA = ("=", "+", "-", "@")


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def to_csv(docs: Iterable[Doc]) -> Iterator[str]:
    """A line a photo, with a header line. Text that a spreadsheet would run begins with an apostrophe."""
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(COLUMNS)  # the mark tells spreadsheets that it is UTF-8
    for doc in docs:
        yield writer.writerow([_cell(value) for value in _columns(doc)])


def _columns(doc: Doc) -> Iterator[Any]:
    error = doc["error"] or {}
    image = next((one for one in doc["outputs"] if one["kind"] == "image"), {})
    data = doc["data"] or {}
    yield from (doc["image"], doc["position"], doc["name"], doc["sha256"], doc["status"])
    yield from (error.get("code", ""), error.get("message", ""), doc["node"], doc["worker"])
    yield from (doc["started"], doc["finished"], round(doc["finished"] - doc["started"], 4))
    yield from (doc["width"], doc["height"], doc["bytes"])
    yield from (doc["output_image"] or "", image.get("name", ""), image.get("bytes", ""))
    yield len(_detections(doc)) if "detections" in data else ""
    yield json.dumps(data, ensure_ascii=False) if data else ""


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(_FORMULA) else value


def to_jsonl(docs: Iterable[Doc]) -> Iterator[str]:
    """A document a line."""
    for doc in docs:
        yield json.dumps(doc, ensure_ascii=False, separators=(",", ":")) + "\n"


def to_coco(job: Job, docs: Iterable[Doc]) -> Iterator[str]:
    """COCO object detection: images, annotations with boxes [x, y, width, height] in pixels of the photo, and
    the classes. Photos that failed are left out; an app that detects nothing gives no annotations.

    The parts that need all documents come last: only class names and boxes are held in memory.
    """
    info = {"description": f"{job.app_title} over {job.folder_name}", "date_created": job.created.isoformat()}
    yield f'{{"info":{json.dumps(info, ensure_ascii=False)},"licenses":[],"images":['
    classes: dict[str, int] = {}
    annotations: list[str] = []
    separator = ""
    for doc in docs:
        if doc["status"] != "ok":
            continue
        number = doc["position"] + 1
        image = {
            "id": number,
            "file_name": doc["name"],
            "width": doc["width"],
            "height": doc["height"],
            "sha256": doc["sha256"],
        }
        yield separator + json.dumps(image, ensure_ascii=False)
        separator = ","
        for one in _detections(doc):
            annotations.append(json.dumps(_annotation(len(annotations) + 1, number, one, classes)))
    categories = [{"id": number, "name": name} for name, number in classes.items()]
    yield f'],"annotations":[{",".join(annotations)}],"categories":{json.dumps(categories)}}}'


def _annotation(number: int, image: int, one: dict[str, Any], classes: dict[str, int]) -> dict[str, Any]:
    x, y, width, height = one["box"]
    return {
        "id": number,
        "image_id": image,
        "category_id": classes.setdefault(str(one["label"]), len(classes) + 1),
        "bbox": [x, y, width, height],
        "area": width * height,
        "iscrowd": 0,
        "score": one.get("confidence", 1.0),
    }


def _detections(doc: Doc) -> list[dict[str, Any]]:
    """The detections that have a class and a box of four numbers."""
    found = (doc["data"] or {}).get("detections")
    return [one for one in found if _is_detection(one)] if isinstance(found, list) else []


def _is_detection(one: Any) -> bool:
    box = one.get("box") if isinstance(one, dict) else None
    numbers = isinstance(box, list) and len(box) == 4 and all(isinstance(side, int | float) for side in box)
    return numbers and bool(one.get("label"))
