"""How workers get onto nodes. `get_engine()` answers the one that ENGINE names."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from apps.cluster.engines.base import Engine, EngineError, Observation, PlacementSpec

__all__ = ["Engine", "EngineError", "Observation", "PlacementSpec", "get_engine"]


def get_engine() -> Engine:
    """One engine a process. Nothing is connected before the first call that needs it."""
    return _engine(settings.ENGINE)


@cache
def _engine(name: str) -> Engine:
    # Loaded where they are used: an engine imports models, and its client.
    from apps.cluster.engines.celery import CeleryEngine
    from apps.cluster.engines.kubernetes import KubernetesEngine

    known: dict[str, type[Engine]] = {one.name: one for one in (CeleryEngine, KubernetesEngine)}
    return known[name]()
