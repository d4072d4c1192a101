"""Why a pod waits and why it ended, in words for the job's owner and for whoever runs the cluster.

The sources are the scheduler's condition, the containers' states, the Job's conditions, and warnings
(events). What is not known here is passed on as the cluster says it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from apps.cluster.kube.api import Thing

Cause = Literal[
    "", "room", "volume", "image", "quota", "rules", "container", "creating",  # it waits
    "memory", "deadline", "evicted", "node", "error", "done",  # it ended
]  # fmt: skip
Why = tuple[Cause, str]

_PART = re.compile(r"(\d+) (.+?)(?=, \d+ |\. |\.?$)")
_NO_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" (?:not found|is being deleted)')
_TAINT = re.compile(r"taints? \{?([^\s:}]+)")
_QUOTA = re.compile(r"exceeded quota: ([^,]+), requested: (.+?), used: (.+?), limited: (.+)$")
_PULL = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
_MADE = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"}
_MOUNT = {"FailedMount", "FailedAttachVolume", "FailedMapVolume"}
_LONGEST = 180


def unschedulable(message: str, chosen: str = "") -> Why:
    """What the scheduler says: "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match …".
    `chosen`: the only node that the pod may be on, if there is one."""
    if claim := _NO_CLAIM.search(message):
        return "volume", f"the volume claim {claim[1]} is missing"
    if "unbound immediate PersistentVolumeClaims" in message:
        return "volume", "the volume claim is not bound to a volume yet"
    if "volume node affinity conflict" in message:
        return "volume", "the volume can't be reached from the node"
    about = message.partition(" preemption:")[0]
    parts = [_node(text, int(count)) for count, text in _PART.findall(about.partition(": ")[2])]
    known = list(dict.fromkeys(part for part in parts if part))
    who = f"{chosen} can't take it" if chosen else "no node can take it"
    if known:
        what = ", ".join(part.removesuffix(" on 1 node") for part in known) if chosen else ", ".join(known)
        return "room", f"{who}: {what}"
    if parts and chosen:
        return "room", f"{chosen} is not in the cluster any more"
    return "room", _short(message) or who


def _chosen(pod: Thing) -> str:
    """The node that a pod of ours must be on, by its hostname; "" if any will do."""
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    for term in affinity.get("nodeSelectorTerms") or []:
        for match in term.get("matchExpressions") or []:
            return str((match.get("values") or [""])[0])
    return ""


def _node(text: str, count: int) -> str:
    """One part of the scheduler's message; "" for nodes that were not meant."""
    on = f"on {count} node{'s' if count > 1 else ''}"
    if "Insufficient" in text:
        what = text.split("Insufficient ")[-1].split()[0].strip(".")
        what = {"cpu": "CPU", "memory": "memory"}.get(what, what)
        return f"not enough free {what} {on}"
    if "Too many pods" in text:
        return f"too many pods {on}"
    if "unschedulable" in text:
        return f"a cordon {on}"
    if "affinity" in text or "selector" in text or "were excluded" in text:
        return ""
    if taint := _TAINT.search(text):
        away = taint[1].endswith(("unreachable", "not-ready"))
        return f"no answer {on}" if away else f"the taint {taint[1]} {on}"
    return f"{text.removeprefix('node(s) ')} {on}"


def not_created(message: str) -> Why:
    """Why a Job has no pod, as its last warning says."""
    if quota := _QUOTA.search(message):
        wanted, used, limit = (_amounts(quota[number]) for number in (2, 3, 4))
        full = [f"{what}: {used.get(what, '?')} of {limit.get(what, '?')} in use" for what in wanted]
        return "quota", f"the quota {quota[1]} is used up ({'; '.join(full)})"
    if "PodSecurity" in message or "admission webhook" in message:
        return "rules", f"the cluster's rules refuse the pod: {_short(_after_colons(message))}"
    return "rules", _short(_after_colons(message)) or "the cluster makes no pod for it"


def _amounts(text: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in text.split(","))


def waiting(pod: Thing, warning: tuple[str, str] = ("", "")) -> Why:
    """Why a pod does not run yet. `warning`: (reason, message) of the last one about it."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return unschedulable(condition.get("message", ""), _chosen(pod))
    node = pod["spec"].get("nodeName", "")
    for state in _states(status):
        if why := _not_started(node, state.get("waiting") or {}):
            return why
    reason, message = warning
    if reason in _MOUNT:
        return "volume", f"{node} can't mount the volume: {_short(_last_line(message))}"
    if reason == "FailedCreatePodSandBox":
        return "container", f"{node} can't set up the pod: {_short(_last_line(message))}"
    return "creating", f"{node} is starting its container" if node else "waiting for a node"


def crashing(pod: Thing) -> str:
    """Why its container ends again and again; "" for one that does not."""
    node = pod["spec"].get("nodeName", "")
    for one in (pod.get("status") or {}).get("containerStatuses") or []:
        last = (one.get("lastState") or {}).get("terminated") or (one.get("state") or {}).get("terminated")
        if last and one.get("restartCount", 0) > 1:
            if last.get("reason") == "OOMKilled":
                return f"its container on {node} needs more memory than it may take"
            return (
                f"its container on {node} ends again and again (status {last.get('exitCode')}); see its log"
            )
    return ""


def _not_started(node: str, waits: Thing) -> Why | None:
    reason, message = waits.get("reason", ""), waits.get("message") or ""
    if reason in _PULL:
        return "image", f"{node} can't get the image: {_pull(message) or reason}"
    if reason in _MADE:
        return "container", f"{node} can't start the container: {_short(_last_line(message) or reason)}"
    return None


def _pull(message: str) -> str:
    image = re.search(r'image "([^"]+)"', message)
    name = image[1] if image else ""
    known = {
        "not found": "it does not exist",
        "not present": "it is not on the node, and may not be fetched",
        "insufficient_scope": "no access to it",
        "unauthorized": "no access to it",
        "denied": "no access to it",
        "no such host": "its registry can't be found",
        "connection refused": "its registry does not answer",
        "i/o timeout": "its registry does not answer",
        "failed to do request": "its registry does not answer",
    }
    for sign, words in known.items():
        if sign in message:
            return f"{name}: {words}" if name else words
    if name and "Back-off" in message:
        return f"{name} could not be fetched and is tried again now and then"
    return f"{name} – {_short(message)}" if name else _short(message)


def ended(pod: Thing, memory: str = "") -> Why:
    """Why a pod that has ended did so. `memory`: the container's limit."""
    status = pod.get("status") or {}
    node = pod["spec"].get("nodeName") or "The node"
    reason, message = status.get("reason", ""), _short(status.get("message") or "")
    finished = next((state["terminated"] for state in _states(status) if state.get("terminated")), {})
    if finished.get("reason") == "OOMKilled" and finished.get("exitCode"):
        limit = f" ({memory})" if memory else ""
        return "memory", f"It needed more memory than a worker has{limit}."
    if reason == "DeadlineExceeded":
        return "deadline", "It had run for as long as a worker may."
    if reason == "Evicted":
        return "evicted", f"{node} ended it to save itself: {message}"
    if reason in {"NodeLost", "NodeShutdown", "Terminated", "Shutdown"}:
        return "node", f"{node} was shut down or does not answer."
    if reason:  # the node took it and then found that it can't run it: OutOfcpu, NodeAffinity, Preempting, …
        return "room", f"{node} could not run it ({reason}): {message}".rstrip(": ")
    if status.get("phase") == "Succeeded":
        return "done", "No photos were left for it."
    return "error", _by_status(finished)


def _by_status(finished: Thing) -> str:
    code = finished.get("exitCode")
    if finished.get("reason") in _MADE or finished.get("reason") == "ContainerCannotRun":
        return f"Its container could not start: {_short(_last_line(finished.get('message') or ''))}"
    if isinstance(code, int) and code > 128:
        return f"Its process was killed (signal {code - 128})."
    return f"Its container ended with status {code}." if code is not None else "Its pod failed."


def job_failed(job: Thing) -> Why | None:
    """What a Job's own conditions say about its end; None while it has not failed."""
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            if condition.get("reason") == "DeadlineExceeded":
                return "deadline", "It had run for as long as a worker may."
            return "error", "Its pod failed or was deleted."
    return None


def _states(status: Thing) -> Iterator[Thing]:
    for container in status.get("containerStatuses") or []:
        yield container.get("state") or {}


def _after_colons(message: str) -> str:
    """Without "Error creating: pods "x" is forbidden: "."""
    return re.sub(r'^Error creating: (?:pods "[^"]*" is forbidden: )?', "", message)


def _last_line(message: str) -> str:
    return message.strip().splitlines()[-1].strip() if message.strip() else ""


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
