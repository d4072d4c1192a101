"""The words by which listings are found: an index of our own, the same on SQLite and PostgreSQL.

word    letters and digits of title, description, class names, file names and hashes, without accents and case
match   a listing that has, for every word asked for, a word that begins with it

A word is kept as bytes: their order is that of the bytes whatever the database's collation, so that "begins
with" is a range of an ordinary index. Looking into the text itself (LIKE '%word%') would read every listing.
"""

from __future__ import annotations

import re
import unicodedata

from django.db import transaction
from django.db.models import Q, QuerySet

from apps.catalog.models import Listing, ListingWord

MAX_ASKED = 8  # words of a search; the rest is not looked at
MAX_WORD = 64  # bytes; a sha256 fits
MAX_WORDS = 1500  # of one listing
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[bytes]:
    """The words of a text, each once, in order: `Traffic-signs_v2, Zürich` -> traffic, signs, v2, zurich."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return list(dict.fromkeys(_cut(word.encode()) for word in _WORD.findall(plain)))


def _cut(word: bytes) -> bytes:
    """At most MAX_WORD bytes, not within a character."""
    return word if len(word) <= MAX_WORD else word[:MAX_WORD].decode(errors="ignore").encode()


def index(listing_id: str) -> None:
    """Bring the index to what the listing says now. Again, or twice at once, changes nothing."""
    with transaction.atomic():
        # Two that index one listing at once take turns; the second one reads what the first committed.
        listing = Listing.objects.select_for_update(no_key=True).filter(pk=listing_id).first()
        if listing is None:
            return
        wanted = set(words_of(listing))
        there = {bytes(word) for word in listing.words.values_list("word", flat=True)}
        if gone := there - wanted:
            listing.words.filter(word__in=gone).delete()
        ListingWord.objects.bulk_create(
            [ListingWord(listing=listing, word=word) for word in sorted(wanted - there)], batch_size=500
        )


def words_of(listing: Listing) -> list[bytes]:
    """What a buyer may look for. Versions that were rejected are nobody's business."""
    parts = [listing.title, listing.description, listing.get_family_display(), listing.kind]
    for version in listing.versions.filter(status="ready").order_by("-number")[:20]:
        parts += [version.file_name, version.upload_sha256, version.weights_sha256]
        if version.pk == listing.current_version_id:
            classes = version.card.get("classes")
            parts += [str(name) for name in classes] if isinstance(classes, list) else []
            parts.append(str(version.card.get("architecture") or ""))
    return words("\n".join(parts))[:MAX_WORDS]


def matching(rows: QuerySet[Listing], text: str) -> QuerySet[Listing]:
    """Of `rows`, those that match. A text without a word: all if it is blank, else none."""
    asked = words(text)[:MAX_ASKED]
    if not asked:
        return rows.none() if text.strip() else rows
    for word in asked:
        found = ListingWord.objects.filter(Q(word__gte=word), Q(word__lt=_after(word)))
        rows = rows.filter(pk__in=found.values("listing_id"))
    return rows


def _after(word: bytes) -> bytes:
    """The least text that comes after everything that begins with `word`. (UTF-8 has no byte 0xff.)"""
    return word[:-1] + bytes([word[-1] + 1])
