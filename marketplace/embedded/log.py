"""One readable log of all services: `HH:MM:SS name  | line`, on the terminal and in DATA_DIR/log."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO

ROTATE = 10_000_000  # bytes; one older file is kept
WIDTH = 10
# Fixed 256-colour hues: the platform grey, services in the order they appear.
PLATFORM = 244
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HUES = (75, 114, 180, 176, 80, 210, 149, 141)


class Log:
    def __init__(
        self,
        folder: Path,
        terminal: TextIO = sys.stdout,
        clock: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "platform.log"
        self._file = self._path.open("a", encoding="utf-8")
        self._terminal: TextIO | None = terminal
        self._colour = terminal.isatty() and not os.environ.get("NO_COLOR")
        self._clock = clock
        self._hues: dict[str, int] = {}

    def say(self, text: str) -> None:
        """The platform itself speaks."""
        self.line("platform", text)

    def line(self, name: str, text: str) -> None:
        time = self._clock().strftime("%H:%M:%S")
        self._keep(f"{time} {name:<{WIDTH}} | {text}\n")
        if self._terminal is None:
            return
        label = f"{time} {name:<{WIDTH}} |"
        if self._colour:
            label = f"\033[38;5;{self._hue(name)}m{label}\033[0m"
        try:
            self._terminal.write(f"{label} {text}\n")
            self._terminal.flush()
        except (OSError, ValueError):
            self._terminal = None  # nobody reads any more; the file goes on

    def plain(self, text: str) -> None:
        """For the terminal alone, not for the file: what must not be kept."""
        if self._terminal is not None:
            with suppress(OSError, ValueError):
                self._terminal.write(text + "\n")
                self._terminal.flush()

    def close(self) -> None:
        self._file.close()

    def _hue(self, name: str) -> int:
        if name == "platform":
            return PLATFORM
        return self._hues.setdefault(name, HUES[len(self._hues) % len(HUES)])

    def _keep(self, text: str) -> None:
        with suppress(OSError):  # a full disk must not end the platform
            if self._file.tell() > ROTATE:
                self._file.close()
                self._path.replace(self._path.with_suffix(".1.log"))
                self._file = self._path.open("a", encoding="utf-8")
            self._file.write(text)
            self._file.flush()


class Lines:
    """Bytes as they come out of a pipe, cut into lines of text. Empty lines are left out."""

    LONGEST = 8000

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        *complete, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self.LONGEST:
            complete.append(self._rest)
            self._rest = b""
        return self._texts(complete)

    def end(self) -> list[str]:
        rest, self._rest = self._rest, b""
        return self._texts([rest])

    def _texts(self, parts: list[bytes]) -> list[str]:
        return [text for text in map(self._text, parts) if text]

    @staticmethod
    def _text(part: bytes) -> str:
        text = ESCAPES.sub("", part[: Lines.LONGEST].decode("utf-8", "replace")).rstrip()
        # What a service prints must not steer the terminal.
        return "".join(char if char.isprintable() or char == "\t" else "�" for char in text)
