"""What the log leaves out."""

from __future__ import annotations

import logging


class NotReadyz(logging.Filter):
    """Drops what Django logs about /readyz answering 503: asked until it is 200."""

    def filter(self, record: logging.LogRecord) -> bool:
        path = getattr(getattr(record, "request", None), "path", "")
        return not (path == "/readyz" and getattr(record, "status_code", None) == 503)
