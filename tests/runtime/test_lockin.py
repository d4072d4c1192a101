"""What a locked-in process can't do, tried from inside. Tests skip where the kernel lacks the measure."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import jobfolder
from model_images.runtime import bpf, landlock

needs_landlock = pytest.mark.skipif(not landlock.version(), reason="the kernel has no Landlock")
needs_seccomp = pytest.mark.skipif(
    not Path("/proc/sys/kernel/seccomp").exists() or platform.machine() not in bpf._ARCHITECTURES,
    reason="the kernel has no seccomp filters, or the machine no table of calls",
)

PROBE = """
import ctypes, json, os, signal, socket, sys, threading
from pathlib import Path
from model_images.runtime import lockin
home, network, parent = Path(sys.argv[1]), sys.argv[2] == "network", int(sys.argv[3])
listener = socket.create_server(("127.0.0.1", 0))
box = lockin.Box(read=(home / "mine",), write=(home / "job", home / "cache"), network=network)
held = lockin.enter(box)

def libc(name, *arguments):
    c = ctypes.CDLL(None, use_errno=True)
    if getattr(c, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)

def connect():
    socket.create_connection(listener.getsockname(), timeout=1)

def thread():
    t = threading.Thread(target=lambda: None); t.start(); t.join()

def clone():
    ctypes.CDLL(None, use_errno=True).syscall.restype = ctypes.c_long
    if ctypes.CDLL(None, use_errno=True).syscall(56, 17, 0, 0, 0, 0) == -1: raise OSError(1, "clone")

tries = {
    "read own": lambda: (home / "mine" / "photo").read_bytes(),
    "list own": lambda: list((home / "mine").iterdir()),
    "write own": lambda: (home / "mine" / "photo").write_bytes(b""),
    "delete own": lambda: (home / "mine" / "photo").unlink(),
    "read other": lambda: (home / "theirs" / "photo").read_bytes(),
    "list other": lambda: list((home / "theirs").iterdir()),
    "read by ..": lambda: (home / "mine" / ".." / "theirs" / "photo").read_bytes(),
    "read by link": lambda: (home / "job" / "link").read_bytes(),
    "make link": lambda: (home / "job" / "new").symlink_to("/etc/passwd"),
    "passwd": lambda: Path("/etc/passwd").read_bytes(),
    "environ": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
    "write outside": lambda: (home / "new").write_bytes(b""),
    "write tmp": lambda: Path(f"/tmp/probe-{os.getpid()}").write_bytes(b""),
    "write job": lambda: (home / "job" / "a").write_bytes(b"1"),
    "rename in job": lambda: (home / "job" / "a").rename(home / "job" / "sub" / "a"),
    "steal by rename": lambda: (home / "theirs" / "photo").rename(home / "job" / "stolen"),
    "steal by link": lambda: os.link(home / "theirs" / "photo", home / "job" / "stolen"),
    "write cache": lambda: (home / "cache" / "a").write_bytes(b"1"),
    "chmod": lambda: (home / "job" / "sub").chmod(0o777),
    "stdlib": lambda: __import__("colorsys"),
    "random": lambda: Path("/dev/urandom").open("rb").read(1),
    "socket": lambda: socket.socket(),
    "unix socket": lambda: socket.socket(socket.AF_UNIX),
    "connect": connect,
    "accept": lambda: (listener.setblocking(False), listener.accept()),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "fork": lambda: os.fork() or os._exit(0),
    "clone": clone if os.uname().machine == "x86_64" else os.fork,
    "ptrace": lambda: libc("ptrace", 16, parent, 0, 0),
    "kill parent": lambda: os.kill(parent, 0),
    "kill self": lambda: os.kill(os.getpid(), 0),
    "limit parent": lambda: libc("prlimit", parent, 7, 0, 0),
    "limit self": lambda: __import__("resource").getrlimit(7),
    "thread": thread,
    "memory": lambda: bytearray(1 << 40),
    "core": lambda: __import__("resource").setrlimit(4, (1, 1)),
}
def outcome(attempt):
    try:
        attempt()
    except (OSError, ValueError, MemoryError) as error:
        return type(error).__name__
    return "allowed"

print(json.dumps({"held": held} | {name: outcome(attempt) for name, attempt in tries.items()}))
"""


def probe(tmp_path: Path, network: bool) -> dict:
    for folder in ("mine", "theirs", "job/sub", "cache"):
        (tmp_path / folder).mkdir(parents=True)
    for owner in ("mine", "theirs"):
        (tmp_path / owner / "photo").write_bytes(b"photo")
    (tmp_path / "job" / "link").symlink_to(tmp_path / "theirs" / "photo")
    arguments = [str(tmp_path), "network" if network else "none", str(os.getpid())]
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def inside(tmp_path_factory) -> dict:
    return probe(tmp_path_factory.mktemp("inside"), network=False)


@pytest.fixture(scope="module")
def serving(tmp_path_factory) -> dict:
    return probe(tmp_path_factory.mktemp("serving"), network=True)


def test_report_names_what_holds(inside):
    assert inside["held"][:3] == ["rlimits", "no_new_privs", "undumpable"]
    assert ("seccomp" in inside["held"]) == Path("/proc/sys/kernel/seccomp").exists()
    assert (f"landlock:{landlock.version()}" in inside["held"]) == bool(landlock.version())


@needs_landlock
@pytest.mark.parametrize(
    "attempt",
    ["write own", "delete own", "read other", "list other", "read by ..", "read by link", "make link",
     "passwd", "environ", "write outside", "write tmp"],
)  # fmt: skip
def test_files_outside_the_box_are_out_of_reach(inside, serving, attempt):
    assert (inside[attempt], serving[attempt]) == ("PermissionError", "PermissionError")


@needs_landlock
@pytest.mark.parametrize("attempt", ["steal by rename", "steal by link"])
def test_files_cannot_be_carried_into_the_box(inside, attempt):
    assert inside[attempt] in {"PermissionError", "OSError"}  # EXDEV where rights would grow


@pytest.mark.parametrize(
    "attempt",
    ["read own", "list own", "write job", "rename in job", "write cache", "stdlib", "random", "thread",
     "kill self", "limit self"],
)  # fmt: skip
def test_what_the_work_needs_is_allowed(inside, serving, attempt):
    assert (inside[attempt], serving[attempt]) == ("allowed", "allowed")


@needs_seccomp
@pytest.mark.parametrize(
    "attempt",
    ["socket", "unix socket", "accept", "exec", "fork", "clone", "ptrace", "kill parent", "limit parent",
     "chmod", "connect"],
)  # fmt: skip
def test_calls_that_reach_out_are_refused(inside, attempt):
    assert inside[attempt] == "PermissionError"


@needs_seccomp
def test_server_may_accept_but_not_connect(serving):
    assert serving["connect"] == "PermissionError"
    assert serving["exec"] == "PermissionError"
    assert serving["fork"] == "PermissionError"
    assert serving["socket"] == "allowed"
    assert serving["accept"] == "BlockingIOError"  # nobody calls; the call itself is allowed


def test_memory_and_core_dumps_are_limited(inside):
    assert inside["memory"] == "MemoryError"
    assert inside["core"] == "ValueError"


def test_unknown_machine_is_told():
    with pytest.raises(bpf.Unsupported) as refused:
        bpf.program("pdp11", 1, network=False)
    assert "pdp11" in refused.value.reason


@needs_seccomp
@needs_landlock
def test_app_in_a_real_worker_cannot_get_out(jobs, photos):
    secret = jobs.data_dir / "drive" / "8" / jobs.photo(b"another owner's", owner="8")
    folder = jobs.create(photos[:1], {"act": "escape", "path": str(secret)})

    assert jobs.worker(folder).wait(20) == 0

    assert jobs.documents(folder)["image000"]["data"] == {
        "read": "PermissionError",
        "socket": "PermissionError",
        "exec": "PermissionError",
        "fork": "PermissionError",
    }
    beat = jobfolder.read_worker(folder, "w1")
    assert {"no_new_privs", "seccomp", f"landlock:{landlock.version()}"} <= set(beat.isolation)
