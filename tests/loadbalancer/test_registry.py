"""Every policy is complete: a file, a name, a summary, a docstring with its source, a chapter, a test."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from loadbalancer import registry
from loadbalancer.policy import Policy

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = (
    "join_idle_queue",
    "least_connections",
    "peak_ewma",
    "power_of_two",
    "pull",
    "random",
    "round_robin",
    "scheduler",
    "shortest_expected_delay",
    "weighted_least_connections",
    "weighted_round_robin",
)


def test_policies_are_found_by_their_files():
    files = {path.stem for path in (ROOT / "loadbalancer" / "policies").glob("*.py")} - {"__init__"}

    assert registry.names() == tuple(sorted(files)) == EXPECTED


def test_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(registry.UnknownPolicy, match=r"'fastest' is no balancing policy; there are join_i"):
        registry.get("fastest")


@pytest.mark.parametrize("name", registry.names())
def test_policy_says_what_it_is(name: str):
    policy = registry.get(name)

    assert isinstance(policy, Policy)
    assert policy.name == name
    assert re.fullmatch(r"[A-Z][^\n]{20,90}\.", policy.summary), "one sentence for the form"
    text = inspect.getdoc(type(policy)) or ""
    assert "\nSource: " in text, "the docstring names where the policy comes from"
    assert "\nWhen: " in text, "the docstring says when to use it"


@pytest.mark.parametrize("name", registry.names())
def test_policy_has_a_section_in_the_docs(name: str):
    docs = (ROOT / "docs" / "balancing.md").read_text()

    section = re.search(rf"^### `{name}`\n\n(.+?)(?=^##)", docs, re.MULTILINE | re.DOTALL)

    assert section, f"docs/balancing.md has no section on {name}"
    for part in ("**Chooses**", "**Formula**", "**Source**", "**Use it**"):
        assert f"- {part} " in section[1], f"the section on {name} lacks {part}"


@pytest.mark.parametrize("name", registry.names())
def test_policy_has_tests_of_its_own(name: str):
    tests = (ROOT / "tests" / "loadbalancer" / "test_policies.py").read_text()

    assert f'registry.get("{name}")' in tests


@pytest.mark.parametrize("name", registry.names())
def test_policy_keeps_no_state(name: str):
    assert vars(registry.get(name)) == {}


def test_module_with_two_policies_is_refused():
    class Module:
        __name__ = "two"

    def make(name: str) -> type[Policy]:
        return type(name, (Policy,), {"__module__": "two", "choose": lambda *_: None})

    module = Module()
    module.First, module.Second = make("First"), make("Second")

    with pytest.raises(TypeError, match="two holds 2 policies instead of one"):
        registry._policy_in(module)  # type: ignore[arg-type]
