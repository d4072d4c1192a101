"""Weights for sale: listings, their versions, and what happens to an upload until it can be run.

listing      what a seller offers: words, price, licence and pictures
version      one weights file of a listing, numbered from 1, never changed once it is ready or rejected
intake       the way of a version: uploaded → converting → checking → measuring → ready | rejected
step         one stage of that way, with its times and its reason
card         what intake measured: input, classes, size, latency, sample outputs, what the scan found
upload       a file on its way in, chunk by chunk; its bytes lie in DATA_DIR/uploads/<id> (see storage)
word         what a listing is found by (see services.search)

    draft ──► published ◄──► withdrawn        by the seller
      └──────────┴──────────────┴──► taken_down   by staff, with a reason; staff may put it back
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Case, F, FloatField, Q, Value, When
from django.db.models.functions import Cast
from django.utils import timezone

from marketplace.ids import new_id

MAX_PRICE = 1_000_000  # credits
MAX_PRICE_PER_IMAGE = 10_000


class Kind(models.TextChoices):
    """What an app made of weights does. The names are those of `apps`' `kind`."""

    DETECTION = "detection"
    GENERATION = "generation"
    CLASSIFICATION = "classification"


class Family(models.TextChoices):
    """Which processor runs the weights; the value is the processor's name."""

    YOLOV5 = "yolov5", "YOLOv5"
    GAN = "gan", "GAN generator"
    CLASSIFIER = "classifier", "Classifier"


KIND_OF = {
    Family.YOLOV5: Kind.DETECTION,
    Family.GAN: Kind.GENERATION,
    Family.CLASSIFIER: Kind.CLASSIFICATION,
}


def _kind_fits_family() -> Q:
    fits = Q()
    for family, kind in KIND_OF.items():
        fits |= Q(family=family.value, kind=kind.value)
    return fits


class Listing(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        WITHDRAWN = "withdrawn"
        TAKEN_DOWN = "taken_down"

    class Licence(models.TextChoices):
        RUN = "run", "Run only"
        DOWNLOAD = "download", "Run and download"

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    # Empty once the seller's account is gone: who bought it keeps it, nobody else can buy it.
    seller = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="listings")
    title = models.CharField(max_length=80)
    description = models.TextField(max_length=4000, blank=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    family = models.CharField(max_length=16, choices=Family.choices)
    price = models.PositiveBigIntegerField(default=0, help_text="credits, once")
    price_per_image = models.PositiveBigIntegerField(default=0, help_text="credits, for each result")
    licence = models.CharField(max_length=8, choices=Licence.choices, default=Licence.RUN)
    commercial_use = models.BooleanField(default=False, help_text="results may be used commercially")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    status_reason = models.CharField(max_length=300, blank=True)
    current_version = models.ForeignKey(
        "catalog.Version", models.RESTRICT, null=True, blank=True, related_name="+"
    )
    rating_count = models.PositiveIntegerField(default=0)
    rating_sum = models.PositiveIntegerField(default=0, help_text="of 1 to 5 stars each")
    # Kept by the database itself, so that it can be ordered by and can't differ from the two above.
    rating = models.GeneratedField(
        expression=Case(
            When(rating_count__gt=0, then=Cast("rating_sum", FloatField()) / F("rating_count")),
            default=Value(0.0),
            output_field=FloatField(),
        ),
        output_field=FloatField(),
        db_persist=True,
    )
    sales_count = models.PositiveIntegerField(default=0)
    # "demo:<slug>" for what the demo data made: makes its creation idempotent.
    origin = models.CharField(max_length=80, null=True, blank=True, unique=True)
    created = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(auto_now=True)
    published_at = models.DateTimeField(null=True, blank=True, help_text="the first time")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(price__lte=MAX_PRICE), name="listing_price_range"),
            models.CheckConstraint(
                condition=Q(price_per_image__lte=MAX_PRICE_PER_IMAGE), name="listing_price_per_image_range"
            ),
            models.CheckConstraint(condition=_kind_fits_family(), name="listing_kind_of_family"),
            models.CheckConstraint(
                condition=Q(rating_sum__gte=F("rating_count")) & Q(rating_sum__lte=F("rating_count") * 5),
                name="listing_rating_one_to_five",
            ),
            # Nothing can be bought that can't be run.
            models.CheckConstraint(
                condition=~Q(status="published")
                | Q(current_version__isnull=False, published_at__isnull=False, seller__isnull=False),
                name="listing_published_can_run",
            ),
        ]
        indexes = [
            # The market page: what is published, in each of its orders; `id` breaks ties, so that pages don't
            # overlap.
            models.Index(fields=["status", "-published_at", "id"], name="listing_newest"),
            models.Index(fields=["status", "price", "id"], name="listing_price"),
            models.Index(fields=["status", "-rating", "-rating_count", "id"], name="listing_rating"),
            models.Index(fields=["status", "-sales_count", "id"], name="listing_popular"),
            models.Index(fields=["status", "kind", "-published_at", "id"], name="listing_kind"),
            models.Index(fields=["status", "family", "-published_at", "id"], name="listing_family"),
            # A seller's own page.
            models.Index(fields=["seller", "-created"], name="listing_seller"),
        ]

    def __str__(self) -> str:
        return self.title


class Version(models.Model):
    class Status(models.TextChoices):
        UPLOADED = "uploaded"
        CONVERTING = "converting"
        CHECKING = "checking"
        MEASURING = "measuring"
        READY = "ready"
        REJECTED = "rejected"

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    listing = models.ForeignKey(Listing, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.UPLOADED)
    code = models.CharField(max_length=60, blank=True, help_text="why it was rejected, or why it waits")
    reason = models.CharField(max_length=600, blank=True, help_text="the same in words, with what to do")
    # The upload it was made from. Unique: asking twice for a version of one upload gives one version.
    upload_id = models.CharField(max_length=22, unique=True)
    file_name = models.CharField(max_length=200)
    bytes = models.PositiveBigIntegerField()
    upload_sha256 = models.CharField(max_length=64)
    weights_sha256 = models.CharField(max_length=64, blank=True, db_index=True)
    weights_bytes = models.PositiveBigIntegerField(default=0)
    labels = models.JSONField(null=True, blank=True, help_text="class names the seller gave")
    architecture = models.CharField(max_length=60, blank=True, help_text="named by the seller")
    card = models.JSONField(default=dict)
    # Whose turn intake is: a task that stops renewing `leased_until` has died, and another may take over.
    leased_by = models.CharField(max_length=80, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0, help_text="how often intake has begun")
    log = models.TextField(blank=True, help_text="the converter's last lines when it crashed; for staff")
    created = models.DateTimeField(default=timezone.now)
    finished = models.DateTimeField(null=True, blank=True, help_text="when it became ready or was rejected")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["listing", "number"], name="version_number_of_listing"),
            models.CheckConstraint(condition=Q(number__gte=1), name="version_number_from_one"),
            models.CheckConstraint(
                condition=~Q(status="ready") | ~Q(weights_sha256=""), name="version_ready_has_weights"
            ),
            models.CheckConstraint(
                condition=~Q(status="rejected") | ~Q(reason=""), name="version_rejected_has_reason"
            ),
        ]
        indexes = [
            # What intake has to look at again.
            models.Index(fields=["status", "leased_until"], name="version_intake"),
        ]

    def __str__(self) -> str:
        return f"version {self.number} of {self.listing_id}"


class VersionStep(models.Model):
    class Name(models.TextChoices):
        UPLOADED = "uploaded"
        CONVERTING = "converting"
        CHECKING = "checking"
        MEASURING = "measuring"

    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    version = models.ForeignKey(Version, models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=10, choices=Name.choices)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    reason = models.CharField(max_length=600, blank=True)
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "name"], name="version_step_once")]
        ordering = ["version", "position"]

    def __str__(self) -> str:
        return f"{self.name}: {self.status}"


class Upload(models.Model):
    """`offset` bytes have come. Complete when it equals `size`; the row goes when a version is made of it."""

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    listing = models.ForeignKey(Listing, models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField()
    offset = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True, help_text="once it is complete")
    created = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(default=timezone.now, help_text="when the last chunk came")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(offset__lte=F("size")), name="upload_offset_at_most_size"),
        ]
        indexes = [
            models.Index(fields=["owner", "-created"], name="upload_owner"),
            models.Index(fields=["updated"], name="upload_stale"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.offset} of {self.size}"


class Picture(models.Model):
    """A preview image of a listing: a WebP of ours, made of what the seller sent, without its metadata."""

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    listing = models.ForeignKey(Listing, models.CASCADE, related_name="pictures")
    sha256 = models.CharField(max_length=64)
    bytes = models.PositiveBigIntegerField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["listing", "sha256"], name="picture_once")]
        indexes = [models.Index(fields=["listing", "created"], name="picture_order")]

    def __str__(self) -> str:
        return f"picture of {self.listing_id}"


class ListingWord(models.Model):
    """One word of one listing, as UTF-8: see services.search for why bytes."""

    listing = models.ForeignKey(Listing, models.CASCADE, related_name="words", db_index=False)
    word = models.BinaryField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["listing", "word"], name="listing_word_once")]
        indexes = [models.Index(fields=["word", "listing"], name="listing_word")]

    def __str__(self) -> str:
        return bytes(self.word).decode(errors="replace")
