"""Which Python converts, and installing one in the background."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from marketplace import converter_python
from marketplace.embedded import install, plan


class FakeLog:
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


class FakeSupervisor:
    def __init__(self) -> None:
        self.started: list[tuple[Any, Any]] = []

    def start_once(self, service: Any, then: Any) -> None:
        self.started.append((service, then))


def environment(folder: Path, ready: bool = True) -> Path:
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    if ready:
        (folder / ".ready").touch()
    return python


def test_configured_python_comes_first(tmp_path):
    environment(tmp_path)

    assert converter_python.resolve("/opt/python", tmp_path) == "/opt/python"


def test_own_environment_is_taken_once_it_is_complete(tmp_path):
    python = environment(tmp_path, ready=False)
    assert converter_python.resolve("", tmp_path) == sys.executable

    (tmp_path / ".ready").touch()
    assert converter_python.resolve("", tmp_path) == str(python)


@pytest.fixture
def missing(monkeypatch):
    monkeypatch.setattr(converter_python, "is_missing", lambda _: True)


def run(**options: Any) -> tuple[FakeSupervisor, FakeLog]:
    supervisor, log = FakeSupervisor(), FakeLog()
    chosen: Any = SimpleNamespace(**{"install_converter": True, "converter_python": "", **options})
    install.converter(chosen, supervisor, log)  # type: ignore[arg-type]
    return supervisor, log


@pytest.mark.parametrize(("status", "words"), [(0, "can be converted"), (2, "could not be installed")])
def test_install_runs_once_and_tells_how_it_ended(missing, status, words):
    supervisor, log = run()
    ((service, then),) = supervisor.started

    then(status)

    assert service.command[-1] == "converter"
    assert words in log.said[-1]
    assert len(log.said) == 2


def test_nothing_is_installed_where_it_is_not_wanted_or_not_needed(missing, monkeypatch):
    assert run(install_converter=False)[0].started == []

    monkeypatch.setattr(converter_python, "is_missing", lambda _: False)
    assert run()[0].started == []


def test_little_room_is_one_line(missing, monkeypatch):
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000_000))

    supervisor, log = run()

    assert supervisor.started == []
    assert len(log.said) == 1
    assert "1.0 GB are free" in log.said[0]


def test_installer_gets_the_way_to_an_index_and_no_secret(monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "secret")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://example.org/whl")

    env = plan.converter().env

    assert env["PIP_EXTRA_INDEX_URL"] == "https://example.org/whl"
    assert "secret" not in env.values()
