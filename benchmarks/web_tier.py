"""The web tier: two web processes behind nginx, by round robin and by least connections, against one.

    python -m benchmarks web_tier [--quick] [--cpus 0.4,0.4;0.5,0.25]

Each web process is gunicorn as `make run` starts it, with a part of a core to itself. First each pair's
faster process alone is asked as fast as it answers (--connections at a time): its capacity. Then all three
arrangements get the same arrivals, a Poisson process of a mean rate of --load times what both could answer
together, which is more than one of two equal processes can. Requests don't wait for each other (open loop),
and an answer's time counts from when its request was due, not from when it was sent. The pages differ in
length, as a site's do.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx

from benchmarks._cgroups import Group, entering, open_group
from benchmarks._nginx import find, free_port, nginx
from benchmarks._platform import Platform, platform
from loadbalancer.report.statistics import estimate, percentile

# Path, and how often it is asked for. From a few ms to some tens of ms.
PAGES = (("/healthz", 2), ("/api/v1/apps", 3), ("/api/v1/jobs", 3), ("/api/v1/folders", 3), ("/market/", 2))
GIVE_UP = 10.0  # seconds after which an answer does not matter any more
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Answer:
    seconds: float  # from when the request was due
    status: int  # 0: none
    upstream: str


def run(argv: Sequence[str]) -> dict[str, Any]:
    options = _options(argv)
    find()
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        group = open_group()
        stack.callback(group.remove)
        site = stack.enter_context(platform(nodes=1))
        for cpus in options.cpus:
            rows += _pair(site, group, cpus, options)
    return {"rows": rows, "pages": dict(PAGES), "load": options.load, "seeds": options.seeds}


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks web_tier")
    parser.add_argument("--quick", action="store_true", help="one seed and fewer requests")
    parser.add_argument("--cpus", default="0.4,0.4;0.5,0.25", help="cores of the two, for each pair")
    parser.add_argument("--load", type=float, default=0.7, help="part of what both can answer")
    parser.add_argument("--seconds", type=float, default=None, help="of arrivals in each run")
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--connections", type=int, default=8, help="at a time, to find the capacity")
    options = parser.parse_args(argv)
    try:
        options.cpus = [tuple(float(one) for one in pair.split(",")) for pair in options.cpus.split(";")]
    except ValueError:
        parser.error("--cpus takes pairs of numbers such as 0.4,0.4;0.5,0.25")
    if any(len(pair) != 2 or min(pair) <= 0 for pair in options.cpus):
        parser.error("--cpus takes pairs of numbers above 0 such as 0.4,0.4;0.5,0.25")
    options.seeds = options.seeds or (1 if options.quick else 5)
    options.seconds = options.seconds or (4.0 if options.quick else 10.0)
    return options


def _pair(
    site: Platform, group: Group, cpus: tuple[float, float], options: argparse.Namespace
) -> list[dict[str, Any]]:
    """All arrangements of two processes, in turns seed by seed."""
    with ExitStack() as stack:
        ports = [stack.enter_context(_web(site, group, f"web-{n}", c)) for n, c in enumerate(cpus)]
        faster = ports[cpus.index(max(cpus))]
        arrangements = {
            "one": ([faster], "round_robin"),
            "round_robin": (ports, "round_robin"),
            "least_conn": (ports, "least_conn"),
        }
        headers = {"Authorization": site.http.headers["Authorization"], "Host": "localhost"}
        with _behind_nginx([faster], "round_robin") as url:
            for seconds in (options.seconds / 4, options.seconds / 2):  # the first finds everything cold
                capacity = asyncio.run(_saturate(url, headers, options.connections, seconds))
        rate = options.load * capacity * sum(cpus) / max(cpus)
        found: dict[str, list[list[Answer]]] = {name: [] for name in arrangements}
        for seed in range(1, options.seeds + 1):
            for name, (some, method) in arrangements.items():
                with _behind_nginx(some, method) as url:
                    found[name].append(asyncio.run(_arrive(url, headers, rate, options.seconds, seed)))
    title = ":".join(f"{one:g}" for one in cpus)
    return [_row(title, name, rate, capacity, answers, ports) for name, answers in found.items()]


@contextmanager
def _web(site: Platform, group: Group, name: str, cpus: float) -> Iterator[int]:
    """A web process more on the platform's data; its port."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", "marketplace.wsgi:application"),
        *("--config", "python:marketplace.embedded.gunicorn", "--bind", f"127.0.0.1:{port}"),
        *("--workers", "1", "--threads", "8"),
    ]
    env = {
        **os.environ,
        "DATA_DIR": str(site.data_dir),
        "BASE_URL": site.base_url,
        "DJANGO_SETTINGS_MODULE": "marketplace.settings",
        "PROMETHEUS_MULTIPROC_DIR": str(site.data_dir / "run" / "metrics"),
    }
    process = subprocess.Popen(entering(group.limit(name, cpus), command), env=env, cwd=ROOT)
    try:
        end = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz", headers={"Host": "localhost"}, timeout=5)
                break
            except httpx.HTTPError:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("a web process did not start") from None
                time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait(15)


@contextmanager
def _behind_nginx(ports: Sequence[int], method: str) -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory(prefix="pixelyard-nginx-") as folder,
        nginx(Path(folder), ports, method) as url,
    ):
        yield url


def _client(url: str, headers: dict[str, str]) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=500, max_keepalive_connections=100)
    return httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=GIVE_UP, trust_env=False)


def _paths(rng: Random) -> str:
    return rng.choices([path for path, _ in PAGES], [often for _, often in PAGES])[0]


async def _saturate(url: str, headers: dict[str, str], connections: int, seconds: float) -> float:
    """Answers a second when every connection asks again as soon as it is answered."""
    rng, done = Random(1), 0
    async with _client(url, headers) as client:
        for path, _ in PAGES:
            (await client.get(path)).raise_for_status()
        end = time.perf_counter() + seconds

        async def ask() -> None:
            nonlocal done
            while time.perf_counter() < end:
                await client.get(_paths(rng))
                done += 1

        start = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(connections)))
        return done / (time.perf_counter() - start)


async def _arrive(url: str, headers: dict[str, str], rate: float, seconds: float, seed: int) -> list[Answer]:
    """The answers to a Poisson process of requests; the same for the same seed."""
    rng, due, arrivals = Random(seed), 0.0, []
    while (due := due + rng.expovariate(rate)) < seconds:
        arrivals.append((due, _paths(rng)))
    async with _client(url, headers) as client:
        for path, _ in PAGES:
            await client.get(path)  # connections and caches are warm
        start = time.perf_counter() + 0.1

        async def ask(due: float, path: str) -> Answer:
            await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
            try:
                answer = await client.get(path)
            except httpx.HTTPError:
                return Answer(time.perf_counter() - start - due, 0, "")
            return Answer(
                time.perf_counter() - start - due, answer.status_code, answer.headers.get("x-upstream", "")
            )

        return list(await asyncio.gather(*(ask(due, path) for due, path in arrivals)))


def _row(
    cpus: str,
    name: str,
    rate: float,
    capacity: float,
    seeds: Sequence[Sequence[Answer]],
    ports: Sequence[int],
) -> dict[str, Any]:
    """Means over seeds. An answer that never came counts with the time that it was waited for."""
    shares = Counter(answer.upstream for answers in seeds for answer in answers)
    counts = [shares[f"127.0.0.1:{port}"] for port in ports]
    row: dict[str, Any] = {
        "cpus": cpus,
        "arrangement": name,
        "rate": round(rate, 1),
        "one_can": round(capacity, 1),
        "requests": sum(map(len, seeds)),
        "failed": sum(not 200 <= one.status < 400 for answers in seeds for one in answers),
        "shares": " : ".join(f"{100 * count / max(1, sum(counts)):.0f}" for count in counts),
    }
    for part in (0.5, 0.95, 0.99):
        found = estimate([percentile([one.seconds for one in answers], part) * 1000 for answers in seeds])
        row[f"p{part * 100:.0f}_ms"] = round(found.mean, 1)
        row[f"p{part * 100:.0f}_ci"] = "" if found.half is None else round(found.half, 1)
    return row


def plot(report: dict[str, Any], axes: Any) -> None:
    """p95 of each arrangement."""
    labels = [f"{row['cpus']}: {row['arrangement']}" for row in report["rows"]]
    axes.barh(labels, [row["p95_ms"] for row in report["rows"]])
    axes.set_xscale("log")
    axes.set_xlabel("95 of 100 requests are answered within, ms")
    axes.invert_yaxis()
