"""Start everything, say where it is, keep it running, stop it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from marketplace import env, sandbox_gate
from marketplace.embedded import install, keep, options, plan, preflight, static
from marketplace.embedded.log import Log
from marketplace.embedded.options import ROOT, Options
from marketplace.embedded.preflight import Refused
from marketplace.embedded.supervisor import Interrupted, Supervisor

REDIS_SECONDS = 60  # to read a long append-only file
REMIND = 10  # seconds between words about what is still missing


def main(arguments: list[str]) -> int:
    if arguments:
        sys.stderr.write("python -m marketplace.embedded takes no arguments, only environment variables\n")
        return 2
    env.load(ROOT / ".env")
    chosen = options.read()
    try:
        preflight.check_folder(chosen.data_dir)
        with preflight.lock(chosen.data_dir):
            preflight.check_space(chosen.data_dir)
            preflight.check_port(chosen.host, chosen.port)
            return _run(chosen)
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1


def _run(chosen: Options) -> int:
    demo = chosen.data_dir / "demo.json"
    demo.unlink(missing_ok=True)  # it tells that the platform is ready
    _forget_the_dead(chosen)
    log = Log(chosen.data_dir / "log")
    try:
        with Supervisor(log, ROOT, on_change=partial(_write_pids, chosen)) as supervisor:
            try:
                _start(chosen, supervisor, log)
                while True:
                    supervisor.turn()
            except Interrupted:
                log.say("stopping")
            finally:
                demo.unlink(missing_ok=True)
                sandbox_gate.close(chosen.data_dir)
                _stop(supervisor)
        log.say("stopped; the data is kept in " + str(chosen.data_dir))
    finally:
        log.close()
    return 0


def _forget_the_dead(chosen: Options) -> None:
    """Heartbeats and measurements of an earlier run's processes: they would look alive for a while."""
    for number in range(1, chosen.nodes + 1):
        for folder in ("nodes", "endpoints"):
            (chosen.data_dir / folder / f"node-{number}.json").unlink(missing_ok=True)
    metrics = chosen.data_dir / "run" / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)


def _write_pids(chosen: Options, pids: dict[str, int]) -> None:
    """For people who look for a process, and for tests that kill one."""
    with suppress(OSError):
        keep.write_private(chosen.data_dir / "run" / "pids.json", json.dumps(pids) + "\n")


def _start(chosen: Options, supervisor: Supervisor, log: Log) -> None:
    log.say(f"starting on {chosen.url}, data in {chosen.data_dir}")
    if os.geteuid() == 0:
        log.say("running as root: fine to try it; use an account of its own where others can reach it")
    kept = _kept(chosen, supervisor, log)
    platform = plan.platform_env(chosen, kept, _sandbox(chosen, log))
    supervisor.start(plan.nodes(chosen, kept))  # they need no database, so they start meanwhile
    _prepare(chosen, supervisor, log, platform)
    supervisor.start([plan.web(chosen, platform), plan.controller(platform)])
    _wait_until_ready(chosen, supervisor, log)
    # What these do can wait, and the others start faster alone.
    supervisor.start([plan.worker(platform), plan.intake(platform)])
    _announce(chosen, log)
    install.converter(chosen, supervisor, log)


def _sandbox(chosen: Options, log: Log) -> str:
    """Test money where only this machine can reach the platform: what its processes show for it."""
    if chosen.is_local:
        return sandbox_gate.open_it(chosen.data_dir)
    sandbox_gate.close(chosen.data_dir)
    log.say("no sandbox for payments: others can reach this platform (docs/money.md)")
    return ""


def _kept(chosen: Options, supervisor: Supervisor, log: Log) -> plan.Kept:
    """Secrets, and a Redis that answers: the one in REDIS_URL, or our own."""
    redis_url = env.secret("REDIS_URL")
    if not redis_url:
        redis_url = _own_redis(chosen, supervisor, log)
    return plan.Kept(
        secret_key=env.secret("SECRET_KEY") or keep.secret(chosen.data_dir, "secret_key"),
        runtime_token=env.secret("RUNTIME_TOKEN") or keep.secret(chosen.data_dir, "runtime_token"),
        redis_url=redis_url,
    )


def _own_redis(chosen: Options, supervisor: Supervisor, log: Log) -> str:
    server = preflight.redis_server(Path(sys.executable).parent)
    password = keep.secret(chosen.data_dir, "redis_password", 24)
    port = keep.port(chosen.data_dir, "redis", avoid=[chosen.port])
    service, config = plan.redis(chosen, server, port, password)
    keep.write_private(Path(service.command[-1]), config)
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    keep.write_private(chosen.data_dir / "secrets" / "redis_url", url + "\n")
    log.say(f"redis: {server} on 127.0.0.1:{port}")
    supervisor.start([service])
    _wait_for_redis(url, supervisor)
    return url


def _wait_for_redis(url: str, supervisor: Supervisor) -> None:
    end = monotonic() + REDIS_SECONDS
    with Redis.from_url(url, socket_timeout=2, retry=None) as client:
        while True:
            with suppress(RedisError):
                client.ping()
                return
            if monotonic() > end:
                raise Refused(f"redis does not answer after {REDIS_SECONDS} s; log/redis.log says why.")
            supervisor.turns(0.05)


def _prepare(chosen: Options, supervisor: Supervisor, log: Log, platform: Mapping[str, str]) -> None:
    collected = chosen.data_dir / "static"
    current = static.signature()
    steps = [("prepare", "database and demo data", ["prepare", *([] if chosen.demo else ["--no-demo"])])]
    if not static.is_current(collected, current):
        shutil.rmtree(collected, ignore_errors=True)
        steps.append(("static", "styles and scripts", ["collectstatic", "--no-input", "--verbosity", "0"]))
    for name, what, arguments in steps:
        log.say(f"{name}: {what}")
        if supervisor.run_step(plan.manage(name, platform, *arguments)):
            raise Refused(f"{name} failed; its lines above say why.")
        if name == "static":
            static.mark(collected, current)


def _wait_until_ready(chosen: Options, supervisor: Supervisor, log: Log) -> None:
    began = spoke = monotonic()
    while missing := _missing(chosen):
        if monotonic() - spoke > REMIND:
            spoke = monotonic()
            log.say(f"not ready after {spoke - began:.0f} s, missing: {', '.join(missing)}")
        supervisor.turns(0.25)


def _missing(chosen: Options) -> list[str]:
    """What /readyz is waiting for; empty when it answers 200."""
    try:
        request = urllib.request.Request(f"{chosen.url}/readyz", headers={"Host": "localhost"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310 - http, by us
            return []
    except urllib.error.HTTPError as error:
        with suppress(ValueError, AttributeError):
            return [name for name, state in json.load(error).items() if state != "ok"] or ["web"]
        return ["web"]
    except OSError:
        return ["web"]


def _announce(chosen: Options, log: Log) -> None:
    logins = chosen.data_dir / "secrets" / "demo_users.json"
    users: list[dict[str, Any]] = json.loads(logins.read_text()) if chosen.demo else []
    url = chosen.base_url or chosen.url
    demo = {"base_url": url, "users": users}
    keep.write_private(chosen.data_dir / "demo.json", json.dumps(demo, indent=2) + "\n")
    log.say(f"ready: {url}")
    for user in users:
        log.plain(f"  {user['role']:<7} {user['email']:<22} {user['password']}")
    log.plain("  Ctrl-C stops everything; the data is kept.")


def _stop(supervisor: Supervisor) -> None:
    """Redis last: the others say good-bye to it."""
    supervisor.stop([name for name in supervisor.names() if name != "redis"])
    supervisor.stop(["redis"])
