"""Kustomize 5: by itself, or in kubectl. Older ones don't know components."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
OVERLAYS = ("self-contained", "bring-your-own", "test-cluster")


@cache
def kubectl() -> str | None:
    """One whose `apply -k` and `kustomize` are new enough."""
    for path in (shutil.which("kubectl"), "/usr/bin/kubectl"):
        if path and Path(path).exists():
            told = subprocess.run([path, "version", "--client"], capture_output=True, text=True, check=False)
            if re.search(r"Kustomize Version: v[5-9]", told.stdout):
                return path
    return None


@cache
def command() -> tuple[str, ...] | None:
    """What prints a folder's manifests, when the folder is added to it."""
    if path := shutil.which("kustomize"):
        return path, "build"
    return (path, "kustomize") if (path := kubectl()) else None


def copy_to(folder: Path) -> Path:
    """k8s/ without anybody's secrets, and with new ones in every overlay."""
    made = folder / "k8s"
    shutil.copytree(K8S, made, ignore=shutil.ignore_patterns("secrets"))
    for name in OVERLAYS:
        subprocess.run([made / "make-secrets", made / "overlays" / name], check=True, capture_output=True)
    return made
