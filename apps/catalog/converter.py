"""The way to the converter: `python -m model_images.converter` as a process of its own, and nothing else.

It reads strangers' files, so it gets no secret: an environment of a few plain variables, and files to write
its output to. It locks itself in before it touches the upload; what is seen to from here is the time, its
whole process group, and that it ends when we do.

    answer    the last line that it printed, a JSON object: ok, or rejected with a code and words
    crash     any other end: killed by a limit, a fault of its own. Its last lines are kept for staff
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

from marketplace import converter_python

MISSING = "converter_missing"  # it would need torch, which this machine does not have
_REJECTED = 3
_TAIL = 65_536  # bytes of its output that are looked at
_LOG = 4_000  # characters of its last lines that are kept
_LOOK = 0.1  # seconds between two looks at a running converter
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ")
_PR_SET_PDEATHSIG = 1

Beat = Callable[[], None]


class ConverterError(Exception):
    """It did not come to an answer. `code` is stable; `log` is for staff."""

    def __init__(self, code: str, message: str, log: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.log = log


@dataclass(frozen=True)
class Order:
    """What to convert, and where to."""

    upload: Path
    name: str  # as the seller's file was called: its ending is a hint, never trusted
    family: str
    out: Path
    architecture: str = ""
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Answer:
    """`code` and `message` are empty when it went well."""

    code: str = ""
    message: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.code


class Converter(Protocol):
    """Each step raises ConverterError, and whatever `beat`, which is called every second, raises."""

    def convert(self, order: Order, beat: Beat) -> Answer: ...

    def check(self, order: Order, beat: Beat) -> Answer: ...

    def measure(self, order: Order, beat: Beat) -> Answer: ...


class CommandConverter:
    """The real one."""

    def __init__(self, python: str = "", seconds: float | None = None) -> None:
        self._python = python or converter_python.resolve(settings.CONVERTER_PYTHON)
        self._seconds = settings.INTAKE_SECONDS if seconds is None else seconds

    def convert(self, order: Order, beat: Beat) -> Answer:
        # With = because a name may begin with a dash.
        words = [f"--upload={order.upload}", f"--name={order.name}", f"--family={order.family}"]
        if order.architecture:
            words.append(f"--architecture={order.architecture}")
        if order.labels:
            labels = order.out / "labels.json"
            labels.write_text(json.dumps(list(order.labels)), encoding="utf-8")
            words.append(f"--labels={labels}")
        return self._run("convert", order.out, words, beat)

    def check(self, order: Order, beat: Beat) -> Answer:
        return self._run("check", order.out, [], beat)

    def measure(self, order: Order, beat: Beat) -> Answer:
        return self._run("measure", order.out, [], beat)

    def _run(self, step: str, out: Path, words: Sequence[str], beat: Beat) -> Answer:
        stdout, stderr = out.parent / f"{step}.out", out.parent / f"{step}.err"
        command = [self._python, "-m", "model_images.converter", step, *words, "--out", str(out)]
        with stdout.open("wb") as answers, stderr.open("wb") as errors:
            try:
                process = subprocess.Popen(  # noqa: S603 - a list of our own words, no shell
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=answers,
                    stderr=errors,
                    cwd=settings.BASE_DIR,
                    env=_environment(out),
                    start_new_session=True,
                    preexec_fn=_end_with(os.getpid()),
                )
            except OSError as error:
                raise ConverterError("converter_unavailable", f"{self._python}: {error.strerror}") from error
            try:
                status = _watch(process, self._seconds, beat)
            finally:
                _end(process)
        return _answer(status, _tail(stdout), _tail(stderr))


def _environment(out: Path) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    plain = {"HOME": str(out), "TMPDIR": str(out), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**passed, **plain}


def _end_with(parent: int) -> Callable[[], None]:
    """For the child, before it becomes the converter: the kernel kills it when the worker dies."""
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def _watch(process: subprocess.Popen[bytes], seconds: float, beat: Beat) -> int:
    """Its exit status. Raises ConverterError when it takes too long."""
    start = beaten = time.monotonic()
    while (status := process.poll()) is None:
        now = time.monotonic()
        if now - start > seconds:
            text = f"It took longer than {seconds:g} s, the most allowed for one step."
            raise ConverterError("too_slow", text)
        if now - beaten >= 1:
            beaten = now
            beat()
        time.sleep(_LOOK)
    return status


def _end(process: subprocess.Popen[bytes]) -> None:
    """Whatever is left of its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return file.read().decode(errors="replace")


def _answer(status: int, output: str, errors: str) -> Answer:
    last = output.strip().rpartition("\n")[2]
    try:
        data = json.loads(last)
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, dict):
        if status == 0 and data.get("status") == "ok":
            return Answer(data=data)
        if status == _REJECTED and data.get("status") == "rejected" and data.get("code"):
            return Answer(str(data["code"])[:60], str(data.get("message", ""))[:600], data)
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    log = f"{how}\n{output[-_LOG // 2 :]}\n{errors[-_LOG:]}"
    raise ConverterError("converter_crashed", f"The converter ended with {how}.", log)


def get_converter() -> Converter:
    return CommandConverter()
