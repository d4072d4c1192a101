"""Finds the policies: every module in `loadbalancer/policies` holds exactly one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType, ModuleType

from loadbalancer import policies as package
from loadbalancer.policy import Policy


class UnknownPolicy(ValueError):
    """No policy has this name; the message lists those there are."""


@cache
def policies() -> Mapping[str, Policy]:
    """Every policy by name, in the order of names. Raises TypeError for a module that breaks the rules."""
    found = {}
    for info in pkgutil.iter_modules(package.__path__):
        policy = _policy_in(importlib.import_module(f"{package.__name__}.{info.name}"))
        if policy.name != info.name:
            raise TypeError(f"{info.name}.py holds the policy {policy.name!r}: file and name must agree")
        found[policy.name] = policy()
    return MappingProxyType(dict(sorted(found.items())))


def names() -> tuple[str, ...]:
    return tuple(policies())


def get(name: str) -> Policy:
    """Raises UnknownPolicy."""
    try:
        return policies()[name]
    except KeyError:
        raise UnknownPolicy(f"{name!r} is no balancing policy; there are {', '.join(names())}") from None


def _policy_in(module: ModuleType) -> type[Policy]:
    classes = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Policy) and member.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise TypeError(f"{module.__name__} holds {len(classes)} policies instead of one")
    return classes[0]
