"""What people do with listings that they don't sell: try, review, report; and what staff do about reports.

try          one free preview of a listing; counted for each person, listing and day
review       a buyer's stars and words, one for each listing
report       somebody says that a listing should not be here, once
moderation   what staff and the seller did about it: rows are only added
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from marketplace.ids import new_id

User = settings.AUTH_USER_MODEL


class TryCount(models.Model):
    """Free previews used on a day (UTC). Counted up by a conditional UPDATE, never read first."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    listing = models.ForeignKey("catalog.Listing", models.CASCADE, related_name="+")
    day = models.DateField()
    used = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "listing", "day"], name="try_count_once")]
        indexes = [models.Index(fields=["day"], name="try_count_day")]

    def __str__(self) -> str:
        return f"{self.used} on {self.day}"


class Review(models.Model):
    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    listing = models.ForeignKey("catalog.Listing", models.CASCADE, related_name="reviews")
    # Empty once the account is gone: what it said stays, and so does the average.
    author = models.ForeignKey(User, models.SET_NULL, null=True, related_name="reviews")
    stars = models.PositiveSmallIntegerField()
    text = models.TextField(max_length=2000, blank=True)
    version = models.PositiveIntegerField(help_text="the listing's version when it was written")
    created = models.DateTimeField(default=timezone.now)
    updated = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["listing", "author"], name="review_once"),
            models.CheckConstraint(condition=Q(stars__gte=1, stars__lte=5), name="review_one_to_five"),
        ]
        indexes = [models.Index(fields=["listing", "-updated", "id"], name="review_newest")]

    def __str__(self) -> str:
        return f"{self.stars} stars for {self.listing_id}"


class Report(models.Model):
    class Cause(models.TextChoices):
        RIGHTS = "rights", "It is somebody else's work"
        HARMFUL = "harmful", "It is made for harm"
        MISLEADING = "misleading", "It does not do what it says"
        OTHER = "other", "Something else"

    class Status(models.TextChoices):
        OPEN = "open"
        UPHELD = "upheld"
        DISMISSED = "dismissed"

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    listing = models.ForeignKey("catalog.Listing", models.CASCADE, related_name="reports")
    reporter = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    cause = models.CharField(max_length=10, choices=Cause.choices)
    text = models.TextField(max_length=1000, blank=True)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.OPEN)
    created = models.DateTimeField(default=timezone.now)
    closed = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["listing", "reporter"], name="report_once")]
        indexes = [models.Index(fields=["status", "created"], name="report_queue")]

    def __str__(self) -> str:
        return f"{self.cause}: {self.listing_id}"


class Moderation(models.Model):
    """What became of a listing, by whom and why. Never changed: this is the audit log."""

    class Action(models.TextChoices):
        DISMISS = "dismiss", "Reports dismissed"
        TAKE_DOWN = "take_down", "Taken down"
        APPEAL = "appeal", "Appeal by the seller"
        RESTORE = "restore", "Put back"

    listing = models.ForeignKey("catalog.Listing", models.CASCADE, related_name="moderation")
    actor = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    action = models.CharField(max_length=9, choices=Action.choices)
    reason = models.CharField(max_length=1000)
    before = models.CharField(max_length=10, blank=True, help_text="the listing's status until then")
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["listing", "-created"], name="moderation_listing")]

    def __str__(self) -> str:
        return f"{self.action} {self.listing_id}"
