"""The image that the tests' pods run: the runtime's own, with the tests' processors on top."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kubernetes.client import CoreV1Api

from tests.cluster.scripts import ROOT, Scripts

PROBES = Path(__file__).parent / "probes"
PROBE_FAMILY = "cluster_probes"
ON_TOP = f"COPY {PROBE_FAMILY} /srv/pixelyard/{PROBE_FAMILY}\n" + (
    f"ENV EXTRA_PROCESSORS={PROBE_FAMILY} RUNTIME_FAMILY={PROBE_FAMILY}\n"
)
PACKAGES = ("apps", "jobfolder", "loadbalancer", "marketplace", "model_images", "requirements")
FILES = ("manage.py", "pyproject.toml", "LICENSE")
_IN_IMAGE = ("jobfolder", "model_images", "requirements")
_NAME = "pixelyard-test"


def copy_of_project(folder: Path) -> Path:
    """The project's packages and the tests' processors, beside each other: what the host's part runs from,
    and what images are built from. The repository's own catalogue knows no processors of tests."""
    ignore = shutil.ignore_patterns("__pycache__", "node_modules", "train_*.py")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    for name in FILES:
        shutil.copy2(ROOT / name, folder / name)
    shutil.copytree(PROBES, folder / PROBE_FAMILY, ignore=ignore)
    return folder


def ensure(scripts: Scripts, core: CoreV1Api, project: Path, families: Sequence[str]) -> str:
    """Images of the project as it is now, on every node; their names as in KUBE_IMAGE. Built only when
    something in them has changed, loaded only where they are missing. `project`: see `copy_of_project`."""
    tag = _digest([*(ROOT / name for name in _IN_IMAGE), PROBES])
    for family in families:
        name = f"{_NAME}/{family}:{tag}"
        if not _everywhere(core, name):
            try:
                scripts.run("load", name)
            except RuntimeError:  # not built yet
                build = [name, str(_dockerfile(project, family)), str(project), *pip_volumes()]
                scripts.run("image", *build, seconds=600)
    return f"{_NAME}/{{family}}:{tag}"


def _dockerfile(project: Path, family: str) -> Path:
    if family != PROBE_FAMILY:
        return project / "model_images" / family / "Dockerfile"
    of_filters = project / "model_images" / "filters" / "Dockerfile"
    file = project / "Dockerfile"
    file.write_text(of_filters.read_text() + ON_TOP)
    return file


def pip_volumes() -> list[str]:
    """Where this machine's configuration of pip names a file of constraints, a build must see that, too."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    found = re.findall(r"constraint='([^']+)'", listed)
    return [f"--volume={path}:{path}:ro" for path in found if Path(path).is_file()]


def _everywhere(core: CoreV1Api, tag: str) -> bool:
    """Whether every node that is up says that it has the image. Nodes tell of their 50 largest."""
    nodes = [node for node in core.list_node().items if is_ready(node)]
    return bool(nodes) and all(
        any(name.endswith(tag) for image in node.status.images or () for name in image.names or ())
        for node in nodes
    )


def is_ready(node: Any) -> bool:
    return any(one.type == "Ready" and one.status == "True" for one in node.status.conditions)


def _digest(paths: Iterable[Path]) -> str:
    """Of the contents and names of all files in `paths`."""
    total = hashlib.sha256(ON_TOP.encode())
    for file in sorted(file for path in paths for file in path.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            total.update(str(file.relative_to(ROOT)).encode() + b"\0")
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:12]
