"""The overlays, as kustomize builds them. Without kustomize 5, tests that build are skipped."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.k8s import kustomize

Thing = dict[str, Any]


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kustomize.copy_to(tmp_path_factory.mktemp("manifests"))


@pytest.fixture(scope="session", params=kustomize.OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def built(copy: Path, overlay: str) -> list[Thing]:
    command = kustomize.command()
    if command is None:
        pytest.skip("neither kustomize nor a kubectl with kustomize 5 is here")
    done = subprocess.run(
        [*command, copy / "overlays" / overlay], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no field that kustomize calls deprecated
    return [thing for thing in yaml.safe_load_all(done.stdout) if thing]
