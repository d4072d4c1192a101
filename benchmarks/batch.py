"""A folder job against the bare loop: what the platform costs on top of the work itself.

The bare loop is the least that could do the same work on the same cores: one warm process a core, pinned,
which reads a file, processes and encodes it, and writes the result. No queue, no checks, no documents.
The job goes through the API, from the request until it has succeeded, with its results in the drive.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks._photos import photo
from benchmarks._platform import platform

APPS = {"blackwhite": {}, "mosaic": {"style": "blocks"}}


def _loop(
    core: int, app: str, params: dict[str, Any], files: list[Path], out: Path, gate: Any, done: Any
) -> None:
    os.sched_setaffinity(0, {core})
    from jobfolder import Limits
    from model_images.runtime import threads  # noqa: F401 - one thread a process, as on a node
    from model_images.runtime.contract import Context
    from model_images.runtime.imageio import open_source
    from model_images.runtime.registry import processors
    from model_images.runtime.work import Timings, apply, load_params

    processor = processors()[app]
    options = load_params(processor, params)
    gate.wait()
    for path in files:
        made = apply(processor, open_source(path.read_bytes()), options, Context(), Limits(), Timings())
        assert made.image is not None
        (out / path.name).write_bytes(made.image.data)
    done.wait()


def bare_loop(cores: Sequence[int], app: str, params: dict[str, Any], files: list[Path]) -> float:
    """Seconds for all files, over one warm process a core; imports are not counted."""
    context = multiprocessing.get_context("spawn")
    gate, done = context.Barrier(len(cores) + 1), context.Barrier(len(cores) + 1)
    with tempfile.TemporaryDirectory() as out:
        workers = [
            context.Process(
                target=_loop, args=(core, app, params, files[i :: len(cores)], Path(out), gate, done)
            )
            for i, core in enumerate(cores)
        ]
        for worker in workers:
            worker.start()
        gate.wait()
        start = time.perf_counter()
        done.wait()
        spent = time.perf_counter() - start
        for worker in workers:
            worker.join()
        return spent


def run(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks batch")
    parser.add_argument("--quick", action="store_true", help="fewer photos and repeats")
    parser.add_argument("--repeat", type=int, default=None)
    options = parser.parse_args(argv)
    sizes = (1, 10, 40) if options.quick else (1, 3, 10, 200)
    repeat = options.repeat or (2 if options.quick else 5)
    cores = sorted(os.sched_getaffinity(0))[:2]

    photos = [(f"{n:03}.jpg", photo(n)) for n in range(max(sizes))]
    rows = []
    with tempfile.TemporaryDirectory() as folder, platform(nodes=len(cores)) as site:
        files = []
        for name, data in photos:
            files.append(Path(folder) / name)
            files[-1].write_bytes(data)
        folders = {size: site.folder(f"{size} photos", photos[:size]) for size in sizes}
        for app, params in APPS.items():
            site.run_job(app=app, folder=folders[sizes[0]], params=params)  # warm, on both sides
            for size in sizes:
                jobs, loops = [], []
                for _ in range(repeat):  # in turns: a machine whose speed drifts is the same for both
                    jobs.append(site.run_job(app=app, folder=folders[size], params=params))
                    loops.append(bare_loop(cores, app, params, files[:size]))
                rows.append(_row(app, size, jobs, loops))
    return {"rows": rows, "repeat": repeat, "nodes": len(cores)}


def _row(app: str, size: int, jobs: list[float], loops: list[float]) -> dict[str, Any]:
    ratios = [job / loop for job, loop in zip(jobs, loops, strict=True)]
    return {
        "app": app,
        "photos": size,
        "job_s": round(statistics.median(jobs), 3),
        "bare_loop_s": round(statistics.median(loops), 3),
        "over_s": round(statistics.median(j - b for j, b in zip(jobs, loops, strict=True)), 3),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_min": round(min(ratios), 3),
        "ratio_max": round(max(ratios), 3),
    }


def plot(report: dict[str, Any], axes: Any) -> None:
    """Job seconds over bare-loop seconds, one bar a row."""
    names = [f"{row['app']}, {row['photos']}" for row in report["rows"]]
    axes.barh(names, [row["ratio"] for row in report["rows"]])
    axes.axvline(1.1, linestyle="--")
    axes.set_xlabel("job ÷ bare loop (less is better); dashed: 1.10")
    axes.invert_yaxis()
