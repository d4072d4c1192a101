"""What runs, with which command, environment and cores. Builds plain values; starts nothing.

The web process, the background worker and the controller are the platform: they get its secrets. The nodes
handle strangers' files: they get the broker's address, the shared folder and the token of the preview
servers, and nothing else of the environment.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from marketplace.embedded.child import Service
from marketplace.embedded.options import ROOT, Options, cores_of

# What a program needs of the environment it was started in, whatever it does.
COMMON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LOG_LEVEL", "SSL_CERT_FILE", "SSL_CERT_DIR")
# Output as it comes; main.py says once what Celery would say in every process that runs as root.
QUIET = {
    "PYTHONUNBUFFERED": "1",
    "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
}
BACKGROUND = 15  # niceness of the background worker: next to nothing while nodes have work
# What pip and uv need of it to reach a package index.
OF_PIP = (
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
)
# What the nodes may be told besides.
OF_NODES = (
    "NODE_TIMEOUT", "EXTRA_PROCESSORS", "WEIGHTS_MEMORY", "MAX_IMAGE_BYTES", "MAX_IMAGE_PIXELS",
    "PREVIEW_SECONDS",
)  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """Made at the first start and kept below DATA_DIR."""

    secret_key: str
    runtime_token: str
    redis_url: str


def redis(options: Options, server: Path, port: int, password: str) -> tuple[Service, str]:
    """The service, and its configuration, which is a file because it holds a password."""
    folder = options.data_dir / "redis"
    config = folder / "redis.conf"
    lines = {
        "bind": "127.0.0.1",
        "port": str(port),
        "requirepass": password,
        "dir": str(folder),
        "appendonly": "yes",
        "save": '""',
        "logfile": str(options.data_dir / "log" / "redis.log"),
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    text = "".join(f"{key} {value}\n" for key, value in lines.items())
    return Service("redis", [str(server), str(config)], _pick(COMMON)), text


def platform_env(options: Options, kept: Kept, sandbox: str = "") -> dict[str, str]:
    """For everything that is Django. `sandbox`: what opens the gate to test money; empty keeps it shut."""
    return {
        **os.environ,
        "DATA_DIR": str(options.data_dir),
        "BASE_URL": options.base_url or options.url,
        "SECRET_KEY": kept.secret_key,
        "RUNTIME_TOKEN": kept.runtime_token,
        "REDIS_URL": kept.redis_url,
        "SANDBOX_GATE": sandbox,
        "DJANGO_SETTINGS_MODULE": "marketplace.settings",
        **QUIET,
    }


def manage(name: str, env: Mapping[str, str], *arguments: str) -> Service:
    return Service(name, [sys.executable, str(ROOT / "manage.py"), *arguments], env)


def web(options: Options, env: Mapping[str, str]) -> Service:
    metrics = options.data_dir / "run" / "metrics"
    host = f"[{options.host}]" if ":" in options.host else options.host
    command = [
        *(sys.executable, "-m", "gunicorn", "marketplace.wsgi:application"),
        *("--config", "python:marketplace.embedded.gunicorn"),
        *("--bind", f"{host}:{options.port}"),
        *("--workers", str(options.web_workers), "--threads", str(options.web_threads)),
    ]
    return Service("web", command, {**env, "PROMETHEUS_MULTIPROC_DIR": str(metrics)})


def worker(env: Mapping[str, str]) -> Service:
    """Small background tasks, and the clock of the daily ones. They give way to nodes and web: thumbnails of
    results would slow down the job that makes them, and whoever looks at one first makes it anyway."""
    command = [
        *("nice", "-n", str(BACKGROUND)),
        *(sys.executable, "-m", "celery", "--quiet", "-A", "marketplace", "worker"),
        *("-Q", "default", "-n", "default@%h", "--concurrency", "2", "--loglevel", "WARNING"),
        *("--without-gossip", "--without-mingle"),
    ]
    return Service("worker", command, env)


def intake(env: Mapping[str, str]) -> Service:
    """Takes uploaded weights in, one at a time: it hands each to the converter, a process without secrets.

    SIGQUIT, its signal to stop, does not wait for the conversion in hand: the next start begins that anew.
    """
    command = [
        *(sys.executable, "-m", "celery", "--quiet", "-A", "marketplace", "worker"),
        *("-Q", "intake", "-n", "intake@%h", "--pool", "solo", "--loglevel", "WARNING"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    return Service("intake", command, env, stop_signal=signal.SIGQUIT)


def controller(env: Mapping[str, str]) -> Service:
    return manage("controller", env, "controller")


def converter() -> Service:
    """Installs the converter's environment, once; no secret of ours goes there."""
    pip = tuple(name for name in os.environ if name.startswith(("PIP_", "UV_")))
    command = ["nice", "-n", "10", "make", "--no-print-directory", "converter"]
    return Service("converter", command, {**_pick(COMMON + OF_PIP + pip), "PYTHONUNBUFFERED": "1"})


def nodes(options: Options, kept: Kept, cores: list[list[int]] | None = None) -> list[Service]:
    """A node worker and a preview server for each node, both on the node's own cores."""
    services = []
    for number, own in enumerate(cores or cores_of(options.nodes), start=1):
        services += _node(options, kept, f"node-{number}", own)
    return services


def _node(options: Options, kept: Kept, name: str, cores: list[int]) -> list[Service]:
    pinned = ",".join(map(str, cores))
    env = {
        **_pick(COMMON + OF_NODES),
        "DATA_DIR": str(options.data_dir),
        "NODE_NAME": name,
        "NODE_CORES": pinned,
        "NODE_SLOTS": str(len(cores)),
        **QUIET,
    }
    work = [sys.executable, "-m", "model_images.runtime", "node"]
    serve = [
        *(sys.executable, "-m", "model_images.runtime", "serve", "--node", name),
        *("--data", str(options.data_dir), "--host", "127.0.0.1", "--port", "0", "--cores", pinned),
    ]
    return [
        Service(name, work, {**env, "BROKER_URL": kept.redis_url}),
        Service(name.replace("node", "preview"), serve, {**env, "RUNTIME_TOKEN": kept.runtime_token}),
    ]


def _pick(names: tuple[str, ...]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
