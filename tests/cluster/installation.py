"""The whole platform in the test cluster: k8s/overlays/test-cluster, applied as a person would apply it.

One at a time on a machine: namespaces, volumes and the node port have fixed names. Images are named by what
is in them, so what has not changed is neither built nor loaded again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.cluster import images
from tests.cluster.scripts import ROOT, NoCluster, Scripts
from tests.k8s import kustomize

OVERLAY = "test-cluster"
NAMESPACES = ("pixelyard", "pixelyard-jobs")
DISK = Path("/var/tmp/pixelyard-test-cluster")
URL = "http://10.200.0.11:30081"
SERVERS = ROOT / "k8s" / "overlays" / OVERLAY / "servers"
RUNTIME = ("jobfolder", "model_images", "requirements")
# Image: (Dockerfile, context, what goes into it).
IMAGES: dict[str, tuple[Path, Path, tuple[str, ...]]] = {
    "web": (ROOT / "Dockerfile", ROOT, (*RUNTIME, "apps", "loadbalancer", "marketplace")),
    "filters": (ROOT / "model_images" / "filters" / "Dockerfile", ROOT, RUNTIME),
    "postgresql": (SERVERS / "postgresql.Dockerfile", SERVERS, ()),
    "redis": (SERVERS / "redis.Dockerfile", SERVERS, ()),
}
OWNERS = {"data": 10001, "postgresql": 999, "redis": 999}


class Installation:
    def __init__(self, scripts: Scripts) -> None:
        self.scripts = scripts
        self.folder = Path(tempfile.mkdtemp(prefix="pixelyard-installation-"))
        kubectl = kustomize.kubectl()
        if kubectl is None:
            raise NoCluster("there is no kubectl whose `apply -k` knows components")
        self._kubectl = kubectl

    # --- Up and down ------------------------------------------------------------------------------

    def start(self) -> Installation:
        self.delete()
        tags = {name: self._image(name) for name in IMAGES}
        self._make_disk()
        self.overlay = self._copy(tags) / "overlays" / OVERLAY
        self.kubectl("apply", "-k", str(self.overlay), seconds=120)
        self.kubectl("-n", "pixelyard", "wait", "--for=condition=complete", "job/prepare", "--timeout=540s")
        for name in ("web", "worker", "controller"):
            self.kubectl("-n", "pixelyard", "rollout", "status", f"deployment/{name}", "--timeout=300s")
        self.kubectl(
            "-n", "pixelyard-jobs", "rollout", "status", "deployment/runtime-filters", "--timeout=300s"
        )
        return self

    def delete(self) -> None:
        """What there is of an installation, this one or one that a killed test left."""
        self.kubectl("delete", "namespace", *NAMESPACES, "--ignore-not-found", "--timeout=180s", seconds=200)
        self.kubectl("delete", "pv,clusterrole,clusterrolebinding,priorityclass", "--ignore-not-found",
                     "-l", "app.kubernetes.io/part-of=pixelyard")  # fmt: skip
        shutil.rmtree(DISK, ignore_errors=True)

    def stop(self) -> None:
        with suppress(RuntimeError, subprocess.TimeoutExpired):
            self.delete()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _image(self, name: str) -> str:
        """Its tag, once every node has it."""
        dockerfile, context, parts = IMAGES[name]
        tag = _digest([dockerfile, *(ROOT / part for part in parts)])
        full = f"pixelyard-test/{name}:{tag}"
        if not self._is_everywhere(full):
            try:
                self.scripts.run("load", full)
            except RuntimeError:  # not built yet
                arguments = (full, str(dockerfile), str(context), *images.pip_volumes())
                self.scripts.run("image", *arguments, seconds=900)
        return tag

    def _is_everywhere(self, image: str) -> bool:
        """Nodes tell of their 50 largest images; another counts as missing and is loaded once more."""
        nodes = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        return all(
            any(
                name.endswith(f"/{image}")
                for one in node["status"].get("images", [])
                for name in one["names"]
            )
            for node in nodes
        )

    def _copy(self, tags: dict[str, str]) -> Path:
        made = kustomize.copy_to(self.folder)
        overlay = made / "overlays" / OVERLAY
        known = {
            "web": "pixelyard/web",
            "filters": "pixelyard/filters",
            "postgresql": "postgres",
            "redis": "redis",
        }
        named = "".join(
            f"  - {{name: {known[name]}, newName: pixelyard-test/{name}, newTag: {tag!r}}}\n"
            for name, tag in tags.items()
        )
        text = (overlay / "kustomization.yaml").read_text()
        start, end = text.index("images:\n"), text.index("patches:\n")
        (overlay / "kustomization.yaml").write_text(f"{text[:start]}images:\n{named}{text[end:]}")
        with (overlay / "settings.env").open("a") as settings:
            settings.write(f"KUBE_IMAGE=pixelyard-test/{{family}}:{tags['filters']}\n")
        return made

    def _make_disk(self) -> None:
        for name, owner in OWNERS.items():
            path = DISK / name
            path.mkdir(parents=True)
            os.chown(path, owner, owner)
            path.chmod(0o2775 if name == "data" else 0o700)

    # --- Asking -----------------------------------------------------------------------------------

    def kubectl(self, *arguments: str, seconds: float = 600, check: bool = True) -> str:
        """Its output. Raises RuntimeError with the error's text, unless `check` is False."""
        done = subprocess.run(
            [self._kubectl, *arguments],
            env={**os.environ, "KUBECONFIG": str(self.scripts.kubeconfig)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr[-3000:]}\n{self.state()}")
        return done.stdout + ("" if check else done.stderr)

    def state(self) -> str:
        """What runs and what was said last, for whoever reads a failed test."""
        parts: Sequence[Sequence[str]] = (
            ("get", "pods", "-A", "-o", "wide"),
            ("-n", "pixelyard", "logs", "-l", "app.kubernetes.io/part-of=pixelyard", "--prefix", "--tail=5"),
        )
        return "\n".join(
            self.kubectl(*part, check=False) for part in parts if "logs" not in part or DISK.exists()
        )

    def may(self, account: str, verb: str, what: str, namespace: str) -> bool:
        who = f"system:serviceaccount:pixelyard:{account}"
        said = self.kubectl("auth", "can-i", verb, what, "-n", namespace, "--as", who, check=False)
        return said.split()[0] == "yes"


def _digest(paths: Iterable[Path]) -> str:
    """Of the names and contents of these files and of all below these folders."""
    total = hashlib.sha256()
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                total.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return total.hexdigest()[:12]
