"""A platform whose web and controller run on this machine, and whose workers are pods of the test cluster.

Everything of it is in one folder and one namespace, and both are gone at the end. The host's processes run
as the same user as the pods, as they do in production: so what one writes the other may read.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import kubernetes
import redis
import yaml
from kubernetes.client import ApiException

from marketplace.embedded import plan, preflight
from marketplace.embedded.options import Options
from tests.api_client import Api, wait_until
from tests.cluster import images
from tests.cluster.scripts import ROOT, Scripts
from tests.platform_fixture import free_port

UID = 10001  # of every container
CLAIM = "pixelyard-data"
MANIFESTS = ROOT / "k8s" / "base"
JOBS_NAMESPACE = "pixelyard-jobs"
GROUP = "rbac.authorization.k8s.io"
READY = "controller: ready"
START_SECONDS = 120  # a busy machine takes its time to import Django
TTL = 20  # seconds for which finished Jobs stay
# That user, except that it may read what only this machine's user can: the Python that the tests run with.
_AS_POD = (
    "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups",
    "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
)  # fmt: skip


class Site:
    """`start()` it, `stop()` it. Settings of the controller come from `env`, those of one of them from what
    `controller` is given."""

    def __init__(
        self, scripts: Scripts, families: Sequence[str] = (images.PROBE_FAMILY,), **env: str
    ) -> None:
        self.scripts = scripts
        self._families = families
        self.namespace = f"pixelyard-test-{secrets.token_hex(4)}"
        self.folder = Path(tempfile.mkdtemp(prefix="pixelyard-cluster-"))
        self.data_dir = self.folder / "data"
        self.source = self.folder / "src"
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.image = ""
        self._extra = env
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._apis: dict[str, Api] = {}
        client = kubernetes.config.new_client_from_config(str(scripts.kubeconfig))
        self.core = kubernetes.client.CoreV1Api(client)
        self.batch = kubernetes.client.BatchV1Api(client)
        self._rights = kubernetes.client.RbacAuthorizationV1Api(client)
        self._client = client

    # --- Up and down --------------------------------------------------------------------------------

    def start(self) -> Site:
        self.folder.chmod(0o755)
        self.source.mkdir()
        images.copy_of_project(self.source)
        self.image = images.ensure(self.scripts, self.core, self.source, self._families)
        self.data_dir.mkdir()
        self._make_namespace()
        self._write_kubeconfig()
        for path in (self.folder, self.data_dir, self.folder / "kubeconfig", self.source / "model_images"):
            os.chown(path, UID, UID)
        (self.source / "model_images" / "catalog.json").unlink()
        self.env = self._environment()
        for folder in ("drive", "jobs", "weights", "redis"):
            (self.data_dir / folder).mkdir()
            os.chown(self.data_dir / folder, UID, UID)
        self._start_redis()
        self.step([sys.executable, "-m", "model_images.runtime", "describe", "--write"])
        self.step([sys.executable, "manage.py", "prepare"])
        self.spawn("web", plan.web(self._options, self.env).command)
        self.controller()
        self._wait_until_ready()
        return self

    def stop(self) -> None:
        for api in self._apis.values():
            api.http.close()
        for name in [name for name in self._processes if name != "redis"]:
            self.end(name)
        with suppress(ApiException):
            self.core.delete_namespace(self.namespace, grace_period_seconds=0)
        for delete in (
            self.core.delete_persistent_volume,
            self._rights.delete_cluster_role,
            self._rights.delete_cluster_role_binding,
        ):
            with suppress(ApiException):
                delete(self.namespace)
        self.end("redis")
        self._wait_until_gone()
        self._client.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait_until_gone(self) -> None:
        def gone() -> bool:
            try:
                self.core.read_namespace(self.namespace)
            except ApiException as error:
                return error.status == 404
            return False

        wait_until(gone, 180, f"namespace {self.namespace} to be gone", pause=0.5)

    def _make_namespace(self) -> None:
        """With the volume: the data folder, which is the same directory on every node."""
        name = self.namespace
        self.core.create_namespace({"metadata": {"name": name}})
        shared = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
        self.core.create_persistent_volume(
            {
                "metadata": {"name": name},
                "spec": {
                    **shared,
                    "capacity": {"storage": "10Gi"},
                    "hostPath": {"path": str(self.data_dir), "type": "Directory"},
                    "claimRef": {"namespace": name, "name": CLAIM},
                    "persistentVolumeReclaimPolicy": "Retain",
                },
            }
        )
        self.core.create_namespaced_persistent_volume_claim(
            name,
            {
                "metadata": {"name": CLAIM},
                "spec": {**shared, "volumeName": name, "resources": {"requests": {"storage": "10Gi"}}},
            },
        )

    def _write_kubeconfig(self) -> None:
        """For the controller: with the rights that the manifests give it, and no others."""
        account = {"kind": "ServiceAccount", "name": "controller", "namespace": self.namespace}
        self.core.create_namespaced_service_account(self.namespace, {"metadata": {"name": "controller"}})
        for thing in yaml.safe_load_all((MANIFESTS / "rights.yaml").read_text()):
            if thing["metadata"].get("namespace") == JOBS_NAMESPACE and thing["kind"] == "Role":
                thing["metadata"]["namespace"] = self.namespace
                self._rights.create_namespaced_role(self.namespace, thing)
                binding = {"metadata": {"name": "controller"}, "subjects": [account]}
                role = {"kind": "Role", "name": thing["metadata"]["name"]}
                binding["roleRef"] = {"apiGroup": GROUP, **role}
                self._rights.create_namespaced_role_binding(self.namespace, binding)
            if thing["kind"] == "ClusterRole":
                thing["metadata"]["name"] = self.namespace
                self._rights.create_cluster_role(thing)
                role = {"apiGroup": GROUP, "kind": "ClusterRole", "name": self.namespace}
                binding = {"metadata": {"name": self.namespace}, "subjects": [account], "roleRef": role}
                self._rights.create_cluster_role_binding(binding)
        config = yaml.safe_load(self.scripts.kubeconfig.read_text())
        config["users"] = [{"name": "controller", "user": {"token": self._token()}}]
        config["contexts"][0]["context"]["user"] = "controller"
        (self.folder / "kubeconfig").write_text(yaml.safe_dump(config))

    def _token(self) -> str:
        """Asked for as a Secret, which every version of Kubernetes answers."""
        annotation = {"kubernetes.io/service-account.name": "controller"}
        self.core.create_namespaced_secret(
            self.namespace,
            {
                "type": "kubernetes.io/service-account-token",
                "metadata": {"name": "controller-token", "annotations": annotation},
            },
        )

        def made() -> str:
            data = self.core.read_namespaced_secret("controller-token", self.namespace).data or {}
            return base64.b64decode(data.get("token", "")).decode()

        return str(wait_until(made, 20, "the controller's token"))

    @property
    def _options(self) -> Options:
        return Options("127.0.0.1", self.port, self.data_dir, 1, 1, 8, "", True)

    def _environment(self) -> dict[str, str]:
        self._redis_port, self._redis_password = free_port(), secrets.token_hex(12)
        url = f"redis://:{self._redis_password}@127.0.0.1:{self._redis_port}/0"
        kept = plan.Kept(secrets.token_hex(24), secrets.token_hex(24), url)
        inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "TZ"}}
        told = plan.platform_env(self._options, kept)
        ours = {name: value for name, value in told.items() if os.environ.get(name) != value}
        return {
            **inherited,
            **ours,
            **plan.QUIET,
            "DJANGO_SETTINGS_MODULE": "marketplace.settings",
            "HOME": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "EXTRA_PROCESSORS": images.PROBE_FAMILY,
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "ENGINE": "kubernetes",
            "KUBE_NAMESPACE": self.namespace,
            "KUBE_VOLUME_CLAIM": CLAIM,
            "KUBE_IMAGE": self.image,
            "KUBE_TTL_SECONDS": str(TTL),
            "KUBE_PRIORITY_CLASS": "",
            "KUBE_START_SECONDS": "20",
            "KUBE_WORKER_CPU": "500m",
            "KUBE_WORKER_MEMORY": "512Mi",
            **self._extra,
        }

    def _start_redis(self) -> None:
        server = preflight.redis_server(Path(sys.executable).parent)
        service, text = plan.redis(self._options, server, self._redis_port, self._redis_password)
        config = Path(service.command[-1])
        (self.data_dir / "log").mkdir(exist_ok=True)
        os.chown(self.data_dir / "log", UID, UID)
        config.write_text(text)
        self.spawn("redis", service.command)
        with redis.Redis.from_url(self.env["REDIS_URL"], retry=None) as client:

            def answers() -> bool:
                with suppress(redis.RedisError):
                    return bool(client.ping())
                return False

            wait_until(answers, 20, "redis to answer")

    def _wait_until_ready(self) -> None:
        def ready() -> bool:
            ended = [name for name, process in self._processes.items() if process.poll() is not None]
            assert not ended, f"ended: {ended}"
            with suppress(httpx.HTTPError, AssertionError, KeyError):
                nodes = self.api("admin").get("/nodes")["items"]
                return len([node for node in nodes if node["status"] == "ready"]) == len(self.ready_nodes())
            return False

        wait_until(ready, START_SECONDS, "web and controller to see the cluster's nodes", pause=0.2)

    # --- Processes ----------------------------------------------------------------------------------

    def step(self, command: list[str]) -> str:
        """What it prints."""
        done = subprocess.run(
            [*_AS_POD, *command],
            cwd=self.source,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def spawn(self, name: str, command: list[str], **env: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*_AS_POD, *command],
                cwd=self.source,
                env={**self.env, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._processes[name] = process
        return process

    def controller(self, name: str = "controller", **env: str) -> subprocess.Popen[bytes]:
        """Another one; it has said that it is ready."""
        log = self.folder / f"{name}.log"
        before = log.read_text().count(READY) if log.exists() else 0
        process = self.spawn(name, [sys.executable, "manage.py", "controller"], **env)
        wait_until(
            lambda: process.poll() is not None or log.read_text().count(READY) > before,
            START_SECONDS,
            f"{name} to be ready",
        )
        return process

    def end(self, name: str, number: int = signal.SIGTERM) -> None:
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def running(self, name: str) -> subprocess.Popen[bytes]:
        return self._processes[name]

    def output(self, name: str = "*") -> str:
        return "".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-8000:]}"
            for path in sorted(self.folder.glob(f"{name}.log"))
        )

    # --- What is there ------------------------------------------------------------------------------

    def api(self, role: str = "buyer") -> Api:
        if role not in self._apis:
            logins = json.loads((self.data_dir / "secrets" / "demo_users.json").read_text())
            token = next(login["token"] for login in logins if login["role"] == role)
            self._apis[role] = Api(self.base_url, token)
        return self._apis[role]

    def ready_nodes(self) -> list[str]:
        return [node.metadata.name for node in self.core.list_node().items if images.is_ready(node)]

    def pods(self, job_id: str = "") -> list[Any]:
        return self.core.list_namespaced_pod(self.namespace, label_selector=_selector(job_id)).items

    def jobs(self, job_id: str = "") -> list[Any]:
        return self.batch.list_namespaced_job(self.namespace, label_selector=_selector(job_id)).items

    def as_dict(self, thing: Any) -> dict[str, Any]:
        """An object of the API as the API writes it."""
        found: dict[str, Any] = self._client.sanitize_for_serialization(thing)
        return found

    def live_pods(self, job_id: str = "") -> list[Any]:
        """Those that run, or may yet: a pod that was deleted before it started will not, however long the
        kubelet takes to clear it away."""
        return [
            pod
            for pod in self.pods(job_id)
            if pod.status.phase in {"Running", "Unknown"}
            or (pod.status.phase == "Pending" and not pod.metadata.deletion_timestamp)
        ]


def _selector(job_id: str) -> str:
    return f"pixelyard/job={job_id}" if job_id else "app.kubernetes.io/managed-by=pixelyard"
