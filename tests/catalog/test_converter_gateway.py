"""The real converter as a process: its answers, its crashes, its time limit, and what it gets to see."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path

import pytest

from apps.catalog.converter import CommandConverter, ConverterError, Order
from apps.catalog.services import intake
from apps.catalog.services.leases import Lost
from tests.converter import models

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _project(settings):
    settings.BASE_DIR = ROOT


def classifier(path: Path) -> bytes:
    return models.save(models.classifier(), path).read_bytes()


def order(tmp_path: Path, data: bytes, **changes) -> Order:
    upload = tmp_path / "upload"
    upload.write_bytes(data)
    out = tmp_path / "work" / "out"
    out.mkdir(parents=True)
    return Order(**{"upload": upload, "name": "--w.onnx", "family": "classifier", "out": out} | changes)


def idle() -> None:
    pass


def test_real_weights_become_ready_with_a_measured_card(alice, draft, upload_version, tmp_path):
    from apps.catalog.services import listings

    listing = listings.create(alice, title="Three", family="classifier")
    version = upload_version(classifier(tmp_path / "w.onnx"), listing, labels=("red", "green", "blue"))

    intake.run(version.pk)

    version.refresh_from_db()
    assert version.status == "ready", version.log
    assert version.card["classes"] == ["red", "green", "blue"]
    assert version.card["latency_ms"]["1"] > 0
    assert version.card["samples"]


def test_a_refusal_is_an_answer(tmp_path):
    answer = CommandConverter().convert(order(tmp_path, b"no weights at all"), idle)

    assert not answer.ok
    assert answer.code
    assert answer.message.endswith(".")


def script(tmp_path: Path, body: str) -> CommandConverter:
    """A stand-in for the interpreter, to end as a broken converter would."""
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return CommandConverter(str(path), seconds=20)


@pytest.mark.parametrize(
    ("body", "log"),
    [
        ("import os; os.kill(os.getpid(), 11)", "signal 11"),
        ("raise SystemExit(1)", "exit status 1"),
        ("print('not JSON')", "exit status 0"),
        ('print(\'{"status": "ok"}\'); raise SystemExit(3)', "exit status 3"),
        ("import sys; sys.stderr.write('Traceback: it broke'); sys.exit(1)", "it broke"),
    ],
)
def test_any_other_end_is_a_crash_with_its_last_lines(tmp_path, body, log):
    with pytest.raises(ConverterError) as caught:
        script(tmp_path, body).check(order(tmp_path, b"x"), idle)

    assert caught.value.code == "converter_crashed"
    assert log in caught.value.log


def test_it_gets_no_secrets(tmp_path, monkeypatch):
    for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "DATA_DIR", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "a secret")
    body = "import json, os; print(json.dumps({'status': 'ok', 'env': dict(os.environ)}))"

    answer = script(tmp_path, body).check(order(tmp_path, b"x"), idle)

    env = answer.data["env"]
    assert "a secret" not in env.values()
    known = {"PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
    assert set(env) <= known | {"LC_CTYPE"}


SLEEPER = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(os.environ["HOME"] + "/pids", "w").write(f"{os.getpid()} {child.pid}")
time.sleep(60)
"""


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_for(check, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_overrun_kills_its_whole_group(tmp_path):
    slow = script(tmp_path, SLEEPER)
    slow._seconds = 3
    asked = order(tmp_path, b"x")

    with pytest.raises(ConverterError) as caught:
        slow.check(asked, idle)

    assert caught.value.code == "too_slow"
    for pid in map(int, (asked.out / "pids").read_text().split()):
        wait_for(lambda pid=pid: gone(pid))


def test_a_lost_lease_kills_it_too(tmp_path):
    asked = order(tmp_path, b"x")

    def lost() -> None:
        if (asked.out / "pids").exists():
            raise Lost("v")

    with pytest.raises(Lost):
        script(tmp_path, SLEEPER).check(asked, lost)

    for pid in map(int, (asked.out / "pids").read_text().split()):
        wait_for(lambda pid=pid: gone(pid))


def test_it_dies_with_its_worker(tmp_path):
    asked = order(tmp_path, b"x")
    worker = os.fork()
    if worker == 0:
        try:
            script(tmp_path, SLEEPER).check(asked, idle)
        finally:
            os._exit(0)
    wait_for((asked.out / "pids").exists)
    wait_for(lambda: len((asked.out / "pids").read_text().split()) == 2)

    os.kill(worker, 9)
    os.waitpid(worker, 0)

    converter = int((asked.out / "pids").read_text().split()[0])
    wait_for(lambda: gone(converter))
    os.kill(int((asked.out / "pids").read_text().split()[1]), 9)


def test_interpreter_that_is_not_there_is_told_apart(tmp_path):
    with pytest.raises(ConverterError) as caught:
        CommandConverter(str(tmp_path / "nothing")).check(order(tmp_path, b"x"), idle)

    assert caught.value.code == "converter_unavailable"
