"""A folder job against the bare loop: what the platform costs on top of the work itself.

The bare loop is the least that could do the same work on the same cores: one warm process a core, pinned,
which reads a file, processes and encodes it, and writes the result. No queue, no checks, no documents.
The job goes through the API, from the request until it has succeeded, with its results in the drive. No two
jobs of 200 get the same photos: results that the drive has already would be cheaper to take in.

What the platform costs a photo hardly depends on the photo. So there are photos of one megapixel, some of
which take less time than a row in a database, and photos of twelve, as phones make them. `ratio` is time
that passed; `cpu_ratio` is processor time of all processes, which tells more on a machine that does other
work besides. `cpu_ratio_with_floor` adds to the bare loop what nobody can do without whose results are to be
in a drive for good: hash, rename, sync and a row for each (`floor`). Thumbnails of results are made after a
job has ended, and are not counted beyond its end.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import secrets
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._photos import photo, pixels_of, turned, variant
from benchmarks._platform import Platform, Ran, platform

Apps = dict[str, dict[str, Any]]

SMALL_APPS: Apps = {"blackwhite": {}, "mosaic": {"style": "blocks"}}
# With one palette for the folder a job finds it once, the loop for each photo: another comparison.
LARGE_APPS: Apps = {
    "blackwhite": {},
    "pixelart": {"shared_palette": False},
    "ascii": {},
    "mosaic": {"style": "blocks"},
}
LARGE = 200  # photos of 12 megapixels


def _loop(
    core: int, app: str, params: dict[str, Any], files: list[Path], out: Path, gate: Any, done: Any, cpu: Any
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
    before = time.process_time()
    for path in files:
        made = apply(processor, open_source(path.read_bytes()), options, Context(), Limits(), Timings())
        assert made.image is not None
        (out / path.name).write_bytes(made.image.data)
        for text in (made.text, made.html):
            if text is not None:
                (out / f"{path.name}.txt").write_text(text)
    with cpu.get_lock():
        cpu.value += time.process_time() - before
    done.wait()


def bare_loop(cores: Sequence[int], app: str, params: dict[str, Any], files: list[Path]) -> Ran:
    """All files over one warm process a core; imports are not counted."""
    # Children import NumPy with this file, before `threads` can say so: one thread each, as on a node.
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    gate, done = context.Barrier(len(cores) + 1), context.Barrier(len(cores) + 1)
    cpu = context.Value("d", 0.0)
    with tempfile.TemporaryDirectory() as out:
        workers = [
            context.Process(
                target=_loop, args=(core, app, params, files[i :: len(cores)], Path(out), gate, done, cpu)
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
        return Ran(spent, cpu.value)


def floor(owner: str, results: int) -> float:
    """Processor seconds for the least that any platform must do so that `results` files of one megapixel's
    size are in somebody's drive for good: hash each, move it, sync it, and insert a row, in batches."""
    columns = (
        "id TEXT PRIMARY KEY, owner TEXT, folder TEXT, name TEXT, sha256 TEXT, bytes INTEGER, origin TEXT"
    )
    with tempfile.TemporaryDirectory() as folder:
        made, drive = Path(folder) / "made", Path(folder) / owner
        made.mkdir()
        drive.mkdir()
        for number in range(results):
            (made / f"{number}.jpg").write_bytes(os.urandom(150_000))
        database = sqlite3.connect(Path(folder) / "floor.sqlite3")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(f"CREATE TABLE image ({columns}, UNIQUE (folder, name), UNIQUE (origin))")
        before = time.process_time()
        for start in range(0, results, 50):
            rows = []
            for number in range(start, min(start + 50, results)):
                path = made / f"{number}.jpg"
                with path.open("rb") as file:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                    os.fsync(file.fileno())
                path.rename(drive / sha256)
                size = (drive / sha256).stat().st_size
                rows.append((secrets.token_hex(11), owner, "f", path.name, sha256, size, f"job:{number}"))
            with database:
                database.executemany("INSERT INTO image VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        spent = time.process_time() - before
        database.close()
    return spent


def run(argv: Sequence[str]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks batch")
    parser.add_argument("--quick", action="store_true", help="fewer photos and repeats")
    parser.add_argument("--repeat", type=int, default=None)
    parser.add_argument("--megapixels", type=int, choices=(1, 12), help="these photos only")
    options = parser.parse_args(argv)
    cores = sorted(os.sched_getaffinity(0))[:2]
    rows = []
    with tempfile.TemporaryDirectory() as folder, platform(len(cores), QUOTA_BYTES=str(10**12)) as site:
        bench = Bench(site, cores, Path(folder))
        if options.megapixels != 12:
            sizes = (1, 10, 40) if options.quick else (1, 3, 10, 200)
            rows += bench.small(sizes, options.repeat or (2 if options.quick else 5))
        if options.megapixels != 1:
            rows += bench.large(8 if options.quick else LARGE, options.repeat or (1 if options.quick else 3))
    return {"rows": rows, "nodes": len(cores), "load": os.getloadavg()[0]}


@dataclass(frozen=True)
class Bench:
    """Jobs and loops in turns: a machine whose speed drifts is the same for both."""

    site: Platform
    cores: Sequence[int]
    folder: Path

    def small(self, sizes: Sequence[int], repeat: int) -> list[dict[str, Any]]:
        rows = []
        bases = [photo(n) for n in range(40)]
        for app, params in SMALL_APPS.items():
            self.site.run_job(app=app, folder=_upload(self.site, bases[:1]), params=params)  # warm
            for size in sizes:
                turns = []
                for turn in range(repeat):
                    photos = [variant(bases[n % len(bases)], n + size * turn) for n in range(size)]
                    files, uploaded = _write(self.folder, photos), _upload(self.site, photos)
                    turns.append(self._turn(app, params, files, uploaded))
                rows.append(_row(app, 1, size, turns))
                print(rows[-1], flush=True)
        return rows

    def large(self, size: int, repeat: int) -> list[dict[str, Any]]:
        """Every app gets the same photos: their results differ, and making and sending them takes longest."""
        turns: dict[str, list[Turn]] = {app: [] for app in LARGE_APPS}
        for app, params in LARGE_APPS.items():
            self.site.run_job(app=app, folder=_upload(self.site, [photo(0, 4000, 3000)]), params=params)
        bases = [pixels_of(photo(n, 4000, 3000)) for n in range(1, 4)]
        for turn in range(repeat):
            photos = [turned(bases[n % len(bases)], n + size * turn) for n in range(size)]
            files, uploaded = _write(self.folder, photos), _upload(self.site, photos)
            del photos
            for app, params in LARGE_APPS.items():
                turns[app].append(self._turn(app, params, files, uploaded))
                print(_row(app, 12, size, turns[app]), flush=True)
        return [_row(app, 12, size, all_) for app, all_ in turns.items()]

    def _turn(self, app: str, params: dict[str, Any], files: list[Path], uploaded: str) -> Turn:
        self.site.settle()
        job = self.site.run_job(app=app, folder=uploaded, params=params)
        self.site.settle()
        loop = bare_loop(self.cores, app, params, files)
        return Turn(job, loop, floor("floor", len(files)))


@dataclass(frozen=True)
class Turn:
    job: Ran
    loop: Ran
    floor: float


def _write(folder: Path, photos: Sequence[bytes]) -> list[Path]:
    files = [folder / f"{number:03}.jpg" for number in range(len(photos))]
    for path, data in zip(files, photos, strict=True):
        path.write_bytes(data)
    return files


def _upload(site: Platform, photos: Sequence[bytes]) -> str:
    named = [(f"{number:03}.jpg", data) for number, data in enumerate(photos)]
    return site.folder(f"{len(photos)} photos, {secrets.token_hex(4)}", named)


def _row(app: str, megapixels: int, size: int, turns: Sequence[Turn]) -> dict[str, Any]:
    pairs = [(turn.job, turn.loop) for turn in turns]
    ratios = [job.seconds / loop.seconds for job, loop in pairs]
    return {
        "app": app,
        "megapixels": megapixels,
        "photos": size,
        "turns": len(turns),
        "job_s": round(statistics.median(job.seconds for job, _ in pairs), 3),
        "bare_loop_s": round(statistics.median(loop.seconds for _, loop in pairs), 3),
        "over_s": round(statistics.median(job.seconds - loop.seconds for job, loop in pairs), 3),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_min": round(min(ratios), 3),
        "ratio_max": round(max(ratios), 3),
        "cpu_ratio": round(statistics.median(job.cpu / loop.cpu for job, loop in pairs), 2),
        "floor_cpu_ms_a_photo": round(statistics.median(turn.floor for turn in turns) / size * 1000, 2),
        "cpu_ratio_with_floor": round(
            statistics.median(turn.job.cpu / (turn.loop.cpu + turn.floor) for turn in turns),
            2,
        ),
        "cpu_ms_a_photo": round(
            statistics.median(job.cpu - loop.cpu for job, loop in pairs) / size * 1000, 2
        ),
    }


def plot(report: dict[str, Any], axes: Any) -> None:
    """Job seconds over bare-loop seconds, one bar a row."""
    names = [f"{row['app']}, {row['photos']} × {row['megapixels']} MP" for row in report["rows"]]
    axes.barh(names, [row["ratio"] for row in report["rows"]])
    axes.axvline(1.1, linestyle="--")
    axes.set_xlabel("job ÷ bare loop (less is better); dashed: 1.10")
    axes.invert_yaxis()
