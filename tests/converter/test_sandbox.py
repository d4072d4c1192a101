"""What the process that opens an upload can't do, tried from inside; and what becomes of one that dies."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from model_images.converter import limits, locked, supervise
from model_images.converter.steps import Options
from model_images.runtime import bpf, landlock
from tests.converter.command import ROOT

pytestmark = pytest.mark.skipif(
    not landlock.version()
    or not Path("/proc/sys/kernel/seccomp").exists()
    or platform.machine() not in bpf._ARCHITECTURES,
    reason="the kernel lacks Landlock or seccomp filters",
)

PROBE = """
import json, os, resource, socket, sys
from pathlib import Path
from model_images.converter import locked
from model_images.converter.steps import Options
home = Path(sys.argv[1])
held = locked.enter(Options("convert", home / "out", home / "upload"))
tries = {
    "read upload": lambda: (home / "upload").read_bytes(),
    "write out": lambda: (home / "out" / "a").write_bytes(b"1"),
    "stock photo": lambda: __import__("model_images.converter.stock").converter.stock.source(),
    "write upload": lambda: (home / "upload").write_bytes(b""),
    "read beside": lambda: (home / "secret").read_bytes(),
    "list beside": lambda: list(home.iterdir()),
    "write beside": lambda: (home / "b").write_bytes(b""),
    "passwd": lambda: Path("/etc/passwd").read_bytes(),
    "parent": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "socket": lambda: socket.socket(),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "fork": lambda: os.fork() or os._exit(0),
    "system": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "memory": lambda: bytearray(8 << 30),
    "kill parent": lambda: os.kill(os.getppid(), 0),
}
def outcome(attempt):
    try:
        attempt()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return "allowed"
found = {name: outcome(attempt) for name, attempt in tries.items()}
found["cpu"] = resource.getrlimit(resource.RLIMIT_CPU)[0]
print(json.dumps(found))
"""
ALLOWED = {"read upload", "write out", "stock photo"}


def test_converter_process_sees_its_upload_and_nothing_else(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "upload").write_bytes(b"weights")
    (tmp_path / "secret").write_bytes(b"secret")

    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("cpu") == 2 * limits.SECONDS["convert"]
    assert {name for name, outcome in found.items() if outcome == "allowed"} == ALLOWED
    assert (tmp_path / "secret").exists()
    assert not (tmp_path / "b").exists()


@pytest.fixture
def child(monkeypatch):
    """Lets a test say what the child process does instead of its step."""

    def plan(action):
        monkeypatch.setattr(locked, "_run", action)

    return plan


def step(tmp_path: Path) -> Options:
    return Options("check", tmp_path)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, "too_much_memory"), (signal.SIGXCPU, "too_slow"), (signal.SIGSEGV, "converter_died")],
)
def test_child_that_is_killed_is_a_refusal(tmp_path, child, number, code):
    child(lambda _: os.kill(os.getpid(), number))

    answer = supervise.run(step(tmp_path))

    assert (answer["status"], answer["code"]) == ("rejected", code)


def test_child_that_takes_too_long_is_ended(tmp_path, child, monkeypatch):
    monkeypatch.setitem(limits.SECONDS, "check", 0.2)
    pids = tmp_path / "pid"

    def sleep(_):
        pids.write_text(str(os.getpid()))
        signal.pause()

    child(sleep)

    answer = supervise.run(step(tmp_path))

    assert answer["code"] == "too_slow"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pids.read_text()), 0)


def test_fault_of_our_own_is_a_crash_and_no_refusal(tmp_path, child, capfd):
    child(lambda _: 1 / 0)

    with pytest.raises(supervise.Crashed):
        supervise.run(step(tmp_path))

    assert "ZeroDivisionError" in capfd.readouterr().err


def test_what_libraries_print_is_no_answer(tmp_path, child, capfd):
    child(lambda _: os.write(1, b'{"status": "ok"}\n') and {"status": "rejected", "code": "x", "message": ""})

    assert supervise.run(step(tmp_path))["code"] == "x"
    assert capfd.readouterr().out == ""


def test_without_torch_a_checkpoint_is_told_what_is_missing(tmp_path, child, monkeypatch):
    monkeypatch.setattr(supervise, "find_spec", lambda _: None)
    child(lambda _: {"status": "needs_torch"})

    answer = supervise.run(step(tmp_path))

    assert answer["code"] == "converter_missing"
    assert "make converter" in answer["message"]
