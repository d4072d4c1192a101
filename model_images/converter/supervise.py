"""Runs a step in a locked-in child process and makes one answer of whatever becomes of it. This process never
opens the upload."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from model_images.converter import limits, locked
from model_images.converter.steps import AGAIN, Options

MAX_ANSWER = 8 << 20  # bytes


class Crashed(Exception):
    """The converter failed for a reason of its own; the child's traceback is on stderr."""


def run(options: Options) -> dict[str, Any]:
    """The answer of the step. Raises Crashed."""
    answer = _child(options)
    if answer["status"] != AGAIN:
        return answer
    if find_spec("torch") is None:
        return _rejected(
            "converter_missing",
            "Checkpoints need the converter's own environment, which is not installed: run `make converter`. "
            "ONNX files are taken without it.",
        )
    return _child(replace(options, torch=True))


def _child(options: Options) -> dict[str, Any]:
    reader, writer = os.pipe()
    parent = os.getpid()
    pid = os.fork()  # this process has one thread
    if pid == 0:
        os.close(reader)
        locked.main(options, writer, parent)
    os.close(writer)
    data = _read(reader, limits.SECONDS[options.step])
    if data is None:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if data is None:
        return _too_slow(options.step)
    return _answer(options.step, status, data)


def _read(pipe: int, seconds: float) -> bytes | None:
    """Until the child closes its end; None when it takes too long, or has too much to say."""
    end, data = time.monotonic() + seconds, b""
    with os.fdopen(pipe, "rb", buffering=0) as file:
        while len(data) <= MAX_ANSWER:
            ready, _, _ = select.select([file], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                return None
            more = file.read(1 << 16)
            if not more:
                return data
            data += more
    return None


def _answer(step: str, status: int, data: bytes) -> dict[str, Any]:
    if os.WIFSIGNALED(status):
        return _killed(step, os.WTERMSIG(status))
    if os.WEXITSTATUS(status) != locked.EXIT_OK:
        raise Crashed(f"the step {step} failed; its last lines are above")
    try:
        answer = json.loads(data)
        if answer["status"] in {"ok", "rejected", AGAIN}:
            return dict(answer)
    except (ValueError, KeyError, TypeError):
        pass
    raise Crashed(f"the step {step} gave no answer")


def _killed(step: str, number: int) -> dict[str, Any]:
    if number == signal.SIGXCPU:
        return _too_slow(step)
    if number == signal.SIGKILL:
        return _rejected("too_much_memory", f"To {step} this file takes more memory than there is.")
    name = signal.Signals(number).name
    return _rejected(
        "converter_died",
        f"This file made the converter end ({name}) in its sandbox; nothing else was touched.",
    )


def _too_slow(step: str) -> dict[str, Any]:
    return _rejected(
        "too_slow", f"To {step} this file takes more than {limits.SECONDS[step]} seconds, which is the limit."
    )


def _rejected(code: str, message: str) -> dict[str, Any]:
    return {"status": "rejected", "code": code, "message": message}
