"""Finds processors: each is one file, with one Processor class, in one of the FAMILIES packages.

EXTRA_PROCESSORS names more packages (dotted, separated by commas) that are searched like these.
RUNTIME_FAMILY, the last part of a package's name, is for an image that holds what one family needs: no other
package is imported. Whatever is imported must import: nothing is left out because it can't be.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from model_images.runtime.contract import Processor

FAMILIES = (
    "model_images.filters",
    "model_images.yolov5",
    "model_images.gan",
    "model_images.classifier",
)
FAMILY = "RUNTIME_FAMILY"
AnyProcessor = Processor[Any]


def extra_families() -> list[str]:
    return [name.strip() for name in os.environ.get("EXTRA_PROCESSORS", "").split(",") if name.strip()]


def families() -> list[str]:
    """The packages that are searched. Raises ValueError for a RUNTIME_FAMILY that none of them is."""
    known = [*FAMILIES, *extra_families()]
    wanted = os.environ.get(FAMILY, "")
    found = [name for name in known if name.rpartition(".")[2] == wanted] if wanted else known
    if not found:
        names = ", ".join(name.rpartition(".")[2] for name in known)
        raise ValueError(f"there is no family {wanted!r} of processors; there are {names}")
    return found


def package_folders() -> list[Path]:
    """Where the code of the processors lies: a locked-in process may read these, for lazy imports and
    data."""
    names = ("model_images", "jobfolder", *extra_families())
    return [Path(path) for name in names for path in importlib.import_module(name).__path__]


@cache
def processors() -> MappingProxyType[str, AnyProcessor]:
    """Every processor by name, of RUNTIME_FAMILY alone if that is set. Raises RuntimeError when two share a
    name, ImportError, ValueError as `families`."""
    found: dict[str, AnyProcessor] = {}
    for family in families():
        package = importlib.import_module(family)
        for info in pkgutil.iter_modules(package.__path__, f"{family}."):
            if info.name.rpartition(".")[2].startswith(("_", "train_")):
                continue  # helpers of a family's processors; what trains its sample weights needs torch
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
                "weights": p.needs_weights,
                "family": p.family,
                "package": type(p).__module__.split(".")[-2],
                "route": p.ways_in[0].path,
                "routes": [route.path for route in p.ways_in],
                "params_schema": p.Params.model_json_schema(),
            }
            for p in processors().values()
        ]
    }
