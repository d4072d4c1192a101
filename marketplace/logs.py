"""What the log leaves out."""

from __future__ import annotations

import logging


class NotReadyz(logging.Filter):
    """Drops what Django logs about an expected 503: of /readyz, and of previews while their servers wake up.
    Both are asked until it is 200."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        expected = getattr(request, "path", "") == "/readyz" or getattr(request, "is_waking", False)
        return not (expected and getattr(record, "status_code", None) == 503)
