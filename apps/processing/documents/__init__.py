"""The document store this installation uses: MongoDB where MONGODB_URL is set, else the database."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from apps.processing.documents.base import Documents


def store() -> Documents:
    return _store(settings.MONGODB_URL, settings.MONGODB_NAME)


@lru_cache(maxsize=4)
def _store(url: str, name: str) -> Documents:
    if url:
        from apps.processing.documents.mongo import MongoDocuments, connect

        return MongoDocuments(connect(url, name))
    from apps.processing.documents.sql import SqlDocuments

    return SqlDocuments()
