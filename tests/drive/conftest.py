from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, connections

from apps.accounts.models import User
from apps.drive.models import Folder
from apps.drive.services import folders


@pytest.fixture
def holiday(alice: User) -> Folder:
    return folders.create(alice, "Holiday")


@pytest.fixture
def shared_database(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    """A database that several threads can use at once, as in production.

    SQLite's test database is in memory, where a second connection is refused instead of waiting; here it is
    a file. Make rows in the test itself, not in fixtures that come before this one.
    """
    if connection.vendor != "sqlite" or not connection.is_in_memory_db():
        yield
        return
    path = tmp_path / "shared.sqlite3"
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(path)])
    settings = connections.databases["default"]
    in_memory, name = connections["default"], settings["NAME"]
    settings["NAME"] = str(path)
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        connections["default"].close()
        settings["NAME"] = name
        connections["default"] = in_memory
