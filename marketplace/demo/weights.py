"""The shipped sample weights as listings of the demo sellers.

They go the way of every upload: a draft, a version, intake by the converter, and then to the market. Intake
runs in the background after the start. What is there already is left alone; sample weights that have changed
since become a new version. A picture of the seller's comes with a new listing and with no other: who removes
it, or puts up another, is not overruled at the next start.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction

from apps.accounts.models import User
from apps.catalog import tasks
from apps.catalog.models import Listing, Version
from apps.catalog.services import listings, pictures, versions
from apps.catalog.services.versions import VersionRequest

SECOND = ("studio@example.org", "Lina Lens")  # a second seller, so that the market has more than one
OF_SECOND = {"comic"}
PICTURES = Path(__file__).with_name("pictures")  # <slug>.jpg


def seed(seller: User, folder: Path | None = None) -> list[Listing]:
    """Make the listings and versions that are missing, publish those that are ready. Again is no error."""
    folder = folder or settings.BASE_DIR / "model_images" / "samples"
    made = []
    for card in sorted(folder.glob("*.json")):
        weights = card.with_suffix(".onnx")
        if weights.is_file():
            owner = _second() if card.stem in OF_SECOND else seller
            made.append(_listing(owner, card.stem, json.loads(card.read_text(encoding="utf-8")), weights))
    return made


@transaction.atomic
def _second() -> User:
    """Without a password: nobody logs in as them unless staff sets one."""
    email, name = SECOND
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, name=name)
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def _listing(owner: User, slug: str, told: dict[str, Any], weights: Path) -> Listing:
    origin = f"demo:{slug}"
    listing = Listing.objects.filter(origin=origin).first()
    if listing is None:
        with transaction.atomic():
            listing = listings.create(
                owner,
                title=told["title"],
                family=told["family"],
                description=told["description"],
                price=int(told.get("price", 0)),
                price_per_image=int(told.get("price_per_image", 0)),
                commercial_use=True,
            )
            Listing.objects.filter(pk=listing.pk).update(origin=origin)
            _picture(owner, listing, slug)
    _version(listing, told, weights)
    tasks.publish_if_ready(listing.pk)
    return listing


def _picture(owner: User, listing: Listing, slug: str) -> None:
    """The stock photos that samples are made of may have nothing on them that the weights look for."""
    path = PICTURES / f"{slug}.jpg"
    if path.is_file():
        with path.open("rb") as file:
            pictures.add(owner, listing, file)


def _version(listing: Listing, told: dict[str, Any], weights: Path) -> None:
    with weights.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    there = listing.versions.filter(upload_sha256=sha256).exclude(status=Version.Status.REJECTED)
    if listing.seller is None or there.exists():
        return
    request = VersionRequest(listing=listing.pk, upload="", labels=tuple(told.get("labels") or ()))
    with weights.open("rb") as file:
        versions.create_from_file(listing.seller, request, weights.name, file)
    tasks.enqueue_publish(listing.pk)  # behind the intake in the same queue, which is worked through in order
