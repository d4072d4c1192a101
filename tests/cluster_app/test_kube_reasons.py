"""Why pods wait and end, in words. The messages are the clusters' own."""

from __future__ import annotations

import pytest

from apps.cluster.kube import reasons

OLD = "0/3 nodes are available: "


def pod(node="node-2", chosen="", phase="Pending", state=None, **status) -> dict:
    spec = {"containers": [{"name": "worker"}]} | ({"nodeName": node} if node else {})
    if chosen:
        term = {"matchExpressions": [{"values": [chosen]}]}
        required = {"nodeSelectorTerms": [term]}
        spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    states = [{"name": "worker", "state": state}] if state else []
    return {"spec": spec, "status": {"phase": phase, "containerStatuses": states, **status}}


@pytest.mark.parametrize(
    ("message", "chosen", "cause", "words"),
    [
        (
            OLD + "1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity.",
            "node-2",
            "room",
            "node-2 can't take it: not enough free CPU",
        ),
        (
            OLD + "1 Insufficient memory, 2 node(s) didn't match Pod's node affinity/selector. preemption: "
            "0/3 nodes are available: 1 No preemption victims found for incoming pod.",
            "node-1",
            "room",
            "node-1 can't take it: not enough free memory",
        ),
        (
            OLD + "1 node(s) were unschedulable, 2 node(s) didn't match node selector.",
            "node-3",
            "room",
            "node-3 can't take it: a cordon",
        ),
        (
            OLD + "1 node(s) had taint {node.kubernetes.io/unreachable: }, that the pod didn't tolerate, "
            "2 node(s) didn't match Pod's node affinity.",
            "node-3",
            "room",
            "node-3 can't take it: no answer",
        ),
        (
            OLD + "1 node(s) had untolerated taint {dedicated: gpu}, 2 Insufficient cpu.",
            "",
            "room",
            "no node can take it: the taint dedicated on 1 node, not enough free CPU on 2 nodes",
        ),
        (OLD + "3 Too many pods.", "", "room", "no node can take it: too many pods on 3 nodes"),
        (
            OLD + "3 node(s) didn't match Pod's node affinity.",
            "node-9",
            "room",
            "node-9 is not in the cluster any more",
        ),
        (
            'persistentvolumeclaim "pixelyard-data" not found',
            "node-1",
            "volume",
            "the volume claim pixelyard-data is missing",
        ),
        (
            OLD + "3 pod has unbound immediate PersistentVolumeClaims.",
            "",
            "volume",
            "the volume claim is not bound to a volume yet",
        ),
        (
            OLD + "3 node(s) had volume node affinity conflict.",
            "",
            "volume",
            "the volume can't be reached from the node",
        ),
        ("something new", "", "room", "something new"),
    ],
)
def test_unschedulable(message, chosen, cause, words):
    condition = {"type": "PodScheduled", "status": "False", "message": message}

    assert reasons.waiting(pod("", chosen, conditions=[condition])) == (cause, words)


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        (
            "ErrImagePull",
            'rpc error: code = Unknown desc = failed to pull and unpack image "docker.io/a/b:1": failed to '
            'resolve reference "docker.io/a/b:1": failed to do request: Head "https://…": dial tcp: lookup',
            "node-2 can't get the image: docker.io/a/b:1: its registry does not answer",
        ),
        (
            "ErrImagePull",
            'failed to pull and unpack image "docker.io/a/b:1": docker.io/a/b:1: not found',
            "node-2 can't get the image: docker.io/a/b:1: it does not exist",
        ),
        (
            "ImagePullBackOff",
            'Back-off pulling image "a/b:1"',
            "node-2 can't get the image: a/b:1 could not be fetched and is tried again now and then",
        ),
        (
            "ErrImageNeverPull",
            'Container image "a/b:1" is not present with pull policy of Never',
            "node-2 can't get the image: a/b:1: it is not on the node, and may not be fetched",
        ),
        ("InvalidImageName", "", "node-2 can't get the image: InvalidImageName"),
    ],
)
def test_images(reason, message, words):
    state = {"waiting": {"reason": reason, "message": message}}

    assert reasons.waiting(pod(state=state)) == ("image", words)


def test_containers_that_can_not_be_made():
    state = {
        "waiting": {"reason": "CreateContainerConfigError", "message": "container has runAsNonRoot and …"}
    }

    assert reasons.waiting(pod(state=state)) == (
        "container",
        "node-2 can't start the container: container has runAsNonRoot and …",
    )


CREATING = {"waiting": {"reason": "ContainerCreating"}}


@pytest.mark.parametrize(
    ("warning", "cause", "words"),
    [
        (("", ""), "creating", "node-2 is starting its container"),
        (
            ("FailedMount", "MountVolume.SetUp failed\nOutput: mount.nfs: Connection refused"),
            "volume",
            "node-2 can't mount the volume: Output: mount.nfs: Connection refused",
        ),
        (("FailedCreatePodSandBox", "no network"), "container", "node-2 can't set up the pod: no network"),
    ],
)
def test_what_only_warnings_tell(warning, cause, words):
    assert reasons.waiting(pod(state=CREATING), warning) == (cause, words)


def test_pod_that_nobody_has_looked_at():
    assert reasons.waiting(pod("")) == ("creating", "waiting for a node")


@pytest.mark.parametrize(
    ("message", "cause", "words"),
    [
        (
            'Error creating: pods "x-1" is forbidden: exceeded quota: jobs, '
            "requested: limits.memory=2Gi,pods=1, used: limits.memory=4Gi,pods=2, "
            "limited: limits.memory=4Gi,pods=2",
            "quota",
            "the quota jobs is used up (limits.memory: 4Gi of 4Gi in use; pods: 2 of 2 in use)",
        ),
        (
            'Error creating: pods "x-1" is forbidden: no PriorityClass with name batch was found',
            "rules",
            "no PriorityClass with name batch was found",
        ),
        (
            'Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest": …',
            "rules",
            'the cluster\'s rules refuse the pod: violates PodSecurity "restricted:latest": …',
        ),
    ],
)
def test_job_without_a_pod(message, cause, words):
    assert reasons.not_created(message) == (cause, words)


@pytest.mark.parametrize(
    ("one", "cause", "words"),
    [
        (
            pod(phase="Failed", state={"terminated": {"reason": "OOMKilled", "exitCode": 137}}),
            "memory",
            "It needed more memory than a worker has (2Gi).",
        ),
        (
            pod(phase="Succeeded", state={"terminated": {"reason": "OOMKilled", "exitCode": 0}}),
            "done",
            "No photos were left for it.",
        ),
        (
            pod(phase="Failed", reason="DeadlineExceeded"),
            "deadline",
            "It had run for as long as a worker may.",
        ),
        (
            pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory. "),
            "evicted",
            "node-2 ended it to save itself: The node was low on resource: memory.",
        ),
        (pod(phase="Failed", reason="NodeLost"), "node", "node-2 was shut down or does not answer."),
        (pod(phase="Failed", reason="OutOfcpu"), "room", "node-2 could not run it (OutOfcpu)"),
        (
            pod(phase="Failed", state={"terminated": {"reason": "Error", "exitCode": 139}}),
            "error",
            "Its process was killed (signal 11).",
        ),
        (
            pod(phase="Failed", state={"terminated": {"reason": "Error", "exitCode": 2}}),
            "error",
            "Its container ended with status 2.",
        ),
        (
            pod(
                phase="Failed",
                state={"terminated": {"reason": "StartError", "exitCode": 128, "message": "exec: no python"}},
            ),
            "error",
            "Its container could not start: exec: no python",
        ),
        (pod(phase="Failed"), "error", "Its pod failed."),
    ],
)
def test_ends(one, cause, words):
    assert reasons.ended(one, "2Gi") == (cause, words)


def test_jobs_own_end():
    def job(reason):
        return {"status": {"conditions": [{"type": "Failed", "status": "True", "reason": reason}]}}

    assert reasons.job_failed(job("DeadlineExceeded")) == (
        "deadline",
        "It had run for as long as a worker may.",
    )
    assert reasons.job_failed(job("BackoffLimitExceeded")) == ("error", "Its pod failed or was deleted.")
    assert reasons.job_failed({"status": {"conditions": [{"type": "Complete", "status": "True"}]}}) is None
    assert reasons.job_failed({}) is None


def test_long_messages_are_cut():
    _, words = reasons.not_created("Error creating: " + "x" * 500)

    assert len(words) == 180 and words.endswith("…")
