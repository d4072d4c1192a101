"""The first lines of a batch process that a node's fork server has forked."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

from model_images.runtime import child, lockin


def main(job_dir: str, worker: str, node: str) -> None:
    """Never returns. The process ends with its node, whatever happens to that."""
    from model_images.runtime import warm  # loaded in the fork server already; the node itself does without

    lockin.die_with_parent(signal.SIGKILL)
    if os.getppid() != warm.SERVER_PID:  # it died before the line above
        os._exit(child.EXIT_ERROR)
    os.setsid()  # Ctrl-C in the node's terminal is for the node, which then asks its batches to stop
    os.closerange(3, 65_536)  # among them the fork server's life line, which must not be held open from here
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO"), format="%(levelname)s %(name)s: %(message)s"
    )
    status = child.EXIT_ERROR
    try:
        status = child.main(Path(job_dir), worker, node)
    except Exception:
        logging.getLogger(__name__).exception("worker %s could not run", worker)
    finally:
        logging.shutdown()
        os._exit(status)
