"""What code inside a batch pod can't do, tried from inside a real one.

The same attempts run three times, so that each is seen to be refused by what should refuse it:

    locked    by an app, in a batch as the controller started it: pod and lock-in
    pod       by a program of its own in the same pod spec, without the lock-in
    loose     in a pod with nothing of what the spec takes away: here every attempt must succeed, or it would
              prove nothing
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.api_client import wait_until
from tests.cluster.conftest import upload
from tests.cluster.site import JOBS_NAMESPACE, MANIFESTS, Site
from tests.cluster.truth import submit

ALLOWED = {"write to the job", "read an own photo"}
BY_LOCK_IN = {"resolve a name", "ask the DNS server", "connect by TCP", "listen", "start a program"}
ATTEMPTS = (
    *sorted(BY_LOCK_IN),
    "open a raw socket", "read the token", "read another owner's photo", "list another owner's photos",
    "list all owners", "list all jobs", "change an own photo", "delete an own photo",
    "add to the own photos", "write to the volume", "write to another job", "write to the code",
    "write to the root", "write to /etc", "write to the home", "become root", "mount",
)  # fmt: skip


@pytest.fixture(scope="module")
def known(site: Site) -> dict[str, str]:
    """What the code inside is told, so that no attempt fails for want of an address."""
    own, other = site.api("buyer"), site.api("seller")
    mine = own.everything("/images", folder=upload(own, "Mine", 1, first=500))[0]
    theirs = other.everything("/images", folder=upload(other, "Theirs", 1, first=501))[0]
    service = site.core.read_namespaced_service("kubernetes", "default").spec
    return {
        "name": "kubernetes.default.svc.cluster.local",
        "api": f"{service.cluster_ip}:{service.ports[0].port}",
        "own": _path(site, mine["sha256"]),
        "other": _path(site, theirs["sha256"]),
    }


def _path(site: Site, sha256: str) -> str:
    found = next(site.data_dir.glob(f"drive/*/{sha256}"))
    return f"/data/{found.relative_to(site.data_dir)}"


@pytest.fixture(scope="module")
def job(site: Site, known: dict[str, str]) -> dict[str, Any]:
    """A job whose app tries to get out. Its Job object is kept, to make other pods like its pod."""
    api = site.api()
    folder = next(f["id"] for f in api.everything("/folders") if f["name"] == "Mine")
    job = submit(api, folder, 1, act="escape", known=known, seconds=1.0)
    made = wait_until(lambda: site.jobs(job["id"]), 60, "the job's worker to be a Job", pause=0.05)
    ended = api.wait_for_job(job["id"])
    assert ended["status"] == "succeeded", ended
    return {**ended, "object": site.as_dict(made[0])}


@pytest.fixture(scope="module")
def locked(site: Site, job: dict[str, Any]) -> dict[str, Any]:
    (document,) = site.api().everything(f"/jobs/{job['id']}/results")
    found: dict[str, Any] = document["data"]
    return found


def run_like(site: Site, job: dict[str, Any], known: dict[str, str], *, loose: bool) -> dict[str, Any]:
    """The attempts as a program, in a pod of the Job's own spec, or of a spec that takes nothing away."""
    template = copy.deepcopy(job["object"]["spec"]["template"])
    spec, container = template["spec"], template["spec"]["containers"][0]
    folder = f"/data/jobs/{job['id']}"
    container["command"] = ["python", "-m", "cluster_probes._attempts"]
    container["args"] = ["--job", folder, json.dumps(known)]
    labels: dict[str, str] = {} if loose else template["metadata"]["labels"]
    if loose:
        spec |= {"automountServiceAccountToken": True, "securityContext": {"runAsUser": 0}}
        container["securityContext"] = {"privileged": True}
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    name = "loose" if loose else "unlocked"
    labels = {key: value for key, value in labels.items() if key not in {"controller-uid", "job-name"}}
    site.core.create_namespaced_pod(
        site.namespace, {"metadata": {"name": name, "labels": labels}, "spec": spec}
    )

    def ended() -> bool:
        return site.core.read_namespaced_pod(name, site.namespace).status.phase in {"Succeeded", "Failed"}

    wait_until(ended, 120, f"pod {name} to end")
    log = site.core.read_namespaced_pod_log(name, site.namespace)
    site.core.delete_namespaced_pod(name, site.namespace, grace_period_seconds=0)
    found: dict[str, Any] = json.loads(log.strip().splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def unlocked(site: Site, job: dict[str, Any], known: dict[str, str]) -> dict[str, Any]:
    return run_like(site, job, known, loose=False)


@pytest.fixture(scope="module")
def loose(
    site: Site, job: dict[str, Any], known: dict[str, str], locked: object, unlocked: object
) -> Iterator[dict[str, Any]]:
    """Last of the three: it does what the others must not be able to."""
    (site.data_dir / "jobs" / "other-job").mkdir()
    yield run_like(site, job, known, loose=True)
    (site.data_dir / "jobs" / "other-job").rmdir()


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_nothing_gets_out(attempt: str, locked, unlocked, loose):
    assert loose["attempts"][attempt] == "done", "the attempt itself does not work"
    assert locked["attempts"][attempt] != "done"
    if attempt in BY_LOCK_IN:
        # The pod alone does not hold it where the cluster's network plugin enforces no policies.
        assert locked["attempts"][attempt] in {"PermissionError", "gaierror"}
    else:
        assert unlocked["attempts"][attempt] != "done", "only the lock-in held it"


@pytest.mark.parametrize("attempt", sorted(ALLOWED))
def test_what_the_work_needs_is_there(attempt: str, locked, unlocked):
    assert (locked["attempts"][attempt], unlocked["attempts"][attempt]) == ("done", "done")


def test_every_attempt_is_judged(locked):
    assert set(locked["attempts"]) == {*ATTEMPTS, *ALLOWED}


def test_process_is_nobody_and_may_do_nothing(locked, unlocked, loose):
    for inside in (locked, unlocked):
        assert (inside["uid"], inside["gid"]) == (10001, 10001)
        assert inside["capabilities"] == 0
        assert inside["seccomp_at_start"] == 2  # the container runtime's filter, before our own
        assert inside["no_new_privs"] == 1
    assert (loose["uid"], loose["seccomp_at_start"], loose["no_new_privs"]) == (0, 0, 0)
    assert loose["capabilities"] != 0


def test_environment_holds_no_secret(locked):
    words = {"TOKEN", "SECRET", "PASSWORD", "KEY", "REDIS_URL", "BROKER_URL", "DATABASE_URL", "MONGODB_URL"}
    assert [name for name in locked["environment"] if any(word in name for word in words)] == []


def test_worker_says_what_holds(site: Site, job: dict[str, Any]):
    """Both filters of system calls, and Landlock, in a pod as on a node of the embedded engine."""
    beats = [json.loads(p.read_text()) for p in site.data_dir.glob(f"jobs/{job['id']}/workers/*.json")]
    assert beats
    for beat in beats:
        assert {"no_new_privs", "seccomp", "rlimits"} <= set(beat["isolation"])
        assert [one for one in beat["isolation"] if one.startswith("landlock:")]


def test_network_policy_selects_the_pod(job: dict[str, Any]):
    """Where the network plugin enforces policies, the network is closed twice. Here none does, so what is
    tried above is held by the process itself; the policy is checked by its text."""
    labels = job["object"]["spec"]["template"]["metadata"]["labels"]
    text = (MANIFESTS / "network-jobs.yaml").read_text()
    policies = [policy for policy in yaml.safe_load_all(text) if _selects(policy, labels)]
    assert {kind for policy in policies for kind in policy["spec"]["policyTypes"]} == {"Ingress", "Egress"}
    allowed = [policy["spec"].get(way) for policy in policies for way in ("ingress", "egress")]
    assert not any(allowed), "rules of several policies add up"


def _selects(policy: dict[str, Any], labels: dict[str, str]) -> bool:
    selector = policy["spec"]["podSelector"]
    assert set(selector) <= {"matchLabels"}, "a selector that this test does not read"
    return policy["metadata"]["namespace"] == JOBS_NAMESPACE and all(
        labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()
    )
