"""The overlays, as kustomize builds them.

Needs kustomize 5, by itself or in kubectl: without either, tests that build are skipped.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
OVERLAYS = ("self-contained", "bring-your-own", "test-cluster")
Thing = dict[str, Any]


@cache
def kustomize() -> tuple[str, ...] | None:
    """A command that builds a folder's manifests, of a version that knows components."""
    if path := shutil.which("kustomize"):
        return path, "build"
    for path in filter(None, (shutil.which("kubectl"), "/usr/bin/kubectl")):
        if Path(path).exists():
            told = subprocess.run([path, "version", "--client"], capture_output=True, text=True, check=False)
            if re.search(r"Kustomize Version: v[5-9]", told.stdout):
                return path, "kustomize"
    return None


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """k8s/ with secrets in every overlay."""
    folder = tmp_path_factory.mktemp("k8s") / "k8s"
    shutil.copytree(K8S, folder, ignore=shutil.ignore_patterns("secrets"))
    for name in OVERLAYS:
        subprocess.run([folder / "make-secrets", folder / "overlays" / name], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def built(copy: Path, overlay: str) -> list[Thing]:
    command = kustomize()
    if command is None:
        pytest.skip("neither kustomize nor a kubectl with kustomize 5 is here")
    done = subprocess.run(
        [*command, copy / "overlays" / overlay], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no field that kustomize calls deprecated
    return [thing for thing in yaml.safe_load_all(done.stdout) if thing]
