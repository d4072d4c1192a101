"""A node worker: a Celery app without Django and without the database's credentials.

    celery -A model_images.node worker          or          python -m model_images.runtime node

It takes placements from the queue that has the node's name, and runs each as a batch in a forked, locked-in
process. A placement is acknowledged when it starts: nothing rests on the broker delivering it again,
because heartbeats and the job folder decide (docs/architecture/02-job-folder.md). Environment: BROKER_URL,
DATA_DIR, NODE_NAME, NODE_SLOTS, NODE_CORES.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from dataclasses import replace
from typing import Any

from celery import Celery, signals

from jobfolder import NodeHeartbeat, remove_node, write_node
from model_images.filters._jpegtran import is_available
from model_images.runtime import settings as node_settings
from model_images.runtime import speed, threads
from model_images.runtime.naming import NameTaken, take_name
from model_images.runtime.presence import Presence
from model_images.runtime.supervisor import Supervisor

assert threads  # noqa: S101 - imported for its effect, before NumPy's libraries start

log = logging.getLogger(__name__)

try:
    SETTINGS = node_settings.node_settings()
except node_settings.BadSetting as error:
    sys.exit(f"node: {error}")

app = Celery("model_images.node", broker=SETTINGS.broker_url)
app.conf.update(
    task_default_queue=SETTINGS.node,
    task_ignore_result=True,
    task_acks_late=False,
    worker_pool="threads",  # each thread waits for a process that works
    worker_concurrency=SETTINGS.slots,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # the broker comes back, or the node waits
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_soft_shutdown_timeout=0,
    broker_transport_options={"visibility_timeout": 600},
)
supervisor = Supervisor(SETTINGS.data_dir, SETTINGS.node)
_presence: list[Any] = []  # the name's lock, then the heartbeat: kept while the process lives


@app.task(name="model_images.node.run_batch")
def run_batch(job_id: str, worker: str) -> None:
    """Placement `worker` of job `job_id`. May be delivered late, or twice."""
    log.info("worker %s of job %s: start", worker, job_id)
    log.info("worker %s of job %s: %s", worker, job_id, supervisor.run(job_id, worker))


@signals.setup_logging.connect
def _log_plainly(**_: Any) -> None:
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO"), format="%(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("celery").setLevel(logging.WARNING)  # the lines above say the same in our words


@signals.worker_init.connect
def _prepare(**_: Any) -> None:
    """Before the first placement: take the name and the cores, warm up. A signal's errors are only logged by
    Celery, so what must not go on ends the process here."""
    try:
        _presence.append(take_name(SETTINGS.data_dir / "nodes", SETTINGS.node))
        node_settings.pin(SETTINGS.cores)
    except (NameTaken, node_settings.BadSetting, OSError) as error:
        sys.stderr.write(f"node {SETTINGS.node}: {error}\n")
        os._exit(1)
    supervisor.start()


@signals.worker_ready.connect
def _announce(**_: Any) -> None:
    now = time.time()
    beat = NodeHeartbeat(
        node=SETTINGS.node,
        engine="celery",
        slots=SETTINGS.slots,
        speed=speed.measure(),
        cores=SETTINGS.cores,
        pid=os.getpid(),
        started=now,
        time=now,
        libraries=["turbojpeg"] if is_available() else [],
    )
    presence = Presence(
        lambda: write_node(SETTINGS.data_dir, replace(beat, time=time.time(), running=supervisor.running)),
        lambda: remove_node(SETTINGS.data_dir, beat.node, beat.pid),
    )
    presence.start()
    _presence.append(presence)
    log.info("node %s is ready: %s megapixels a second, %s slots", beat.node, beat.speed, beat.slots)


@signals.worker_shutting_down.connect
def _stop_batches(**_: Any) -> None:
    supervisor.stop()


@signals.worker_shutdown.connect
def _leave(**_: Any) -> None:
    for presence in _presence:
        if isinstance(presence, Presence):
            presence.stop()
