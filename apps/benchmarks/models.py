"""Comparisons of balancing policies: a run, and its cells.

A run is one workload on some nodes. A cell is that workload under one policy with one seed, or on a single
node alone, to compare with. Cells are done one after the other by background tasks; a run's lease says whose
turn it is (services/leases.py).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from marketplace.ids import new_id


class BenchmarkRun(models.Model):
    class Kind(models.TextChoices):
        SIMULATED = "simulated", "Simulated"
        REAL = "real", "Real"

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    # Empty once the account is gone: what was measured stays.
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    title = models.CharField(max_length=120)
    kind = models.CharField(max_length=9, choices=Kind.choices)
    config = models.JSONField(help_text="see config.py")
    nodes = models.JSONField(
        default=list, help_text="of a real run: the nodes there were when it was started"
    )
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.QUEUED)
    reason = models.CharField(max_length=500, blank=True)
    done = models.PositiveIntegerField(default=0, help_text="cells that have ended")
    total = models.PositiveIntegerField()
    summary = models.JSONField(default=dict, help_text="the headline, once there is something to say")
    created = models.DateTimeField(default=timezone.now)
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)
    # Whose turn it is to go on with it.
    leased_by = models.CharField(max_length=80, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    # Idempotency-Key and sha256 of the request that it came with.
    key = models.CharField(max_length=80, null=True, blank=True)  # noqa: DJ001 - NULLs are not compared
    body = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-created", "-id"]
        constraints = [
            # A second one would slow the first one down and spoil what it measures.
            models.UniqueConstraint(
                fields=["status"], condition=Q(status="running"), name="benchmark_one_runs"
            ),
            models.UniqueConstraint(fields=["owner", "key"], name="benchmark_key_once"),
        ]
        indexes = [models.Index(fields=["-created", "-id"], name="benchmark_newest")]

    def __str__(self) -> str:
        return self.title

    @property
    def is_active(self) -> bool:
        return self.status in {self.Status.QUEUED, self.Status.RUNNING}


class BenchmarkCell(models.Model):
    class Scenario(models.TextChoices):
        ALL = "all", "All nodes"
        FASTEST = "fastest", "The fastest node alone"
        SLOWEST = "slowest", "The slowest node alone"

    class Status(models.TextChoices):
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    run = models.ForeignKey(BenchmarkRun, models.CASCADE, related_name="cells")
    position = models.PositiveIntegerField()
    scenario = models.CharField(max_length=8, choices=Scenario.choices)
    policy = models.CharField(max_length=40)
    seed = models.PositiveIntegerField()
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PENDING)
    reason = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    metrics = models.JSONField(default=dict, help_text="loadbalancer.report.measures.Measures")
    records = models.JSONField(null=True, help_text="each image's placement and times, where they are kept")
    seconds = models.FloatField(null=True, help_text="that the cell took")
    finished = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "scenario", "policy", "seed"], name="benchmark_cell_once"),
            models.UniqueConstraint(fields=["run", "position"], name="benchmark_cell_order"),
        ]

    def __str__(self) -> str:
        return f"{self.scenario} {self.policy} {self.seed}"
