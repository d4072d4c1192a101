"""Writes what came of a photo into the job's `output/`, each file at once and under a name of its own."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePath
from typing import Any

from jobfolder import ChunkImage
from jobfolder.layout import write_bytes
from model_images.runtime.imageio import SUFFIXES
from model_images.runtime.work import Done

_LARGE = 500_000  # bytes; of smaller files many are synced together in little time


def save_outputs(job_dir: Path, image: ChunkImage, done: Done) -> list[dict[str, Any]]:
    """`outputs` of the image's document. Writing them again replaces them by the same bytes."""
    outputs = []
    if done.image is not None:
        size = {"width": done.image.width, "height": done.image.height}
        outputs.append(_save(job_dir, image, "image", done.image.media_type, done.image.data) | size)
    if done.text is not None:
        outputs.append(_save(job_dir, image, "text", "text/plain", done.text.encode()))
    if done.html is not None:
        outputs.append(_save(job_dir, image, "html", "text/html", done.html.encode()))
    return outputs


def _save(job_dir: Path, image: ChunkImage, kind: str, media_type: str, data: bytes) -> dict[str, Any]:
    suffix = SUFFIXES[media_type]
    path = f"output/{image.image}{suffix}"
    # A time limit or a full disk leaves no half file. Results are synced before they enter the drive.
    write_bytes(f"{os.fspath(job_dir)}/{path}", data, on_its_way=len(data) >= _LARGE)
    return {
        "kind": kind,
        "name": f"{PurePath(image.name).stem}{suffix}",
        "path": path,
        "media_type": media_type,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
    }
