"""The market's JSON: reviews, previews before buying, download links."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.catalog.serializers import PersonSerializer
from apps.drive.serializers import Text
from apps.market.models import Report, Review
from apps.market.services.downloads import Link
from apps.market.services.moderation import MAX_TEXT as MAX_REPORT
from apps.market.services.reviews import MAX_TEXT
from apps.processing.serializers import PreviewJsonSerializer


class ReviewSerializer(serializers.Serializer[Review]):
    id = serializers.CharField()
    author = PersonSerializer(allow_null=True, help_text="null: the account is gone.")
    stars = serializers.IntegerField(min_value=1, max_value=5)
    text = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField(help_text="The listing's version when it was first written.")
    created = serializers.DateTimeField()
    updated = serializers.DateTimeField()


class ReviewRequestSerializer(serializers.Serializer[Any]):
    stars = serializers.IntegerField(min_value=1, max_value=5)
    text = Text(max_length=MAX_TEXT, required=False, allow_blank=True, default="")


class AllowanceSerializer(serializers.Serializer[Any]):
    limit = serializers.IntegerField(help_text="Free previews of a listing in a day (UTC).")
    left = serializers.IntegerField()


class TriedSerializer(PreviewJsonSerializer):
    marked = serializers.BooleanField(help_text="A free preview: smaller, with words across it.")
    free_previews = AllowanceSerializer(allow_null=True, help_text="null: you may run it, and pay its price.")


class LinkSerializer(serializers.Serializer[Link]):
    url = serializers.CharField(help_text="Needs no token; it is one.")
    expires = serializers.DateTimeField()


class ReportRequestSerializer(serializers.Serializer[Any]):
    cause = serializers.ChoiceField(Report.Cause.choices)
    text = Text(max_length=MAX_REPORT, required=False, allow_blank=True, default="")


class ReportSerializer(serializers.Serializer[Report]):
    id = serializers.CharField()
    listing = serializers.CharField(source="listing_id")
    cause = serializers.ChoiceField(Report.Cause.choices)
    text = serializers.CharField(allow_blank=True)
    created = serializers.DateTimeField()
