"""Listings and versions, and a converter in memory."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from apps.accounts.models import User
from apps.catalog import tasks
from apps.catalog.models import Listing, Version
from apps.catalog.services import intake, listings, versions
from apps.catalog.services.versions import VersionRequest
from tests.catalog.doubles import FakeConverter


@pytest.fixture
def converter() -> FakeConverter:
    return FakeConverter()


@pytest.fixture(autouse=True)
def queued(monkeypatch) -> list[str]:
    """Versions whose intake was asked for; no broker."""
    asked: list[str] = []
    monkeypatch.setattr(tasks, "enqueue", asked.append)
    return asked


@pytest.fixture
def draft(alice: User) -> Listing:
    return listings.create(
        alice, title="Shapes", family="yolov5", description="Finds drawn shapes.", price=20
    )


@pytest.fixture
def upload_version(draft: Listing) -> Callable[..., Version]:
    """A version of `draft` (or another listing), as its seller uploads it."""

    def make(data: bytes = b"weights", listing: Listing | None = None, **request) -> Version:
        listing = listing or draft
        name = request.pop("name", "shapes.onnx")
        wanted = VersionRequest(listing=listing.pk, upload="", **request)
        return versions.create_from_file(listing.seller, wanted, name, io.BytesIO(data))

    return make


@pytest.fixture
def ready(upload_version, converter) -> Callable[..., Version]:
    def make(data: bytes = b"weights", listing: Listing | None = None, **request) -> Version:
        version = upload_version(data, listing, **request)
        intake.run(version.pk, converter)
        version.refresh_from_db()
        assert version.status == "ready", version.reason
        return version

    return make


@pytest.fixture
def published(ready, draft: Listing) -> Listing:
    ready()
    return listings.publish(draft.seller, draft.pk)
