"""Imports go one way: docs/architecture/01-layers.md. Read from the source: lazy imports count too."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

HEAVY = {"cv2", "numpy", "onnxruntime", "torch", "simplejpeg", "ultralytics"}
WEB = {"django", "rest_framework", "apps", "marketplace"}

# package -> top-level modules that it must not import
FORBIDDEN = {
    "apps": HEAVY | {"model_images"},
    "marketplace": HEAVY | {"model_images"},
    "model_images": WEB | {"loadbalancer"},
    "loadbalancer": WEB | HEAVY | {"model_images", "jobfolder"},
}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _files(package: str) -> list[Path]:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files, f"no files in {package}"
    return files


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_package_imports_nothing_forbidden(package):
    wrong = {
        str(path.relative_to(ROOT)): sorted(_imports(path) & FORBIDDEN[package])
        for path in _files(package)
        if _imports(path) & FORBIDDEN[package]
    }

    assert wrong == {}


def test_job_folder_protocol_needs_the_standard_library_only():
    allowed = set(sys.stdlib_module_names) | {"jobfolder"}

    wrong = {str(path): sorted(_imports(path) - allowed) for path in _files("jobfolder")}

    assert {path: names for path, names in wrong.items() if names} == {}


def test_every_module_starts_with_a_docstring_or_is_trivial():
    """A module of any size says what it is for."""
    silent = []
    for package in (*FORBIDDEN, "jobfolder"):
        for path in _files(package):
            if "migrations" in path.parts or path.name in {
                "__init__.py",
                "urls.py",
                "api_urls.py",
                "apps.py",
            }:
                continue
            source = path.read_text()
            if source.count("\n") > 25 and not ast.get_docstring(ast.parse(source)):
                silent.append(str(path.relative_to(ROOT)))

    assert silent == []
