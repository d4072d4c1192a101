"""Typed readers of environment variables. Each fails loudly: a typing error must not become a default."""

from __future__ import annotations

import os
from pathlib import Path


class BadSetting(SystemExit):
    """A variable has a value that can't be used. Ends the process with one clear line."""

    def __init__(self, name: str, expected: str, got: str) -> None:
        super().__init__(f"{name} must be {expected}, not {got!r}")


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default)


def flag(name: str, default: bool = False) -> bool:
    """`true` or `false`, and nothing else."""
    raw = os.environ.get(name)
    if raw is None or raw == "":
        return default
    if raw.lower() not in {"true", "false"}:
        raise BadSetting(name, "true or false", raw)
    return raw.lower() == "true"


def integer(name: str, default: int, *, low: int = 0, high: int | None = None) -> int:
    """A whole number within `low`..`high`, both included."""
    raw = os.environ.get(name)
    if raw is None or raw == "":
        return default
    try:
        value = int(raw)
    except ValueError:
        raise BadSetting(name, "a whole number", raw) from None
    if value < low or (high is not None and value > high):
        raise BadSetting(name, f"between {low} and {high}" if high else f"at least {low}", raw)
    return value


def number(name: str, default: float, *, low: float = 0.0) -> float:
    raw = os.environ.get(name)
    if raw is None or raw == "":
        return default
    try:
        value = float(raw)
    except ValueError:
        raise BadSetting(name, "a number", raw) from None
    if value < low:
        raise BadSetting(name, f"at least {low}", raw)
    return value


def items(name: str, default: str = "") -> list[str]:
    """A comma-separated list, blanks dropped."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in allowed:
        raise BadSetting(name, " or ".join(allowed), value)
    return value


def secret(name: str, default: str = "") -> str:
    """`NAME`, or the contents of the file that `NAME_FILE` names (Docker and Kubernetes secrets)."""
    file = os.environ.get(f"{name}_FILE")
    if not file:
        return text(name, default)
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise BadSetting(f"{name}_FILE", "a readable file", f"{file}: {error.strerror}") from None


def kept(folder: Path, name: str) -> str:
    """What the embedded platform made at its first start and keeps in `folder`; empty if it never ran."""
    try:
        return (folder / name).read_text().strip()
    except OSError:
        return ""


def load(path: Path) -> None:
    """`NAME=value` lines of a file become variables, unless they are set already. Blank lines and lines that
    begin with # are skipped; quotes around a value are taken off. A missing file is no error."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not name.isidentifier():
            raise BadSetting(f"{path} line {number}", "NAME=value", line)
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        os.environ.setdefault(name, value)
