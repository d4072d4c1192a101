"""Detections as files that training and labelling tools read: COCO and YOLO. Made while they are sent.

    box       [x, y, width, height] in pixels of the upright photo, as a document has it
    filters   choose the photos, and of their detections those that match: a file of "cat" holds no dog

Photos that failed are left out. Numbers of photos and boxes do not depend on the filters, nor do those of
classes that the detector numbers or the app lists.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

import yaml
from zipstream import ZIP_DEFLATED, ZipStream

from apps.drive.archive import FreeNames
from apps.processing.classes import ClassNumbers
from apps.processing.documents.base import Doc, Filters, matches
from apps.processing.exports import safe_cell
from apps.processing.models import Job

_PER_PHOTO = 100_000  # numbers set aside for the boxes of one photo


def to_coco(job: Job, docs: Iterable[Doc], filters: Filters, known: Iterable[str] = ()) -> Iterator[str]:
    """COCO object detection: images, annotations, and the classes. An app that detects nothing gives no
    annotations. `known`: the app's class names in its order.

    The parts that need all documents come last: only class names and boxes are held in memory.
    """
    info = {"description": f"{job.app_title} over {job.folder_name}", "date_created": job.created.isoformat()}
    yield f'{{"info":{json.dumps(info, ensure_ascii=False)},"licenses":[],"images":['
    classes = ClassNumbers(known)
    annotations: list[str] = []
    separator = ""
    for doc in docs:
        if doc["status"] != "ok":
            continue
        yield separator + json.dumps(_coco_image(doc), ensure_ascii=False)
        separator = ","
        for place, one in detections(doc, filters):
            annotations.append(json.dumps(_annotation(doc["position"] + 1, place, one, classes)))
    categories = [{"id": number + 1, "name": name} for number, name in enumerate(classes.names)]
    shown = json.dumps(categories, ensure_ascii=False)
    yield f'],"annotations":[{",".join(annotations)}],"categories":{shown}}}'


def _coco_image(doc: Doc) -> dict[str, Any]:
    return {
        "id": doc["position"] + 1,
        "file_name": doc["name"],
        "width": doc["width"],
        "height": doc["height"],
        "sha256": doc["sha256"],
    }


def _annotation(image: int, place: int, one: dict[str, Any], classes: ClassNumbers) -> dict[str, Any]:
    x, y, width, height = one["box"]
    return {
        "id": image * _PER_PHOTO + place + 1,
        "image_id": image,
        "category_id": classes.of(str(one["label"]), one.get("class_id")) + 1,
        "bbox": [x, y, width, height],
        "area": width * height,
        "iscrowd": 0,
        "score": one.get("confidence", 1.0),
    }


def to_yolo(
    job: Job, docs: Iterable[Doc], filters: Filters, known: Iterable[str] = (), confidence: bool = False
) -> Iterator[bytes]:
    """A zip: `labels/<photo>.txt` with a line `class cx cy width height` a box, shares of the photo's sides;
    `classes.txt`, `data.yaml`, and `photos.csv`, which tells the photo of each label file.

    A photo without boxes has an empty file: it is an example of nothing to be found. `confidence` adds it as
    a sixth number. Photos whose names differ in the ending only get label files `cat.txt` and `cat (2).txt`.
    """
    out = ZipStream(compress_type=ZIP_DEFLATED)
    classes = ClassNumbers(known)
    names = FreeNames()
    photos = io.StringIO()
    rows = csv.writer(photos)
    rows.writerow(["labels", "name", "image", "sha256", "width", "height"])
    for doc in docs:
        if doc["status"] != "ok" or not doc["width"] or not doc["height"]:
            continue
        lines = [_yolo_line(doc, one, classes, confidence) for _, one in detections(doc, filters)]
        path = f"labels/{names.take(_stem(doc['name']) + '.txt')}"
        out.add("".join(lines), path)
        row = [path, doc["name"], doc["image"], doc["sha256"], doc["width"], doc["height"]]
        rows.writerow([safe_cell(value) for value in row])
        yield from out.all_files()
    out.add("".join(f"{_line(name)}\n" for name in classes.names), "classes.txt")
    out.add(_data_yaml(classes.names), "data.yaml")
    out.add(photos.getvalue(), "photos.csv")
    yield from out.finalize()


def _stem(name: str) -> str:
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def _yolo_line(doc: Doc, one: dict[str, Any], classes: ClassNumbers, confidence: bool) -> str:
    """Clipped to the photo: training tools refuse shares outside 0 to 1."""
    x, y, width, height = one["box"]
    left, right = (min(max(side / doc["width"], 0.0), 1.0) for side in (x, x + width))
    top, bottom = (min(max(side / doc["height"], 0.0), 1.0) for side in (y, y + height))
    numbers = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    if confidence:
        numbers.append(float(one.get("confidence", 1.0)))
    shares = " ".join(f"{number:.6f}" for number in numbers)
    return f"{classes.of(str(one['label']), one.get('class_id'))} {shares}\n"


def _data_yaml(names: list[str]) -> str:
    """Put the photos beside the labels, in `images/`, and a training tool finds both."""
    data = {"path": ".", "train": "images", "val": "images", "names": dict(enumerate(names))}
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def _line(text: str) -> str:
    return " ".join(text.split())


def detections(doc: Doc, filters: Filters | None = None) -> list[tuple[int, dict[str, Any]]]:
    """(place in the document, detection) of those that have a class and a box and match the filters."""
    found = (doc["data"] or {}).get("detections")
    if not isinstance(found, list):
        return []
    return [
        (place, one)
        for place, one in enumerate(found[:_PER_PHOTO])
        if is_detection(one) and (filters is None or matches(one, filters))
    ]


def is_detection(one: Any) -> bool:
    box = one.get("box") if isinstance(one, dict) else None
    if not isinstance(box, list) or len(box) != 4 or not one.get("label"):
        return False
    return all(isinstance(side, int | float) and math.isfinite(side) for side in box)
