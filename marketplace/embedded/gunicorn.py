"""Gunicorn's settings for the web process. Threads, because pages with live progress hold one each."""

from __future__ import annotations

import gc
from typing import Any

worker_class = "gthread"
# Restarting a worker that hangs; a thread that waits for events does not count as hanging.
timeout = 60
graceful_timeout = 3
keepalive = 15
control_socket_disable = True
worker_tmp_dir = None
accesslog = None
loglevel = "warning"
preload_app = True  # imported once, then forked: a start takes half the time


def when_ready(server: Any) -> None:
    """What was imported stays: the processes forked from here need not look through it for garbage, and so
    leave it in the memory that they share."""
    gc.collect()
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    """Fold what an ended process has measured into the sum."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)
