"""What a node reads from its environment. Raises BadSetting, which says the name, the rule and the value."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from jobfolder.layout import check_name

# What a process that decodes strangers' files may know of the environment: no broker, no token.
_HARMLESS = (
    "PATH", "HOME", "LANG", "LC_", "TZ", "TMPDIR", "LOG_LEVEL", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "PYTHON",
    "EXTRA_PROCESSORS", "RUNTIME_FAMILY", "WEIGHTS_MEMORY", "WORKER_MEMORY", "ORT_",
    "OPENBLAS_", "OMP_", "MKL_", "VECLIB_",
)  # fmt: skip


class BadSetting(Exception):
    def __init__(self, name: str, rule: str, value: str) -> None:
        super().__init__(f"{name} must be {rule}; it is {value!r}")


@dataclass(frozen=True)
class NodeSettings:
    broker_url: str
    data_dir: Path
    node: str
    slots: int
    cores: str
    timeout: float


def node_settings() -> NodeSettings:
    return NodeSettings(
        broker_url=secret("BROKER_URL") or "redis://127.0.0.1:6379/0",
        data_dir=Path(os.environ.get("DATA_DIR") or "var").resolve(),
        node=name("NODE_NAME", socket.gethostname()),
        slots=int(number("NODE_SLOTS", 1, low=1)),
        cores=os.environ.get("NODE_CORES", ""),
        timeout=number("NODE_TIMEOUT", 5.0, low=0.5),
    )


def name(variable: str, default: str) -> str:
    value = os.environ.get(variable) or default
    try:
        return check_name(value)
    except ValueError:
        raise BadSetting(variable, "letters, digits and ._- only", value) from None


def number(variable: str, default: float, *, low: float) -> float:
    value = os.environ.get(variable) or str(default)
    try:
        found = float(value)
    except ValueError:
        found = low - 1
    if not found >= low:
        raise BadSetting(variable, f"a number from {low:g}", value)
    return found


def secret(variable: str) -> str:
    """The variable's value, or the content of the file that `<variable>_FILE` names; "" when neither is
    set."""
    path = os.environ.get(f"{variable}_FILE")
    if path:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise BadSetting(f"{variable}_FILE", f"a readable file ({error.strerror})", path) from None
    return os.environ.get(variable, "")


def pin(cores: str) -> str:
    """Bind this process, and those it will start, to `cores` ("0,2-3"; "": all). Returns what is in force."""
    if cores:
        try:
            os.sched_setaffinity(0, parse_cores(cores))
        except (OSError, ValueError):
            have = ",".join(map(str, sorted(os.sched_getaffinity(0))))
            rule = f'cores of this machine, as "0,2-3" (it has {have})'
            raise BadSetting("NODE_CORES", rule, cores) from None
    return cores


def parse_cores(cores: str) -> set[int]:
    """Raises ValueError."""
    found: set[int] = set()
    for part in cores.split(","):
        first, dash, last = part.partition("-")
        found |= set(range(int(first), int(last if dash else first) + 1))
    return found


def scrub_environment() -> None:
    """Take everything out of this process's environment but what is harmless: processes that it starts from
    now on inherit no broker and no token. They find this package from any folder."""
    for variable in list(os.environ):
        if not variable.startswith(_HARMLESS):
            del os.environ[variable]
    root = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join([root, *(path for path in known if path not in ("", root))])
