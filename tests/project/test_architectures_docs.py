"""Every architecture that the converter knows is in the chapter about them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from model_images.converter.registry import known

CHAPTER = Path(__file__).resolve().parents[2] / "docs" / "architectures.md"


def test_every_architecture_is_in_its_chapter():
    text = CHAPTER.read_text()

    assert [name for name in known() if f"`{name}`" not in text] == []
