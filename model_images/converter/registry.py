"""Finds architectures: each is one file with one or more Architecture classes in `architectures/`. Files
whose name starts with `_` are helpers."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from model_images.converter import architectures
from model_images.converter.architecture import Architecture, Checkpoint, Rejected
from model_images.runtime.metadata import Family


@cache
def known() -> Mapping[str, Architecture]:
    """Every architecture by name. Imports torch. Raises RuntimeError when two share a name."""
    found: dict[str, Architecture] = {}
    for info in pkgutil.iter_modules(architectures.__path__, f"{architectures.__name__}."):
        if info.name.rpartition(".")[2].startswith("_"):
            continue
        module = importlib.import_module(info.name)
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if not issubclass(cls, Architecture) or inspect.isabstract(cls):
                continue
            if cls.__module__ != module.__name__:
                continue
            if cls.name in found:
                raise RuntimeError(f"two architectures are called {cls.name}")
            found[cls.name] = cls()
    return MappingProxyType(dict(sorted(found.items())))


def find(checkpoint: Checkpoint, family: Family, named: str | None = None) -> Architecture:
    """The architecture of this checkpoint: the one the seller named, or the one its names and shapes fit.

    Raises Rejected: unknown_architecture, wrong_family.
    """
    candidates = [a for a in known().values() if a.family == family]
    if named:
        return _by_name(named, family, candidates)
    fitting = [a for a in candidates if a.matches(checkpoint)]
    if len(fitting) == 1:
        return fitting[0]
    if len(fitting) > 1:
        raise Rejected(
            "unknown_architecture",
            f"These weights could be any of {_names(fitting)}: name the one that it is.",
        )
    for other in known().values():
        if other.family != family and other.matches(checkpoint):
            raise Rejected(
                "wrong_family",
                f"These weights are a {other.title} ({other.family}), not of the family {family}: "
                "choose that family.",
            )
    raise Rejected("unknown_architecture", _unknown(checkpoint, family, candidates))


def _by_name(named: str, family: Family, candidates: list[Architecture]) -> Architecture:
    for architecture in candidates:
        if architecture.name == named:
            return architecture
    raise Rejected(
        "unknown_architecture",
        f"{named[:60]!r} is no architecture of the family {family}. Known are: {_names(candidates)}.",
    )


def _unknown(checkpoint: Checkpoint, family: Family, candidates: list[Architecture]) -> str:
    first = ", ".join(name[:60] for name in list(checkpoint.state)[:3])
    return (
        f"No architecture of the family {family} has tensors with these names and shapes "
        f"({len(checkpoint.state)} tensors; the first: {first}). Known are: {_names(candidates)}. "
        "For any other network, export it to ONNX and upload the .onnx file."
    )


def _names(architectures: Iterable[Architecture]) -> str:
    return ", ".join(a.name for a in architectures) or "none yet"
