"""A node worker that does as its test says: the real queue, tasks and heartbeats, and no photos.

    python -m tests.cluster_app.stub_node        BROKER_URL, DATA_DIR, NODE_NAME

A worker runs until `jobs/<job>/end-<worker>` appears; the file's text is its reason. With `vanish` there, it
is gone without a word.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from celery import Celery

import jobfolder

DATA = Path(os.environ["DATA_DIR"])
NODE = os.environ["NODE_NAME"]
TICK = 0.05

app = Celery("stub", broker=os.environ["BROKER_URL"])
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False, worker_enable_remote_control=False)
running: set[str] = set()
lock = threading.Lock()
born = time.time()


@app.task(name="model_images.node.run_batch")
def run_batch(job_id: str, worker: str) -> None:
    with lock:
        if worker in running:
            return
        running.add(worker)
    try:
        work(jobfolder.job_dir(DATA, job_id), worker)
    finally:
        with lock:
            running.discard(worker)


def work(folder: Path, worker: str) -> None:
    start, order = time.time(), folder / f"end-{worker}"
    with (folder / "starts").open("a") as starts:
        starts.write(f"{worker}\n")

    def say(state: str, reason: str = "") -> None:
        beat = jobfolder.Heartbeat(worker, NODE, os.getpid(), start, time.time(), state=state, reason=reason)
        jobfolder.write_worker(folder, beat)

    while True:
        say("working")
        if order.exists():
            reason = order.read_text()
            break
        if jobfolder.stop_requested(folder):
            reason = "stopped"
            break
        time.sleep(TICK)
    if reason != "vanish":
        say("exited", reason)


def beat() -> None:
    while True:
        now = time.time()
        with lock:
            names = sorted(running)
        with suppress(OSError):
            jobfolder.write_node(
                DATA, jobfolder.NodeHeartbeat(NODE, "celery", 2, 100.0, "0", os.getpid(), born, now, names)
            )
        time.sleep(TICK)


if __name__ == "__main__":
    threading.Thread(target=beat, daemon=True).start()
    options = [
        "--pool=threads",
        "--concurrency=4",
        "--without-gossip",
        "--without-mingle",
        "--loglevel=WARNING",
    ]
    app.worker_main(["worker", f"--queues={NODE}", f"--hostname=stub@{NODE}", *options])
