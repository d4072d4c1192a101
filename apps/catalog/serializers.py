"""The JSON of listings, versions and uploads."""

from __future__ import annotations

import json
from typing import Any

from django.urls import reverse
from rest_framework import serializers

from apps.catalog import queries, storage
from apps.catalog.models import (
    MAX_PRICE,
    MAX_PRICE_PER_IMAGE,
    Family,
    Kind,
    Listing,
    Picture,
    Upload,
    Version,
    VersionStep,
)
from apps.catalog.services.listings import MAX_DESCRIPTION, MAX_TITLE
from apps.catalog.services.versions import MAX_LABEL, MAX_LABELS
from apps.drive import names
from apps.drive.serializers import Id, Text


class StepSerializer(serializers.Serializer[VersionStep]):
    name = serializers.ChoiceField(VersionStep.Name.choices)
    status = serializers.ChoiceField(VersionStep.Status.choices)
    reason = serializers.CharField(help_text="In words: why it failed, or what it waits for.")
    started = serializers.DateTimeField(allow_null=True)
    finished = serializers.DateTimeField(allow_null=True)


class VersionSerializer(serializers.Serializer[Version]):
    id = serializers.CharField()
    listing = serializers.CharField(source="listing_id")
    number = serializers.IntegerField()
    sha256 = serializers.CharField(source="upload_sha256", help_text="Of the uploaded file.")
    status = serializers.ChoiceField(Version.Status.choices)
    code = serializers.CharField(help_text="Stable; why it was rejected, or why it waits.")
    reason = serializers.CharField(help_text="The same in words, with what to do.")
    file_name = serializers.CharField()
    bytes = serializers.IntegerField()
    weights_sha256 = serializers.CharField(help_text="Of the file that runs; empty until it is ready.")
    created = serializers.DateTimeField()
    finished = serializers.DateTimeField(allow_null=True)
    steps = StepSerializer(many=True)
    card = serializers.DictField(help_text="What was measured; empty until it is ready.")
    samples = serializers.SerializerMethodField(help_text="Sample outputs, as addresses of pictures.")

    def get_samples(self, version: Version) -> list[str]:
        samples = version.card.get("samples", [])
        return [reverse("api-version-sample", args=[version.pk, entry["number"]]) for entry in samples]


class PictureSerializer(serializers.Serializer[Picture]):
    id = serializers.CharField()
    url = serializers.SerializerMethodField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()

    def get_url(self, picture: Picture) -> str:
        return reverse("api-picture", args=[picture.pk])


class PersonSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField(source="public_name")


class RatingSerializer(serializers.Serializer[Any]):
    average = serializers.FloatField(help_text="0 without reviews.")
    count = serializers.IntegerField()


class ListingSerializer(serializers.Serializer[Listing]):
    """Pass the acting `user` in the context: others than the seller see ready versions only."""

    id = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    kind = serializers.ChoiceField(Kind.choices)
    family = serializers.ChoiceField(Family.choices)
    price = serializers.IntegerField(help_text="Credits, once.")
    price_per_image = serializers.IntegerField(help_text="Credits, for each result.")
    licence = serializers.ChoiceField(Listing.Licence.choices)
    commercial_use = serializers.BooleanField(help_text="Results may be used commercially.")
    seller = PersonSerializer(allow_null=True, help_text="null: the account is gone.")
    rating = RatingSerializer()
    sales = serializers.IntegerField()
    status = serializers.ChoiceField(Listing.Status.choices)
    status_reason = serializers.CharField()
    current_version = serializers.CharField(allow_null=True, help_text="The newest that is ready.")
    versions = VersionSerializer(many=True)
    pictures = PictureSerializer(many=True)
    created = serializers.DateTimeField()
    updated = serializers.DateTimeField()
    published_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, listing: Listing) -> dict[str, Any]:
        return super().to_representation(
            {  # type: ignore[arg-type]
                **{name: getattr(listing, name) for name in _COLUMNS},
                "current_version": listing.current_version_id,
                "rating": {"average": round(listing.rating, 2), "count": listing.rating_count},
                "sales": listing.sales_count,
                "versions": queries.visible_versions(listing, self.context["user"]),
                "pictures": list(listing.pictures.all()),
            }
        )


_COLUMNS = (
    *("id", "title", "description", "kind", "family", "price", "price_per_image", "licence"),
    *("commercial_use", "seller", "status", "status_reason", "created", "updated", "published_at"),
)


class ListingChangeSerializer(serializers.Serializer[Any]):
    title = Text(max_length=MAX_TITLE, required=False)
    description = Text(max_length=MAX_DESCRIPTION, required=False, allow_blank=True)
    price = serializers.IntegerField(min_value=0, max_value=MAX_PRICE, required=False)
    price_per_image = serializers.IntegerField(min_value=0, max_value=MAX_PRICE_PER_IMAGE, required=False)
    licence = serializers.ChoiceField(Listing.Licence.choices, required=False)
    commercial_use = serializers.BooleanField(required=False)


class NewListingSerializer(ListingChangeSerializer):
    title = Text(max_length=MAX_TITLE)
    family = serializers.ChoiceField(Family.choices, help_text="Which of them decides `kind`.")


class UploadSerializer(serializers.Serializer[Upload]):
    id = serializers.CharField()
    listing = serializers.CharField(source="listing_id")
    name = serializers.CharField()
    size = serializers.IntegerField()
    offset = serializers.IntegerField(help_text="Where the next chunk begins: so many bytes have come.")
    chunk_size = serializers.SerializerMethodField(help_text="Bytes in a chunk, at most.")
    sha256 = serializers.CharField(help_text="Once it is complete.")
    created = serializers.DateTimeField()

    def get_chunk_size(self, upload: Upload) -> int:
        return storage.CHUNK_BYTES


class NewUploadSerializer(serializers.Serializer[Any]):
    name = Text(max_length=names.IMAGE_CHARS)
    size = serializers.IntegerField(min_value=0, max_value=(1 << 63) - 1, help_text="Bytes.")


class Labels(serializers.ListField):
    """A list, or in a form: JSON of one, or one label a line."""

    child = Text(max_length=MAX_LABEL)

    def to_internal_value(self, data: Any) -> list[str]:
        if isinstance(data, list) and len(data) == 1 and isinstance(data[0], str):
            data = _labels(data[0])
        elif isinstance(data, str):
            data = _labels(data)
        return super().to_internal_value(data)


def _labels(text: str) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, list) else [line.strip() for line in text.splitlines() if line.strip()]


class NewVersionSerializer(serializers.Serializer[Any]):
    upload = Id(required=False, help_text="A complete upload of this listing; or else:")
    file = serializers.FileField(required=False, help_text="A small file, in one request.")
    labels = Labels(required=False, max_length=MAX_LABELS, help_text="Class names, in the network's order.")
    architecture = Text(
        max_length=60, required=False, allow_blank=True, help_text="Default: found by shapes."
    )


class NewPictureSerializer(serializers.Serializer[Any]):
    files = serializers.ListField(child=serializers.FileField(), help_text="Photos, as in the drive.")


class RefusedSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class PicturesSerializer(serializers.Serializer[Any]):
    items = PictureSerializer(many=True)
    rejected = RefusedSerializer(many=True)
