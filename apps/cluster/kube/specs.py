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
