"""What the builders need to know, as plain values: no settings, no models, no cluster."""

from __future__ import annotations

from dataclasses import dataclass

DATA = "/data"  # where the shared volume lies in every container


@dataclass(frozen=True)
class Resources:
    """What a container is given, as Kubernetes writes amounts: its request and its limit alike, so that a
    node is never promised to more workers than it can hold."""

    cpu: str
    memory: str


@dataclass(frozen=True)
class Owner:
    """The object that others belong to: deleting it deletes them."""

    name: str
    uid: str


@dataclass(frozen=True)
class BatchSpec:
    """A worker of a job, to be run once."""

    namespace: str
    worker: str
    job: str
    owner: str  # whose job it is: an account's id
    app: str
    image: str
    claim: str  # the PersistentVolumeClaim that holds DATA_DIR
    resources: Resources
    weights: str = ""  # sha256; "" if the app needs none
    hostname: str = ""  # the node it must run on; "": wherever the scheduler finds room
    pull_policy: str = "IfNotPresent"
    priority_class: str = ""
    deadline_seconds: int = 21_600
    ttl_seconds: int = 60
    anchor: Owner | None = None


@dataclass(frozen=True)
class AnchorSpec:
    """What holds a job's objects together."""

    namespace: str
    job: str
    owner: str
    app: str


@dataclass(frozen=True)
class RuntimeSpec:
    """The preview servers of a family."""

    namespace: str
    family: str
    image: str
    claim: str
    resources: Resources  # the limits of one; previews are short, so less is asked for than allowed
    cpu_request: str = "500m"
    needs_weights: bool = False
    reads_drive: bool = False  # an option of one of its apps names a folder of photos
    slots: int = 1  # previews at once in one
    weights_memory: int = 1_000_000_000  # bytes of loaded networks that each slot keeps
    preview_seconds: int = 20
    most: int = 4  # of them, by the autoscaler
    target_cpu_percent: int = 80  # of what is asked for
    pull_policy: str = "IfNotPresent"
    priority_class: str = ""
