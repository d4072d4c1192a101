"""Previews answered by pods: woken, balanced, replaced in mid-use, and put to sleep."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.api_client import wait_until
from tests.cluster.runtimes import IDLE, PreviewSite
from tests.cluster.scripts import Scripts
from tests.kill.photos import photo


@pytest.fixture(scope="module")
def site(cluster: Scripts) -> Iterator[PreviewSite]:
    site = PreviewSite(cluster, ["filters", "classifier"])
    try:
        site.start()
        yield site
    finally:
        sys.stdout.write(site.output())
        site.stop()


def ask_until_awake(site: PreviewSite, **question: str) -> tuple[httpx.Response, list[int]]:
    """As the pages do: asked again while the servers wake up. The answer, and the statuses before it."""
    before: list[int] = []
    end = time.monotonic() + 90
    while time.monotonic() < end:
        answer = site.ask(**question)
        if answer.status_code == 200:
            return answer, before
        before.append(answer.status_code)
        assert answer.json()["error"]["code"] == "waking_up", (answer.text, site.output("controller"))
        time.sleep(float(answer.headers["Retry-After"]))
    raise AssertionError(f"not awake after 90 s: {before} {site.output('controller')}")


def error(answer: httpx.Response) -> tuple[int, str, str]:
    told = answer.json()["error"]
    return answer.status_code, told["code"], told["message"]


def test_first_preview_wakes_a_sleeping_family(site: PreviewSite):
    site.asleep("filters")
    began = time.monotonic()

    answer, before = ask_until_awake(site)

    sys.stdout.write(f"woken and answered after {time.monotonic() - began:.1f} s, {before} before\n")
    assert answer.json()["image"]["width"] == 640
    assert set(before) <= {503}
    (pod,) = site.servers("filters")
    (beat,) = site.beats("filters")
    assert (beat.name, beat.node) == (pod.metadata.name, pod.spec.node_name)
    assert beat.url == f"http://{pod.status.pod_ip}:8080"
    assert site.replicas("classifier") == 0, "nobody asked for it"


def test_photo_of_the_drive_is_seen_by_pods_that_see_no_drive(site: PreviewSite):
    folder = site.api().post("/folders", json={"name": "One"})["id"]
    (image,) = site.api().upload(folder, [("one.jpg", photo(7, 320, 240))])

    answer, _ = ask_until_awake(site, image=image["id"])

    assert answer.json()["image"]["width"] == 320


def test_weights_are_found_by_their_hash_and_kept(site: PreviewSite):
    listing = site.listing()

    first, _ = ask_until_awake(site, app=listing, role="seller")
    second = site.ask(app=listing, role="seller")

    assert len(first.json()["data"]["top"]) > 1
    assert "load_ms" in first.json()["timings"]
    assert "load_ms" not in second.json()["timings"]
    assert first.json()["data"] == second.json()["data"]


def test_two_pods_both_get_work_by_the_policy(site: PreviewSite):
    beats = site.awake(2)
    before = [site.answered(beat.url) for beat in beats]
    time.sleep(1)  # the web reads heartbeats twice a second

    assert {site.ask().status_code for _ in range(8)} == {200}

    assert [site.answered(beat.url) - old for beat, old in zip(beats, before, strict=True)] == [4, 4]


@pytest.mark.parametrize("grace", [0, None], ids=["killed", "ended in good order"])
def test_pod_that_goes_in_mid_use_costs_no_preview(site: PreviewSite, grace: int | None):
    beats = site.awake(2)
    time.sleep(1)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(site.ask) for _ in range(30)]
        wait_until(lambda: sum(one.done() for one in asked) >= 6, 60, "some answers", pause=0.02)
        site.core.delete_namespaced_pod(beats[0].name, site.namespace, grace_period_seconds=grace)

    statuses = [one.result().status_code for one in asked]
    assert statuses == [200] * 30
    wait_until(lambda: beats[0].name not in {one.name for one in site.beats("filters")}, 20, "it is gone")


def test_node_that_staff_cordon_gives_no_previews(site: PreviewSite):
    beats = site.awake(2)
    if beats[0].node == beats[1].node:
        pytest.skip("both servers are on one node")
    cordon(site, beats[0].node, cordoned=True)
    try:
        time.sleep(1)
        before = [site.answered(beat.url) for beat in beats]
        assert {site.ask().status_code for _ in range(4)} == {200}
        assert [site.answered(beat.url) - old for beat, old in zip(beats, before, strict=True)] == [0, 4]
    finally:
        cordon(site, beats[0].node, cordoned=False)


def cordon(site: PreviewSite, node: str, *, cordoned: bool) -> None:
    answer = site.api("admin").call("PATCH", f"/nodes/{node}", json={"cordoned": cordoned})
    assert answer.status_code == 200, answer.content


def test_through_the_service_too(site: PreviewSite):
    """The Service's name resolves in the cluster alone; from here it is its address."""
    beats = site.awake(2)
    before = [site.answered(beat.url) for beat in beats]
    address = site.core.read_namespaced_service("runtime-filters", site.namespace).spec.cluster_ip
    code = f"""
from django.conf import settings
from apps.cluster import endpoints
settings.PREVIEW_ROUTE = "service"
endpoints._service_url = lambda family: "http://{address}:8080"
from io import BytesIO
from PIL import Image
photo = BytesIO()
Image.new("RGB", (64, 64), "orange").save(photo, "PNG")
for _ in range(16):
    files = {{"file": ("a.png", photo.getvalue(), "image/png")}}
    answer = endpoints.send_preview("blackwhite", {{"params": "{{}}"}}, files, "image/*", family="filters")
    assert answer.status_code == 200, answer.content
"""

    site.shell(code)

    counts = [site.answered(beat.url) - old for beat, old in zip(beats, before, strict=True)]
    assert sum(counts) == 16
    assert all(counts), "a Service spreads connections by chance: 1 in 32,768 that one pod gets all"


def test_family_that_nobody_asks_for_is_put_to_sleep(site: PreviewSite):
    site.awake(2)
    site.ask()
    began = time.monotonic()

    wait_until(lambda: site.replicas("filters") == 0, IDLE + 20, "scaled to zero", pause=0.5)

    assert time.monotonic() - began > IDLE - 7  # its use is noted every five seconds
    wait_until(lambda: not site.servers("filters") and not site.beats("filters"), 30, "no pod is left")
    answer, _ = ask_until_awake(site)
    assert answer.status_code == 200


def test_pages_are_told_why_a_family_can_not_be_woken(site: PreviewSite):
    name = "runtime-classifier"
    site.apps.delete_namespaced_deployment(name, site.namespace)
    app = site.listing()

    def told(words: str) -> bool:
        answer = site.ask(app=app, role="seller")
        return answer.status_code == 503 and words in error(answer)[2]

    wait_until(lambda: told(f"the Deployment {name} is not in the namespace"), 30, "that it is missing")
    assert error(site.ask(app=app, role="seller"))[:2] == (503, "no_preview_server")

    site.deploy("classifier", image="pixelyard-test/classifier:nowhere")
    wait_until(lambda: told("can't get the image"), 60, "that its image is missing", pause=0.5)

    with_it = {"spec": {"template": {"spec": {"containers": [{"name": "runtime", "image": image(site)}]}}}}
    site.apps.patch_namespaced_deployment(name, site.namespace, with_it)
    answer, _ = ask_until_awake_at_last(site, app=app, role="seller")
    assert answer.status_code == 200


def image(site: PreviewSite) -> str:
    return site.image.format(family="classifier")


def ask_until_awake_at_last(site: PreviewSite, **question: str) -> tuple[httpx.Response, list[int]]:
    """The same, where trouble that is over may still be told for a moment."""

    def awake() -> httpx.Response | None:
        answer = site.ask(**question)
        return answer if answer.status_code == 200 else None

    return wait_until(awake, 90, "awake", pause=1.0), []


def test_preview_pod_can_write_nothing_but_what_it_must(site: PreviewSite):
    ask_until_awake(site)
    (pod, *_) = site.servers("filters")

    def run(shell: str) -> str:
        name = f"-n {site.namespace} {pod.metadata.name}"
        return site.scripts.ask(f"kubectl exec {name} -- sh -c '({shell}) 2>&1' 2>/dev/null || true")

    assert run("id -u") == "10001"
    for path in ("/srv/pixelyard/a", "/data/a", "/data/drive/a", "/etc/a"):
        assert "cannot" in run(f"touch {path}") or "Read-only" in run(f"touch {path}"), path
    assert run("touch /data/endpoints/a /data/cache/a /tmp/a && rm /data/endpoints/a && echo well") == "well"
    assert "No such file" in run("ls /var/run/secrets/kubernetes.io /data/jobs /data/db.sqlite3")
