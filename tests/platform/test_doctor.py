"""The doctor finds what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

import io
import socket
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from jobfolder import NodeHeartbeat, write_node
from marketplace import doctor
from marketplace.embedded import preflight


def _found() -> dict[str, doctor.Finding]:
    return {finding.part: finding for finding in doctor.findings()}


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def stopped(settings, db):
    """An embedded platform was here, and is not running."""
    preflight.lock(settings.DATA_DIR).close()


def test_stopped_platform_is_not_judged_by_what_needs_it_running(stopped, settings):
    found = _found()

    assert found["platform"].level == "warn"
    assert "make run starts it" in found["platform"].text
    assert {"redis", "nodes", "previews", "controller"}.isdisjoint(found)
    levels = {part: found[part].level for part in ("storage", "database", "migrations", "documents")}
    assert set(levels.values()) == {"ok"}
    assert _files(settings.DATA_DIR) == [settings.DATA_DIR / "lock"]


def test_running_platform_without_nodes_fails_with_what_to_do(settings, db):
    with preflight.lock(settings.DATA_DIR):
        found = _found()

    assert found["redis"].level == "ok"
    for part in ("controller", "nodes", "previews"):
        assert found[part].level == "fail"
        assert "start " in found[part].text


def test_installation_that_is_not_embedded_is_judged_in_full(db):
    assert {"redis", "nodes", "previews", "controller"} <= set(_found())


def test_storage_that_can_not_be_written_fails(settings, stopped):
    (settings.DATA_DIR / "drive").write_text("in the way")

    found = _found()["storage"]

    assert found.level == "fail"
    assert "check its owner" in found.text


def test_full_disk_fails_and_a_tight_one_warns(stopped, monkeypatch):
    usage = type("Usage", (), {"free": 100_000_000})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    assert _found()["disk"] == doctor.Finding(
        "disk", "fail", "0.1 GB free – make room: uploads and jobs fail when it is full"
    )

    usage.free = 1_000_000_000
    assert _found()["disk"].level == "warn"


def test_mail_server_that_does_not_answer_fails(stopped, settings):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = closed.getsockname()

        found = _found()["mail"]

    assert found.level == "fail"
    assert "check EMAIL_HOST" in found.text


def test_mail_into_the_log_is_a_warning(stopped, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

    assert _found()["mail"].level == "warn"


def test_mongodb_that_does_not_answer_fails(stopped, settings, monkeypatch):
    settings.MONGODB_URL = "mongodb://127.0.0.1:1/"
    monkeypatch.setattr(doctor, "PATIENCE", 0.05)

    found = _found()["documents"]

    assert found.level == "fail"
    assert "check MONGODB_URL" in found.text


def test_command_prints_a_line_for_each_part_and_ends_with_1(settings, db):
    out = io.StringIO()

    with pytest.raises(CommandError, match="to repair"):
        call_command("doctor", stdout=out, no_color=True)

    lines = out.getvalue().splitlines()
    assert any(line.startswith("ok    database    ") for line in lines)
    assert any(line.startswith("fail  nodes       no node worker is alive") for line in lines)


def test_command_ends_well_when_nothing_fails(stopped):
    call_command("doctor", stdout=io.StringIO(), no_color=True)


@pytest.mark.parametrize(
    ("having", "level", "says"),
    [
        (["node-1", "node-2"], "ok", "every node"),
        (["node-2"], "warn", "node-1 without TurboJPEG"),
        ([], "warn", "no node has TurboJPEG"),
    ],
)
def test_nodes_with_and_without_turbojpeg_are_told_apart(settings, db, having, level, says):
    now = time.time()
    for name in ("node-1", "node-2"):
        libraries = ["turbojpeg"] if name in having else []
        beat = NodeHeartbeat(name, "celery", 1, 20.0, "0", 1, now, now, libraries=libraries)
        write_node(settings.DATA_DIR, beat)

    found = _found()["libraries"]

    assert found.level == level
    assert says in found.text
    assert ("libturbojpeg0" in found.text) == (level == "warn")
