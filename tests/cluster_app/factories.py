"""Rows that other apps own, as small as they may be."""

from __future__ import annotations

from apps.accounts.models import User
from apps.cluster.models import Node
from apps.processing.models import Job, Placement


def make_node(name: str, **fields) -> Node:
    return Node.objects.create(name=name, engine="celery", **fields)


def make_job(owner: User, **fields) -> Job:
    values = {
        "app": "blackwhite",
        "app_title": "Black & white",
        "app_version": "1",
        "folder_name": "Holiday",
        "policy": "round_robin",
        "status": Job.Status.RUNNING,
        "total": 10,
    }
    return Job.objects.create(owner=owner, **(values | fields))


def make_placement(job: Job, node: str, **fields) -> Placement:
    number = Placement.objects.count() + 1
    values = {"worker": f"{job.id}-1-{number}", "state": Placement.State.RUNNING}
    return Placement.objects.create(job=job, node=node, **(values | fields))
