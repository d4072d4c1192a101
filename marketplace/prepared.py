"""Queries that are asked many times a second with the same SQL. Django takes several times longer to write
such a query than the database to answer it, so the SQL is written once a process.

    _LIVE = Prepared(lambda job: Placement.objects.filter(job_id=job, state="running"))
    _LIVE.models("1m8a…")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

_Row = TypeVar("_Row", bound=Model)


class Prepared(Generic[_Row]):
    """`make` builds the query from its arguments: texts that are compared with a column as they are. Whatever
    else is in the query stays what it was at the first call."""

    def __init__(self, make: Callable[..., QuerySet[_Row, Any]]) -> None:
        self._make = make
        self._written: dict[str, tuple[type[_Row], str, tuple[Any, ...], int]] = {}  # by kind of database

    def models(self, *arguments: str) -> list[_Row]:
        """The rows as objects of the query's model, of which it must select every column."""
        model, sql, params = self._filled(arguments)
        return list(model._default_manager.raw(sql, params))

    def rows(self, *arguments: str) -> list[tuple[Any, ...]]:
        """The rows as the database gives them: for columns that hold text and numbers."""
        _, sql, params = self._filled(arguments)
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchall()

    def _filled(self, arguments: tuple[str, ...]) -> tuple[type[_Row], str, tuple[Any, ...]]:
        if connection.vendor not in self._written:
            self._written[connection.vendor] = self._write(len(arguments))
        model, sql, params, count = self._written[connection.vendor]
        if len(arguments) != count:
            raise TypeError(f"{count} arguments are needed, not {len(arguments)}")
        given = dict(zip(_places(count), arguments, strict=True))
        return model, sql, tuple(given.get(one, one) if isinstance(one, str) else one for one in params)

    def _write(self, count: int) -> tuple[type[_Row], str, tuple[Any, ...], int]:
        query = self._make(*_places(count))
        sql, params = query.query.sql_with_params()
        return query.model, sql, tuple(params), count


def _places(count: int) -> list[str]:
    """What stands for the arguments while the query is written."""
    return [f"<argument {number}>" for number in range(count)]
