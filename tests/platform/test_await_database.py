"""`manage.py await_database` and `prepare`: what pods run before their program."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from marketplace import site_checks
from marketplace.management.commands import await_database


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(await_database, "PAUSE", 0)


def test_it_ends_at_once_when_the_database_is_there(db, capsys):
    call_command("await_database")

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_secret_is_refused_before_anything_is_tried(monkeypatch, value):
    monkeypatch.setenv("DATABASE_URL", value)
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_1")

    with pytest.raises(CommandError, match=r"^not set: DATABASE_URL\. "):
        call_command("await_database", "--require", "STRIPE_SECRET_KEY", "DATABASE_URL")


def test_a_secret_may_come_as_a_file(db, monkeypatch):
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("REDIS_URL_FILE", "/run/secrets/redis")

    call_command("await_database", "--require", "REDIS_URL")


def test_it_waits_for_the_migrations_and_tells_each_reason_once(monkeypatch, capsys):
    answers = ["no database", "no database", "2 migrations are not applied", ""]

    def check() -> None:
        if answer := answers.pop(0):
            raise site_checks.Problem(answer)

    monkeypatch.setattr(site_checks, "database", check)
    monkeypatch.setattr(site_checks, "migrations", lambda: None)
    monkeypatch.setattr(await_database.connection, "close", lambda: None)
    call_command("await_database")

    assert capsys.readouterr().out == "waiting: no database\nwaiting: 2 migrations are not applied\n"
    assert answers == []


def test_it_gives_up_with_the_reason(monkeypatch):
    def check() -> None:
        raise site_checks.Problem("the database does not answer")

    monkeypatch.setattr(site_checks, "database", check)
    monkeypatch.setattr(await_database.connection, "close", lambda: None)

    with pytest.raises(CommandError, match=r"^gave up: the database does not answer$"):
        call_command("await_database", "--as-it-is", "--seconds", "0")


def test_prepare_makes_the_folders_that_pods_mount(db, settings):
    call_command("prepare", "--no-demo")

    assert {"drive", "weights", "jobs", "endpoints", "cache"} <= {p.name for p in settings.DATA_DIR.iterdir()}
