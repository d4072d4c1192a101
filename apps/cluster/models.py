"""The nodes that work, as last seen, and what staff decided about them."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone


class Node(models.Model):
    class State(models.TextChoices):
        READY = "ready"
        LOST = "lost"  # no heartbeat for NODE_TIMEOUT seconds

    name = models.CharField(primary_key=True, max_length=63)
    engine = models.CharField(max_length=20)
    state = models.CharField(max_length=8, choices=State.choices, default=State.READY)
    slots = models.PositiveIntegerField(default=1)
    weight = models.PositiveIntegerField(
        default=1, help_text="share under the weighted policies; staff set it"
    )
    speed = models.FloatField(
        default=1.0, help_text="megapixels a second in the node's own start-up measurement"
    )
    cores = models.CharField(max_length=80, blank=True)
    cordoned = models.BooleanField(default=False, help_text="gets no new work")
    closed = models.CharField(
        max_length=120,
        blank=True,
        help_text="why the cluster itself gives it no new work; staff can't change it",
    )
    started = models.DateTimeField(null=True)
    last_seen = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def status(self) -> str:
        """In one word: ready, cordoned or lost."""
        if self.state == self.State.LOST:
            return "lost"
        return "cordoned" if self.cordoned or self.closed else "ready"


class ClusterSettings(models.Model):
    """One row. Empty means: what the environment says."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    policy = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="cluster_settings_one_row")]

    def __str__(self) -> str:
        return "cluster settings"


class NodeSample(models.Model):
    """A node's load at one moment, for the cluster page's history. Kept for a day."""

    node = models.CharField(max_length=63)
    time = models.DateTimeField()
    active = models.PositiveIntegerField()
    slots = models.PositiveIntegerField()
    images = models.PositiveIntegerField(default=0, help_text="finished since the sample before")

    class Meta:
        indexes = [models.Index(fields=["time"])]

    def __str__(self) -> str:
        return f"{self.node} at {self.time:%H:%M:%S}"


class LentSlots(models.QuerySet["LentSlot"]):
    def current(self) -> LentSlots:
        """Those that are not over, by the database's clock."""
        return self.filter(until__gt=Now())


class LentSlot(models.Model):
    """A slot of a node that a worker of nobody's job has for a while: a benchmark's real run under an engine
    whose workers only the controller may start. Whoever asked renews `until`; a row that is over is as good
    as none, and what was made for it is removed."""

    worker = models.CharField(max_length=120, unique=True)
    job = models.CharField(max_length=100, help_text="name of the job folder")
    owner = models.CharField(max_length=22, help_text="whose part of the drive its photos lie in")
    processor = models.CharField(max_length=60)
    weights = models.CharField(max_length=64, blank=True, help_text="sha256")
    node = models.CharField(max_length=63, blank=True, help_text="empty: wherever the engine finds room")
    reason = models.CharField(max_length=200, blank=True, help_text="why it does not start")
    placed = models.DateTimeField(null=True, help_text="when the controller gave it to the engine")
    created = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField()

    objects = LentSlots.as_manager()

    class Meta:
        indexes = [models.Index(fields=["job"])]

    def __str__(self) -> str:
        return f"{self.worker} on {self.node or 'any node'}"
