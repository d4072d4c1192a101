"""The catalogue that the web reads, and how processors are found."""

from __future__ import annotations

import json

import pytest

from model_images.runtime import __main__ as command
from model_images.runtime import catalog, registry
from model_images.runtime.contract import Processor
from tests.runtime.conftest import APPS


def test_catalogue_is_current():
    assert catalog.PATH.read_text(encoding="utf-8") == catalog.text(), f"run: {catalog.COMMAND}"


def test_catalogue_lists_each_processor_with_its_schema():
    entries = {entry["name"]: entry for entry in json.loads(catalog.text())["processors"]}

    assert sorted(entries) == sorted(registry.processors())
    assert {"ascii", "blackwhite", "mosaic", "pixelart"} <= set(entries)
    for entry in entries.values():
        assert entry["params_schema"]["additionalProperties"] is False
        assert set(entry["outputs"]) <= {"image", "text", "html", "data"}


def test_describe_prints_and_writes(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(catalog, "PATH", tmp_path / "catalog.json")

    assert command.main(["describe"]) == 0
    assert capsys.readouterr().out == catalog.text()
    assert not (tmp_path / "catalog.json").exists()
    assert command.main(["describe", "--write"]) == 0
    assert (tmp_path / "catalog.json").read_text() == catalog.text()


def test_packages_of_others_are_found(trial_apps):
    assert {"trial", "fitted", "blackwhite"} <= set(registry.processors())
    assert any(str(folder).endswith(APPS.replace(".", "/")) for folder in registry.package_folders())


def test_two_processors_of_one_name_are_refused(trial_apps, monkeypatch):
    monkeypatch.setenv("EXTRA_PROCESSORS", f"{APPS},{APPS}")

    with pytest.raises(RuntimeError, match="two processors are called"):
        registry.processors()


def test_missing_package_is_told(monkeypatch):
    monkeypatch.setenv("EXTRA_PROCESSORS", "no_such_package")
    registry.processors.cache_clear()
    try:
        with pytest.raises(ModuleNotFoundError, match="no_such_package"):
            registry.processors()
    finally:
        registry.processors.cache_clear()


def test_processor_without_process_is_no_processor():
    with pytest.raises(TypeError, match="abstract"):
        Processor()  # type: ignore[abstract]
