"""Documents as the model families make them, for jobs whose photos nobody really ran."""

from __future__ import annotations

from typing import Any

from apps.processing.documents import store
from apps.processing.models import Job, JobImage


def detection(label: str, confidence: float = 0.9, box: Any = (100, 200, 300, 400), **more: Any) -> dict:
    return {"label": label, "confidence": confidence, "box": list(box), **more}


def detected(*found: dict) -> dict:
    counts: dict[str, int] = {}
    for one in found:
        counts[one["label"]] = counts.get(one["label"], 0) + 1
    return {"detections": list(found), "counts": counts}


def classified(label: str, probability: float = 0.8, rgb: str = "", ryb: str = "") -> dict:
    names = [label, *(name for name in ("seven", "two", "boat") if name != label)][:3]
    top = [
        {"label": name, "class_id": place, "confidence": round(probability / (place + 1), 3)}
        for place, name in enumerate(names)
    ]
    return {
        "probs": [one["confidence"] for one in top],
        "best_prob": probability,
        "predicted_id": 0,
        "predicted_class": label,
        "predictor_name": "digits",
        "top": top,
        "classes": [top[0] | ({"rgb": rgb, "ryb": ryb} if rgb else {})],
    }


def tell(job: Job, data: list[dict | None], **changes: Any) -> None:
    """Replace the job's documents: one for each of its first photos, failed where `data` is None."""
    store().delete(job.id)
    rows = JobImage.objects.filter(job=job).order_by("position")[: len(data)]
    store().save_many(
        [_document(job, row, one) | changes for row, one in zip(rows, data, strict=True)],
    )


def _document(job: Job, row: JobImage, data: dict | None) -> dict:
    failed = data is None
    return {
        "job": job.id,
        "image": row.image_id,
        "position": row.position,
        "name": row.name,
        "sha256": row.sha256,
        "attempt": 1,
        "status": "failed" if failed else "ok",
        "error": {"code": "truncated", "message": "The file is cut off."} if failed else None,
        "node": "node-1",
        "worker": "w",
        "started": 10.0,
        "finished": 10.5,
        "width": 1000,
        "height": 800,
        "bytes": 100,
        "timings": {"process_ms": 3.5},
        "outputs": [],
        "output_image": None,
        "data": data,
    }
