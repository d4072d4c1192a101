"""Ways out of a batch pod, each tried for real. Run as a program it prints what came of them, as JSON.

python -m cluster_probes._attempts --job DIR '{"api": "10.0.0.1:443", …}'
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Read while it can still be read: a locked-in process doesn't see /proc.
_STATUS = dict(
    line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line
)
_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_NAMESERVERS = [
    line.split()[1]
    for line in Path("/etc/resolv.conf").read_text().splitlines()
    if line.startswith("nameserver")
]
_SECONDS = 3.0
_GET_SECCOMP, _GET_NO_NEW_PRIVS = 21, 39


def facts() -> dict[str, Any]:
    """What the process is, by the kernel's word."""
    libc = ctypes.CDLL(None)
    return {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "capabilities": int(_STATUS["CapEff"], 16) | int(_STATUS["CapPrm"], 16) | int(_STATUS["CapBnd"], 16),
        "seccomp_at_start": int(_STATUS["Seccomp"]),
        "seccomp": int(libc.prctl(_GET_SECCOMP, 0, 0, 0, 0)),
        "no_new_privs": int(libc.prctl(_GET_NO_NEW_PRIVS, 0, 0, 0, 0)),
        "environment": sorted(os.environ),
    }


def attempts(known: dict[str, str]) -> dict[str, Callable[[], object]]:
    """By what it would achieve. `known`: api (host:port), name (of a service), own, other (photos)."""
    own, other, job = Path(known["own"]), Path(known["other"]), _job()
    data = job.parent.parent
    return {
        "resolve a name": lambda: socket.getaddrinfo(known["name"], 443),
        "ask the DNS server": lambda: _datagram(f"{_NAMESERVERS[0]}:53"),
        "connect by TCP": lambda: _connect(known["api"]),
        "listen": lambda: socket.create_server(("127.0.0.1", 0)).close(),
        "open a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close(),
        "read the token": _TOKEN.read_bytes,
        "read another owner's photo": other.read_bytes,
        "list another owner's photos": lambda: list(other.parent.iterdir()),
        "list all owners": lambda: _more_than(data / "drive", own.parent),
        "list all jobs": lambda: _more_than(data / "jobs", job),
        "change an own photo": lambda: _append(own),
        "add to the own photos": lambda: _write(own.parent / "new"),
        "write to the volume": lambda: _write(data / "new"),
        "write to another job": lambda: _write(job.parent / "other-job" / "new"),
        "write to the code": lambda: _write(Path(__file__).with_name("new")),
        "write to the root": lambda: _write(Path("/new")),
        "write to /etc": lambda: _write(Path("/etc/new")),
        "write to the home": lambda: _write(Path("/root/new")),
        "become root": lambda: os.setuid(0),
        "mount": lambda: _libc("mount", b"none", b"/mnt", b"tmpfs", 0, None),
        "start a program": _start,
        "write to the job": lambda: _write(job / "output" / ".probe.tmp"),
        "read an own photo": own.read_bytes,
        "delete an own photo": own.unlink,
    }


def outcomes(known: dict[str, str]) -> dict[str, str]:
    """ "done" or the name of the error, for each."""
    return {name: _outcome(attempt) for name, attempt in attempts(known).items()}


def _job() -> Path:
    """The job's folder, as the command line of a batch has it."""
    return Path(sys.argv[sys.argv.index("--job") + 1])


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except (OSError, ValueError) as error:
        return type(error).__name__
    return "done"


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _connect(text: str) -> None:
    socket.create_connection(_address(text), timeout=_SECONDS).close()


def _datagram(text: str) -> None:
    """A question for the root's name servers, and any answer."""
    question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(_SECONDS)
        sock.sendto(question, _address(text))
        sock.recv(512)


def _more_than(folder: Path, own: Path) -> None:
    """That a mount's own name can be seen gives nothing away."""
    if {path.name for path in folder.iterdir()} <= {own.name}:
        raise FileNotFoundError("only the own")


def _write(path: Path) -> None:
    path.write_bytes(b"probe")
    path.unlink()


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"")


def _start() -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {})
    os.waitpid(pid, 0)


def _libc(name: str, *arguments: Any) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


if __name__ == "__main__":
    sys.stdout.write(json.dumps({**facts(), "attempts": outcomes(json.loads(sys.argv[-1]))}) + "\n")
