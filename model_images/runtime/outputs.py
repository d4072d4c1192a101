"""Writes what came of a photo into the job's `output/`, each file at once and under a name of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePath
from typing import Any

from jobfolder import ChunkImage
from jobfolder.layout import temporary
from model_images.runtime.imageio import SUFFIXES
from model_images.runtime.work import Done


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
    path = job_dir / "output" / f"{image.image}{suffix}"
    partial = temporary(path)
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except BaseException:  # a time limit or a full disk: leave no half file
        partial.unlink(missing_ok=True)
        raise
    return {
        "kind": kind,
        "name": f"{PurePath(image.name).stem}{suffix}",
        "path": f"output/{path.name}",
        "media_type": media_type,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
    }
