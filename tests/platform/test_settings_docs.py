"""Every variable that the code reads is in docs/settings.md and in .env.example, and nothing else is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("marketplace", "apps", "model_images", "jobfolder", "loadbalancer")
# env.text(…), os.environ.get(…), and the readers of model_images/runtime/settings.py
READERS = {"text", "flag", "integer", "number", "items", "choice", "secret", "name", "get"}
OWNERS = {"env", "os.environ", "settings", "node_settings", ""}
NAME = re.compile(r"[A-Z][A-Z0-9_]+")
NOT_OURS = {"PYTHONPATH"}
ROW = re.compile(r"^\| `([A-Z0-9_]+)` \| (.*?) \|", re.MULTILINE)


def _calls() -> Iterator[tuple[str, ast.Call]]:
    """The name of a variable, and the call that reads it."""
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                owner, _, reader = ast.unparse(node.func).rpartition(".")
                name = str(node.args[0].value)
                if reader in READERS and owner in OWNERS and NAME.fullmatch(name):
                    yield name, node


def _read_by_code() -> set[str]:
    return {name for name, _ in _calls()} - NOT_OURS


def _chapter() -> list[tuple[str, str]]:
    return ROW.findall((ROOT / "docs/settings.md").read_text())


def _example() -> list[str]:
    return (ROOT / ".env.example").read_text().splitlines()


def test_every_kind_of_reader_is_found():
    assert {"PORT", "SECRET_KEY", "DEBUG", "NODE_SLOTS", "RUNTIME_TOKEN", "NO_COLOR"} <= _read_by_code()


def test_settings_chapter_is_complete():
    names = [name for name, _ in _chapter()]

    assert len(names) == len(set(names))
    assert set(names) == _read_by_code()


def test_env_example_is_complete_and_changes_nothing():
    names = [line[2:].partition("=")[0] for line in _example() if re.match(r"# [A-Z0-9_]+=", line)]

    assert len(names) == len(set(names))
    assert set(names) == _read_by_code()
    assert all(line.startswith("#") or not line for line in _example())


def test_defaults_in_the_chapter_are_those_of_the_code():
    documented = {name: default.strip("`") for name, default in _chapter() if default.startswith("`")}
    checked = set()

    for name, call in _calls():
        given = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "default")]
        if name in documented and given and isinstance(given[0], ast.Constant):
            assert documented[name] == _written(given[0].value), name
            checked.add(name)
    assert len(checked) > 25


def _written(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)
