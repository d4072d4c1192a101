"""Documents: one for each photo of a job, in a store of their own.

    document    a dict as in docs/architecture/02-job-folder.md, plus `output_image` (id in the drive or None)
    detection   one entry of `document["data"]["detections"]`: {label, confidence, box, rgb, ryb}; rgb and ryb
                are names of the dominant colour in either colour wheel
    filter      a detection must match label, min_confidence, rgb and ryb at once
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Doc = dict[str, Any]


@dataclass(frozen=True)
class Filters:
    status: str = ""  # ok | failed | "" for both
    label: str = ""
    min_confidence: float | None = None
    rgb: str = ""
    ryb: str = ""


@dataclass(frozen=True)
class Counts:
    ok: int
    failed: int
    labels: dict[str, int]  # detections by class, most frequent first
    rgb: dict[str, int]
    ryb: dict[str, int]

    @property
    def total(self) -> int:
        return self.ok + self.failed
