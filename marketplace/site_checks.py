"""Is everything there that a request, and the job it starts, will need? Each check names what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import cache

from django.conf import settings
from django.core.cache import cache as shared_cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now
from django.utils import timezone
from redis.exceptions import RedisError

import jobfolder
from apps.cluster import waking
from apps.cluster.engines.verdict import fresh
from apps.cluster.models import Node
from apps.processing.models import Lease

_NEWS_SECONDS = 3.0  # that a controller may take over another's work, beyond NODE_TIMEOUT


class Problem(Exception):
    """What is wrong, in one line."""


def database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        raise Problem(f"the database does not answer: {error}") from error


def migrations() -> None:
    try:
        waiting = _unapplied()
    except DatabaseError as error:
        raise Problem(f"the database does not answer: {error}") from error
    if waiting:
        raise Problem(f"{waiting} migrations are not applied: run manage.py migrate")


def cache_server() -> None:
    try:
        shared_cache.set("readyz", "1", 10)
        answer = shared_cache.get("readyz")
    except (RedisError, OSError) as error:
        raise Problem(f"Redis does not answer: {error}") from error
    if answer != "1":
        raise Problem("Redis does not keep what it is given")


def live_nodes() -> list[jobfolder.NodeHeartbeat]:
    return [beat for beat in jobfolder.read_nodes(settings.DATA_DIR) if _is_fresh(beat.time)]


def nodes() -> None:
    if settings.ENGINE == "kubernetes":
        if not any(cluster_nodes().values()):
            raise Problem("no node of the Kubernetes cluster is ready, or the controller can't see it")
    elif not live_nodes():
        raise Problem("no node worker is alive")


def cluster_nodes() -> dict[str, bool]:
    """Whether each node is ready, as the controller wrote it down. It does so once a second: an older row is
    no news. Raises Problem without a database."""
    news = timezone.now() - timedelta(seconds=settings.NODE_TIMEOUT + _NEWS_SECONDS)
    try:
        rows = list(Node.objects.values_list("name", "state", "last_seen"))
    except DatabaseError as error:
        raise Problem(f"the database does not answer: {error}") from error
    return {name: state == Node.State.READY and bool(seen and seen > news) for name, state, seen in rows}


def previews() -> None:
    if waking.sleeps():
        return  # nobody there is no fault: the next preview wakes them
    if not any(_is_fresh(beat.time) for beat in jobfolder.read_endpoints(settings.DATA_DIR)):
        raise Problem("no preview server is alive")


def controller() -> None:
    try:
        alive = Lease.objects.filter(name="controller", until__gt=Now()).exists()
    except DatabaseError as error:
        raise Problem(f"the database does not answer: {error}") from error
    if not alive:
        raise Problem("no controller is at work")


CHECKS: dict[str, Callable[[], None]] = {
    "database": database,
    "migrations": migrations,
    "cache": cache_server,
    "nodes": nodes,
    "previews": previews,
    "controller": controller,
}


def run(names: Iterable[str] = CHECKS) -> dict[str, str]:
    """The name of each of these checks and `ok`, or what is wrong. Raises KeyError for one that is none."""
    states = {}
    for name, check in {name: CHECKS[name] for name in names}.items():
        try:
            check()
            states[name] = "ok"
        except Problem as problem:
            states[name] = str(problem)
    return states


def _is_fresh(written: float) -> bool:
    return fresh(written, time.time(), settings.NODE_TIMEOUT)


def _unapplied() -> int:
    if _all_applied.cache_info().currsize:
        return 0
    executor = MigrationExecutor(connection)
    waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if not waiting:
        _all_applied()
    return waiting


@cache
def _all_applied() -> bool:
    """Remembered for the life of the process: migrations are not unapplied under a running one."""
    return True
