"""What staff do to runs: start, cancel, delete."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.benchmarks import access, tasks
from apps.benchmarks.config import Config, checked
from apps.benchmarks.engines import ENGINES, EngineError
from apps.benchmarks.models import BenchmarkCell, BenchmarkRun
from loadbalancer.workload import NodeSpec
from marketplace.api import conflict, invalid, too_many

MAX_QUEUED = 20
REAL_CELL_SECONDS = 150.0  # the least that a cell of a real run may take; Celery's limit is twice that
_KEY_LENGTH = 80
_TITLE_LENGTH = 120

S = BenchmarkRun.Status
Scenario = BenchmarkCell.Scenario
ALONE = "round_robin"  # on one node all policies are the same


def start(
    user: User, *, config: Mapping[str, Any], kind: str = "simulated", title: str = "", key: str | None = None
) -> BenchmarkRun:
    """A queued run. The same `key` (Idempotency-Key) with the same request gives the same run.

    PermissionDenied unless staff. 409: `idempotency_key_reused`, `no_nodes`. 422: `invalid` (fields). 429:
    too many are queued.
    """
    access.require_staff(user)
    _check_key(key)
    body = _digest(kind, title, config) if key else ""
    if earlier := _earlier(user, key, body):
        return earlier
    plan, nodes = _planned(kind, title, config)
    if BenchmarkRun.objects.filter(status=S.QUEUED).count() >= MAX_QUEUED:
        raise too_many(f"{MAX_QUEUED} benchmarks are waiting, the most allowed. Nothing was started.", 30)
    try:
        with transaction.atomic():
            run = _store(user, plan, nodes, kind=kind, title=title, key=key, body=body)
            transaction.on_commit(lambda: tasks.enqueue(run.pk))
    except IntegrityError:
        if earlier := _earlier(user, key, body):
            return earlier  # the same key at the same moment: the other request won
        raise
    return run


def cancel(user: User, run_id: str) -> BenchmarkRun:
    """Stop it; what is measured is kept. Cancelling again is no error; 409 `finished` once it has ended."""
    access.require_staff(user)
    run = access.run_for(user, run_id)
    rows = BenchmarkRun.objects.filter(pk=run.pk, status__in=(S.QUEUED, S.RUNNING))
    text = "Cancelled. What was measured until then is kept."
    if rows.update(status=S.CANCELLED, reason=text, finished=timezone.now(), leased_by="", leased_until=None):
        transaction.on_commit(tasks.resume)
    run.refresh_from_db()
    if run.status != S.CANCELLED:
        raise conflict("finished", f"The benchmark has already {run.status}. Its results are kept.")
    return run


def remove(user: User, run_id: str) -> None:
    """Delete a run that has ended, with all it measured. 409 `not_finished`."""
    access.require_staff(user)
    run = access.run_for(user, run_id)
    ended = BenchmarkRun.objects.filter(pk=run.pk).exclude(status__in=(S.QUEUED, S.RUNNING))
    if not ended.delete()[0]:
        raise conflict("not_finished", "The benchmark has not ended. Cancel it before you delete it.")


def _planned(kind: str, title: str, config: Mapping[str, Any]) -> tuple[Config, tuple[NodeSpec, ...]]:
    if kind not in BenchmarkRun.Kind.values:
        raise invalid("invalid", "There is no such kind.", {"kind": ["must be simulated or real"]})
    if len(title) > _TITLE_LENGTH or "\0" in title:
        raise invalid(
            "invalid", "This can't be the title.", {"title": [f"at most {_TITLE_LENGTH} characters"]}
        )
    plan = checked(config, real=kind == "real")
    if kind == "simulated":
        return replace(plan, app=""), plan.specs()
    try:
        nodes = ENGINES["real"].nodes()
    except EngineError as error:
        raise conflict("no_nodes", str(error)) from error
    slowest = min(nodes, key=lambda node: node.capacity) if plan.alone else None
    least = plan.least_seconds([slowest] if slowest else nodes)
    if least > REAL_CELL_SECONDS:
        alone = " on the slowest node alone" if slowest else ""
        text = (
            f"it takes at least {least:.0f} s{alone}, and a measurement may take {REAL_CELL_SECONDS:.0f} s; "
            "take fewer images, or smaller ones"
        )
        raise invalid(
            "invalid", "This would take too long on real nodes. Nothing was started.", {"images": [text]}
        )
    return replace(plan, nodes=":".join(f"{node.speed:g}" for node in nodes)), nodes


def _store(
    user: User,
    plan: Config,
    nodes: tuple[NodeSpec, ...],
    *,
    kind: str,
    title: str,
    key: str | None,
    body: str,
) -> BenchmarkRun:
    cells = _cells(plan)
    run = BenchmarkRun.objects.create(
        owner=user,
        title=title.strip() or f"{plan.case[0].upper()}{plan.case[1:]}"[:_TITLE_LENGTH],
        kind=kind,
        config=plan.to_json(),
        nodes=[asdict(node) | {"outages": []} for node in nodes] if kind == "real" else [],
        total=len(cells),
        key=key,
        body=body,
    )
    for position, cell in enumerate(cells):
        cell.run, cell.position = run, position
    BenchmarkCell.objects.bulk_create(cells, batch_size=500)
    return run


def _cells(plan: Config) -> list[BenchmarkCell]:
    """Seed by seed, so that a run that is stopped early has every policy."""
    cells = []
    for seed in range(1, plan.seeds + 1):
        if plan.alone:
            cells += [
                BenchmarkCell(scenario=scenario, policy=ALONE, seed=seed)
                for scenario in (Scenario.FASTEST, Scenario.SLOWEST)
            ]
        cells += [BenchmarkCell(scenario=Scenario.ALL, policy=policy, seed=seed) for policy in plan.policies]
    return cells


def _check_key(key: str | None) -> None:
    if key is not None and (not key or len(key) > _KEY_LENGTH or not key.isprintable()):
        text = f"must be 1 to {_KEY_LENGTH} printable characters"
        raise invalid("invalid", "The Idempotency-Key can't be used.", {"Idempotency-Key": [text]})


def _digest(kind: str, title: str, config: Mapping[str, Any]) -> str:
    try:
        text = json.dumps([kind, title, config], sort_keys=True, default=str)
    except (RecursionError, TypeError):
        raise invalid(
            "invalid", "The configuration can't be read.", {"config": ["must be simple values"]}
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()


def _earlier(user: User, key: str | None, body: str) -> BenchmarkRun | None:
    found = BenchmarkRun.objects.filter(owner=user, key=key).first() if key else None
    if found and found.body != body:
        text = "This Idempotency-Key was used for another request. Nothing was started; send a new key."
        raise conflict("idempotency_key_reused", text)
    return found
