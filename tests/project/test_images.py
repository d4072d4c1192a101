"""Container images: what they install is the lock's, and they run as the user that the manifests name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("filters", "weights", "node", "web", "converter")
DOCKERFILES = [ROOT / "Dockerfile", *sorted(ROOT.glob("model_images/**/Dockerfile"))]
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z,]+\])?==(\S+)(.*(?:\n    --hash=\S+.*)*)", re.M)


def pins(path: Path) -> dict[tuple[str, str], frozenset[str]]:
    """Of a lock: the hashes of every name and version."""
    found = {}
    for name, version, rest in PIN.findall(path.read_text().replace("\\\n", "\n")):
        found[name, version] = frozenset(re.findall(r"sha256:[0-9a-f]{64}", rest))
    return found


def wanted(path: Path) -> set[str]:
    """The distributions that an .in file names, with those of the files it includes."""
    names: set[str] = set()
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            names |= wanted(path.parent / line[3:].strip())
        elif line and not line.startswith("#"):
            names.add(re.split(r"[\[<>=]", line)[0])
    return names


@pytest.mark.parametrize("image", LOCKS)
def test_an_image_installs_what_the_lock_names_with_the_same_hashes(image: str) -> None:
    every = pins(ROOT / "requirements.lock")
    own = pins(ROOT / "requirements" / f"{image}.txt")

    assert len(own) > 10
    for pin, hashes in own.items():
        assert hashes and hashes == every.get(pin), pin


@pytest.mark.parametrize("image", LOCKS)
def test_an_images_lock_is_of_its_wishes(image: str) -> None:
    locked = {name for name, _ in pins(ROOT / "requirements" / f"{image}.txt")}

    assert wanted(ROOT / "requirements" / f"{image}.in") <= locked


def test_every_dependency_of_the_project_is_in_an_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = [*project["dependencies"], *project["optional-dependencies"]["kubernetes"]]

    assert {re.split(r"[\[<>=]", need)[0] for need in needs} == wanted(ROOT / "requirements" / "converter.in")


def test_the_web_image_has_nothing_that_decodes_for_an_app() -> None:
    locked = {name for name, _ in pins(ROOT / "requirements" / "web.txt")}

    assert not locked & {"numpy", "opencv-python-headless", "onnxruntime", "simplejpeg", "onnx"}


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_dockerfile_is_small_pinned_and_without_root(path: Path) -> None:
    text = path.read_text()
    last = text[text.rindex("\nFROM ") :]

    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.11-slim-bookworm$", text, re.M)
    assert set(re.findall(r"^FROM (\S+)", text, re.M)) == {"${PYTHON_IMAGE}"}
    assert "--require-hashes" in text
    assert "\nUSER 10001:10001\n" in last
    assert "pip install" not in last and "PYTHONDONTWRITEBYTECODE=1" in last
    assert 'org.opencontainers.image.licenses="Apache-2.0"' in last


def test_dockerfiles_carry_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert len(DOCKERFILES) == 7
    for path in DOCKERFILES:
        assert f'org.opencontainers.image.version="{version}"' in path.read_text(), path
