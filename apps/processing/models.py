"""Jobs: an app with options, over the photos of a folder.

    queued ──► running ──► succeeded        (some or all photos have a result)
      │           │  └───► failed           (no photo has a result, or the job could not be run)
      └───────────┴──────► cancelled
    succeeded, failed, cancelled ──► queued (retry of what has no result)

`services.states.TRANSITIONS` is the one table of what may follow what. Counters are copies for lists: the
documents (one an image) are the truth, and the controller makes the copies follow them.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from marketplace.ids import new_id


class Job(models.Model):
    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    # Its placements by id; set where `queries` has loaded them.
    loaded_placements: list[Placement]

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="jobs")
    app = models.CharField(max_length=64)
    app_title = models.CharField(max_length=80)
    app_version = models.CharField(max_length=20)
    processor = models.CharField(
        max_length=64, blank=True, help_text="what runs it; empty: the app itself, which is built in"
    )
    weights = models.CharField(max_length=64, blank=True, help_text="sha256, as they were at submit")
    params = models.JSONField(default=dict)
    assets = models.JSONField(default=dict, help_text="folders that params name, frozen to lists of sha256")
    folder = models.ForeignKey("drive.Folder", models.SET_NULL, null=True, related_name="+")
    folder_name = models.CharField(max_length=120)
    output_folder = models.ForeignKey(
        "drive.Folder", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    policy = models.CharField(max_length=40)
    parallelism = models.PositiveIntegerField(
        default=0, help_text="most nodes at once; 0: as many as are free"
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    reason = models.CharField(max_length=300, blank=True)
    attempt = models.PositiveIntegerField(default=1)
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0, help_text="photos with a result, the failed among them")
    failed = models.PositiveIntegerField(default=0, help_text="part of done")
    done_before = models.PositiveIntegerField(default=0, help_text="what earlier attempts had done")
    estimated_seconds = models.FloatField(default=0, help_text="of work on one node, guessed at submit")
    price_per_image = models.PositiveBigIntegerField(default=0, help_text="credits, as it was at submit")
    price_held = models.PositiveBigIntegerField(default=0)
    price_charged = models.PositiveBigIntegerField(default=0)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(default=timezone.now)
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)
    cleaned_at = models.DateTimeField(null=True, blank=True, help_text="when its job folder was deleted")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(done__lte=models.F("total")), name="job_done_at_most_total"
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-created"]),
            models.Index(fields=["status", "queued_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.app} over {self.folder_name}"


class UsedKey(models.Model):
    """An Idempotency-Key and the job it led to. Outlives the job, so a late repetition starts nothing."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=80)
    operation = models.CharField(max_length=40, help_text="submit, or retry and the job")
    body = models.CharField(max_length=64, blank=True, help_text="sha256 of what was asked for")
    job_id = models.CharField(max_length=22)
    created = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key", "operation"], name="used_key_once")]

    def __str__(self) -> str:
        return f"{self.key}: {self.operation}"


class JobImage(models.Model):
    """A photo as it was when the job was submitted. Renaming or trashing it later changes nothing here."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="images")
    position = models.PositiveIntegerField()
    image_id = models.CharField(max_length=22)
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    pixels = models.PositiveBigIntegerField()
    params = models.JSONField(null=True, blank=True, help_text="options that differ from the job's")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "position"], name="job_image_position"),
            models.UniqueConstraint(fields=["job", "image_id"], name="job_image_once"),
        ]

    def __str__(self) -> str:
        return self.name


class Placement(models.Model):
    """One worker of a job on one node."""

    class State(models.TextChoices):
        PLACED = "placed"  # handed to the engine, no sign of life yet
        RUNNING = "running"
        EXITED = "exited"  # ended by itself: no chunks were left, or it was told to stop
        LOST = "lost"  # gone without a word; its chunks were given back

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(Job, models.CASCADE, related_name="placements")
    worker = models.CharField(max_length=80, unique=True, help_text="<job>-<attempt>-<number>")
    node = models.CharField(max_length=63)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PLACED)
    reason = models.CharField(max_length=200, blank=True)
    done = models.PositiveIntegerField(default=0, help_text="photos with a document by this worker")
    stop_requested_at = models.DateTimeField(
        null=True, blank=True, help_text="told to give its node to another job after the photo in hand"
    )
    created = models.DateTimeField(default=timezone.now)
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["state", "node"])]

    def __str__(self) -> str:
        return f"{self.worker} on {self.node}"


class Lease(models.Model):
    """Who may act now, of several controllers. `until` is in the database's future or the lease is free."""

    name = models.CharField(primary_key=True, max_length=40)
    holder = models.CharField(max_length=80)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"


class Document(models.Model):
    """The SQL home of documents (see `documents/`). Columns are what lists filter and count by; `data` is
    the whole document."""

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    job_id = models.CharField(max_length=22)
    image_id = models.CharField(max_length=22)
    position = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=10)
    node = models.CharField(max_length=63, blank=True)
    worker = models.CharField(max_length=80, blank=True)
    started = models.FloatField(default=0, help_text="seconds since 1970")
    finished = models.FloatField(default=0)
    name = models.CharField(max_length=200, blank=True)
    data = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job_id", "image_id"], name="document_once")]
        indexes = [
            models.Index(fields=["job_id", "position"]),
            models.Index(fields=["job_id", "status", "position"]),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}/{self.image_id}"


class Finding(models.Model):
    """One detection or class of a document, copied out of its data so that it can be filtered and counted."""

    document = models.ForeignKey(Document, models.CASCADE, related_name="findings")
    job_id = models.CharField(max_length=22)
    label = models.CharField(max_length=120)
    confidence = models.FloatField()
    rgb = models.CharField(max_length=20, blank=True)
    ryb = models.CharField(max_length=20, blank=True)

    class Meta:
        indexes = [models.Index(fields=["job_id", "label"])]

    def __str__(self) -> str:
        return f"{self.label} {self.confidence:.2f}"


class JobEvent(models.Model):
    """The SQL home of job events. Rows are only added; `key` makes recording one twice harmless."""

    job_id = models.CharField(max_length=22)
    key = models.CharField(max_length=120)
    kind = models.CharField(max_length=20)
    time = models.DateTimeField()
    actor = models.CharField(max_length=254)
    reason = models.CharField(max_length=300, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job_id", "key"], name="job_event_once")]
        indexes = [models.Index(fields=["job_id", "time"])]

    def __str__(self) -> str:
        return f"{self.job_id} {self.kind}"


class AppTiming(models.Model):
    """What an app costs on a node, learnt from results: an exponentially weighted mean."""

    app = models.CharField(max_length=64)
    node = models.CharField(max_length=63)
    seconds_per_megapixel = models.FloatField()
    images = models.PositiveBigIntegerField(default=0)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["app", "node"], name="app_timing_once")]

    def __str__(self) -> str:
        return f"{self.app} on {self.node}"
