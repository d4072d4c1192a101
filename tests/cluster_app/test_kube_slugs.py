"""Names of Kubernetes objects: valid, unique, and the way back."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from apps.cluster.kube import slugs
from marketplace.ids import new_id

RFC1123 = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
anything = st.text(max_size=90)
close = st.text("aB-._ é", min_size=1, max_size=70)  # texts that are easily made alike


def test_valid_name_stays():
    worker = f"{new_id()}-12-345"

    assert slugs.name(worker) == worker
    assert slugs.name("filters", "runtime") == "runtime-filters"
    assert slugs.label("Mixed_Case.1") == "Mixed_Case.1"
    assert slugs.label("") == ""


def test_what_was_changed_ends_in_a_hash_of_its_own():
    one, other = slugs.name("Cats & dogs"), slugs.name("cats & dogs")

    assert re.fullmatch(r"cats-dogs--[0-9a-f]{10}", one)
    assert one != other


def test_text_that_looks_hashed_is_hashed_again():
    made = slugs.name("Cats & dogs")

    assert slugs.name(made) not in {made, slugs.name("Cats & dogs")}
    assert slugs.label(slugs.label("Cats & dogs")) != slugs.label("Cats & dogs")


def test_prefix_with_a_long_text_keeps_the_limit():
    assert len(slugs.name("x" * 80, "runtime")) == 63
    assert slugs.name("x" * 80, "runtime") != slugs.name("x" * 81, "runtime")


@given(anything | close)
def test_names_are_valid(text):
    assert RFC1123.fullmatch(slugs.name(text))
    assert RFC1123.fullmatch(slugs.name(text, "job"))
    assert LABEL.fullmatch(slugs.label(text))


@given(close, close)
def test_different_texts_have_different_names(one, other):
    if one != other:
        assert slugs.name(one) != slugs.name(other)
        assert slugs.label(one) != slugs.label(other)


@given(anything | close)
def test_text_comes_back(text):
    labels, annotations = slugs.marks({"pixelyard/worker": text})

    assert slugs.text_of(
        {"metadata": {"labels": labels, "annotations": annotations}}, "pixelyard/worker"
    ) == (text)


def test_object_without_marks_has_no_text():
    assert slugs.text_of({}, "pixelyard/worker") == ""
    assert slugs.text_of({"metadata": {"labels": None}}, "pixelyard/worker") == ""
