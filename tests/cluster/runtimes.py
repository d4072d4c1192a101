"""A platform with preview servers in pods: Deployments and Services as the manifests have them, but small."""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import kubernetes

import jobfolder
from apps.cluster.kube import builders_runtime, manifests
from apps.cluster.kube.specs import Resources
from jobfolder import EndpointHeartbeat
from tests.api_client import wait_until
from tests.cluster.scripts import ROOT, Scripts
from tests.cluster.site import UID, Site
from tests.kill.photos import photo

IDLE = 25  # seconds
DIGITS = ROOT / "model_images" / "samples" / "digits.onnx"
_LISTING = """
from apps.accounts.models import User
from apps.catalog.models import Listing, Version
from marketplace.ids import new_id
seller = User.objects.get(email="seller@example.org")
listing = Listing.objects.create(
    seller=seller, title="Digits", kind="classification", family="classifier", price=1)
listing.current_version = Version.objects.create(
    listing=listing, number=1, status="ready", upload_id=new_id(), file_name="digits.onnx", bytes=1,
    upload_sha256="{sha256}", weights_sha256="{sha256}")
listing.status, listing.published_at = "published", listing.created
listing.save()
print("made", listing.pk)
"""


class PreviewSite(Site):
    """`families` of preview servers, all asleep. `listing` is the digit reader's, the seller's."""

    def __init__(self, scripts: Scripts, families: Sequence[str]) -> None:
        env = {"RUNTIME_IDLE_SECONDS": str(IDLE), "BALANCING_POLICY": "round_robin", "EXTRA_PROCESSORS": ""}
        super().__init__(scripts, families, **env)
        self.families = families
        self.apps = kubernetes.client.AppsV1Api(self._client)

    def start(self) -> PreviewSite:
        super().start()
        secret = {"metadata": {"name": builders_runtime.RUNTIME}, "stringData": self._token_of_runtimes()}
        self.core.create_namespaced_secret(self.namespace, secret)
        for family in self.families:
            self.deploy(family)
        return self

    def _token_of_runtimes(self) -> dict[str, str]:
        return {builders_runtime.TOKEN: self.env["RUNTIME_TOKEN"]}

    def deploy(self, family: str, image: str = "") -> None:
        """As the manifests have it, but with less CPU asked for, and asleep."""
        (spec,) = [one for one in manifests.specs() if one.family == family]
        spec = replace(
            spec,
            namespace=self.namespace,
            image=image or self.image.format(family=family),
            resources=Resources("1", "1Gi"),
            cpu_request="50m",
        )
        self.apps.create_namespaced_deployment(self.namespace, builders_runtime.deployment(spec))
        if not image:
            self.core.create_namespaced_service(self.namespace, builders_runtime.service(spec))

    def scale(self, family: str, replicas: int) -> None:
        body = {"spec": {"replicas": replicas}}
        self.apps.patch_namespaced_deployment_scale(builders_runtime.name(family), self.namespace, body)

    def replicas(self, family: str) -> int:
        name = builders_runtime.name(family)
        return self.apps.read_namespaced_deployment_scale(name, self.namespace).spec.replicas or 0

    def servers(self, family: str) -> list[Any]:
        """The pods that are not on their way out."""
        labels = f"{builders_runtime.ALL},{builders_runtime.FAMILY}={family}"
        pods = self.core.list_namespaced_pod(self.namespace, label_selector=labels).items
        return [pod for pod in pods if not pod.metadata.deletion_timestamp]

    def beats(self, family: str) -> list[EndpointHeartbeat]:
        """Fresh ones."""
        found = jobfolder.read_endpoints(self.data_dir)
        return [beat for beat in found if beat.family == family and time.time() - beat.time < 3]

    def ask(self, app: str = "blackwhite", role: str = "buyer", **data: str) -> httpx.Response:
        """One preview, as it is answered: nothing is asked again."""
        url, headers = f"/apps/{app}/preview", {"Accept": "application/json"}
        if data:
            return self.api(role).http.post(url, json=data, headers=headers)
        files = {"file": ("photo.jpg", photo(1, 640, 480), "image/jpeg")}
        return self.api(role).http.post(url, files=files, headers=headers)

    def awake(self, count: int) -> list[EndpointHeartbeat]:
        """So many servers of the filters, and those alone, once they are there."""
        family = "filters"

        def there() -> list[EndpointHeartbeat]:
            self.ask()  # who is not used is put to sleep meanwhile
            names = {pod.metadata.name for pod in self.servers(family)}
            beats = self.beats(family)
            return beats if len(names) == count and {beat.key for beat in beats} == names else []

        self.ask()
        self.scale(family, count)
        return list(wait_until(there, 60, f"{count} servers of {family}", pause=0.3))

    def asleep(self, family: str) -> None:
        self.scale(family, 0)
        wait_until(lambda: not self.servers(family) and not self.beats(family), 60, f"{family} asleep")

    def answered(self, url: str) -> float:
        """How many previews a server has answered."""
        lines = httpx.get(f"{url}/metrics", trust_env=False, timeout=10).text.splitlines()
        counts = [line for line in lines if line.startswith("previews_total{") and 'status="ok"' in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in counts)

    def listing(self) -> str:
        """A listing of the digit reader, its weights where intake would have put them. Its id."""
        sha256 = hashlib.sha256(DIGITS.read_bytes()).hexdigest()
        path = jobfolder.weights_path(self.data_dir, sha256)
        shutil.copy(DIGITS, path)
        shutil.chown(path, UID, UID)
        path.chmod(0o444)
        code = _LISTING.format(sha256=sha256)
        return self.shell(code).split("made ")[1].strip()

    def shell(self, code: str) -> str:
        """What Python code of the web process prints."""
        return self.step([sys.executable, "manage.py", "shell", "-v", "0", "-c", code])
