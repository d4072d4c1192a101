"""What the code offers, the documentation names. Settings have a test of their own in tests/platform."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from drf_spectacular.generators import SchemaGenerator

from loadbalancer.registry import policies

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def test_every_route_of_the_api_is_in_the_api_chapter():
    chapter = re.sub(r"\{\w+\}", "{id}", (ROOT / "docs/api.md").read_text())
    paths = {
        re.sub(r"\{\w+\}", "{id}", path.removeprefix("/api/v1/"))
        for path in SchemaGenerator().get_schema(public=True)["paths"]
    }

    assert {path for path in paths if f"{path}`" not in chapter} == set()


def test_every_policy_has_a_section():
    chapter = (ROOT / "docs/balancing.md").read_text()

    assert [name for name in policies() if f"`{name}`" not in chapter] == []


@pytest.mark.parametrize(
    "chapter", ["README.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/**/*.md"))]
)
def test_links_lead_somewhere(chapter):
    path = ROOT / chapter

    broken = [link for link in LINK.findall(path.read_text()) if not (path.parent / link).exists()]

    assert broken == []


def test_every_decision_is_listed():
    index = (ROOT / "docs/adr/README.md").read_text()

    assert [p.name for p in ROOT.glob("docs/adr/0*.md") if p.name not in index] == []
