"""Finds processors: each is one file, with one Processor class, in one of the FAMILIES packages."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from types import MappingProxyType
from typing import Any

from model_images.runtime.contract import Processor

FAMILIES = ("model_images.filters",)
AnyProcessor = Processor[Any]


@cache
def processors() -> MappingProxyType[str, AnyProcessor]:
    """Every processor by name. Raises RuntimeError when two share a name."""
    found: dict[str, AnyProcessor] = {}
    for family in FAMILIES:
        package = importlib.import_module(family)
        for info in pkgutil.iter_modules(package.__path__, f"{family}."):
            if info.name.rpartition(".")[2].startswith("_"):
                continue  # helpers shared by the processors of a family
            module = importlib.import_module(info.name)
            for _, cls in inspect.getmembers(module, inspect.isclass):
                if issubclass(cls, Processor) and cls.__module__ == module.__name__:
                    if cls.name in found:
                        raise RuntimeError(f"two processors are called {cls.name}")
                    found[cls.name] = cls()
    return MappingProxyType(dict(sorted(found.items())))


def describe() -> dict[str, Any]:
    """The catalogue that the web reads, so that it need not import OpenCV to know the options."""
    return {
        "processors": [
            {
                "name": p.name,
                "title": p.title,
                "summary": p.summary,
                "kind": p.kind,
                "version": p.version,
                "outputs": list(p.outputs),
                "seconds_per_megapixel": p.seconds_per_megapixel,
                "params_schema": p.Params.model_json_schema(),
            }
            for p in processors().values()
        ]
    }
