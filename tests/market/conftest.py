"""Listings that were sold, tried and reported; a preview server in memory."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable

import httpx
import pytest
from PIL import Image

from apps.accounts.models import User
from apps.catalog.models import Listing
from apps.catalog.services import search
from apps.payments.services import purchases, topups
from apps.processing.services import previews
from marketplace.ids import new_id
from tests.payments.conftest import make_listing

FOUND = [
    {"label": "boat", "class_id": 0, "confidence": 0.987654, "box": [1.25, 2.5, 30.75, 40.125]},
    {"label": "buoy", "class_id": 1, "confidence": 0.512345, "box": [10.0, 10.0, 5.0, 5.0]},
]


@pytest.fixture(autouse=True)
def _provider(settings):
    settings.PAYMENTS, settings.SANDBOX_ALLOWED = "sandbox", True


@pytest.fixture
def boats(alice: User) -> Listing:
    """Alice's, published, for 100 credits and 2 a photo."""
    listing = make_listing(alice, price=100, price_per_image=2, description="Finds boats at sea.")
    search.index(listing.pk)
    return listing


@pytest.fixture
def sold() -> Callable[[Listing, User], None]:
    def sell(listing: Listing, buyer: User) -> None:
        topups.grant(buyer, credits=listing.price + 50, key=f"test:{new_id()}", reason="for a test")
        purchases.purchase(buyer, listing.pk)

    return sell


def picture(size: tuple[int, int] = (1200, 800), colour: str = "navy") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


class Server:
    """Answers like a preview server; `calls` is what it was asked. `fail` is raised instead."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict, str]] = []
        self.fail: Exception | None = None
        self.data: dict = {"detections": FOUND, "counts": {"boat": 1, "buoy": 1}}

    def __call__(self, processor, fields, files, accept, timeout=None, family="") -> httpx.Response:
        self.calls.append((processor, dict(fields), accept))
        if self.fail:
            raise self.fail
        if accept == "image/*":
            return httpx.Response(200, content=picture(), headers={"Content-Type": "image/png"})
        body = {
            "image": {"content_type": "image/png", "base64": base64.b64encode(picture()).decode()},
            "data": self.data,
            "timings": {"total_ms": 12.5},
        }
        headers = {"Content-Type": "application/json"}
        return httpx.Response(200, content=json.dumps(body).encode(), headers=headers)


@pytest.fixture
def server(monkeypatch) -> Server:
    made = Server()
    monkeypatch.setattr(previews, "send_preview", made)
    return made
