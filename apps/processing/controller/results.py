"""What a worker says about a photo, checked. A worker decodes strangers' files, so its word counts only for
its own job, only about that job's photos, and only with fields of the kind they should have."""

from __future__ import annotations

import math
from pathlib import Path, PurePath
from typing import Any

from apps.drive.services.ingest import Adopted, AdoptedFile
from apps.processing.documents.base import Doc
from apps.processing.models import Job, JobImage
from apps.processing.storable import is_storable
from jobfolder.layout import check_name

FORMATS = {"image/jpeg": ("jpeg", ".jpg"), "image/png": ("png", ".png"), "image/webp": ("webp", ".webp")}
SUFFIXES = {"text/plain": ".txt", "text/html": ".html", "application/json": ".json"}
_HEX = frozenset("0123456789abcdef")
_MAX_SIDE = 1_000_000


def origin(job: Job, image_id: str) -> str:
    """What a result is known by in the drive."""
    return f"job:{job.id}:{image_id}"


def checked(job: Job, row: JobImage, line: dict[str, Any]) -> Doc | None:
    """The document of `row` made from a line; None for a line that can't be one.

    A failure of an earlier attempt is past. A good result of one is welcome: a worker that was taken for dead
    has finished after all.
    """
    attempt, status = line.get("attempt"), line.get("status")
    if not isinstance(attempt, int) or not 1 <= attempt <= job.attempt:
        return None
    if status != "ok" and (status != "failed" or attempt < job.attempt):
        return None
    doc: Doc = {
        "job": job.id,
        "image": row.image_id,
        "position": row.position,
        "name": row.name,
        "sha256": row.sha256,
        "attempt": attempt,
        "status": status,
        "error": None,
        "node": _text(line.get("node"), 63),
        "worker": _text(line.get("worker"), 80),
        "started": _number(line.get("started")),
        "finished": _number(line.get("finished")),
        "width": _whole(line.get("width")),
        "height": _whole(line.get("height")),
        "bytes": _whole(line.get("bytes")),
        "timings": _timings(line.get("timings")),
        "outputs": [],
        "output_image": None,
        "data": _data(line.get("data")),
    }
    if doc["status"] == "failed":
        return {**doc, "error": _error(line.get("error"))}
    outputs = line.get("outputs")
    doc["outputs"] = [_output(row, one) for one in outputs] if isinstance(outputs, list) else []
    if None in doc["outputs"] or not _has_image(doc["outputs"]):
        error = {"code": "bad_result", "message": "The app's result could not be read."}
        return {**doc, "status": "failed", "error": error, "outputs": []}
    return doc


def failed(job: Job, row: JobImage, code: str, message: str) -> Doc:
    """A document for a photo that no worker has told about."""
    line = {"status": "failed", "attempt": job.attempt, "error": {"code": code, "message": message}}
    doc = checked(job, row, line)
    if doc is None:
        raise ValueError(f"no document for {row.image_id}")
    return doc


def adopted(job: Job, doc: Doc, folder: Path) -> Adopted:
    """How the drive is to take in a document's files."""
    image = next(one for one in doc["outputs"] if one["kind"] == "image")
    return Adopted(
        path=folder / image["path"],
        name=image["name"],
        sha256=image["sha256"],
        format=FORMATS[image["media_type"]][0],
        bytes=image["bytes"],
        width=image["width"],
        height=image["height"],
        origin=origin(job, doc["image"]),
        attachments=[
            AdoptedFile(folder / one["path"], one["name"], one["media_type"], one["sha256"], one["bytes"])
            for one in doc["outputs"]
            if one is not image
        ],
    )


def without_path(output: dict[str, Any]) -> dict[str, Any]:
    """An output as it is kept: the job folder it lay in is gone soon."""
    return {name: value for name, value in output.items() if name != "path"}


def _has_image(outputs: list[Any]) -> bool:
    return not outputs or any(one and one["kind"] == "image" for one in outputs)


def _output(row: JobImage, value: Any) -> dict[str, Any] | None:
    """One file of a result; None if it can't be one."""
    if not isinstance(value, dict):
        return None
    media_type, sha256 = value.get("media_type"), value.get("sha256")
    kind = value.get("kind")
    suffix = FORMATS[media_type][1] if media_type in FORMATS else SUFFIXES.get(str(media_type))
    folder, _, name = str(value.get("path")).partition("/")
    try:
        plain = folder == "output" and bool(check_name(name))
    except ValueError:
        plain = False
    if not plain or suffix is None or (kind == "image") != (media_type in FORMATS):
        return None
    if not isinstance(sha256, str) or len(sha256) != 64 or not _HEX.issuperset(sha256):
        return None
    output = {
        "kind": _text(kind, 10),
        "name": f"{PurePath(row.name).stem}{suffix}",
        "path": f"output/{name}",
        "media_type": media_type,
        "sha256": sha256,
        "bytes": _whole(value.get("bytes")),
    }
    if kind == "image":
        output |= {"width": _whole(value.get("width")), "height": _whole(value.get("height"))}
        if not 0 < output["width"] <= _MAX_SIDE or not 0 < output["height"] <= _MAX_SIDE:
            return None
    return output


def _data(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) and is_storable(value) else None


def _error(value: Any) -> dict[str, str]:
    error = value if isinstance(value, dict) else {}
    return {
        "code": _text(error.get("code"), 60) or "failed",
        "message": _text(error.get("message"), 500) or "The app could not process this photo.",
    }


def _timings(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        return {}
    return {_text(name, 40): _number(part) for name, part in list(value.items())[:20]}


def _text(value: Any, limit: int) -> str:
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "replace").decode().replace("\x00", "")[:limit]


def _number(value: Any) -> float:
    """A finite number that is not negative; 0.0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return max(0.0, float(value))


def _whole(value: Any) -> int:
    return int(_number(value)) if isinstance(value, int) and value < 1 << 62 else 0
