from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.drive import names
from marketplace.api import ApiError


@pytest.mark.parametrize(
    "name",
    [
        *("", "   ", ".", "..", "a/b", "../x", "a\\b", "..\\x"),
        *("a\0b", "a\nb", "a\x7fb", "\ud800", "a\u202egpj.exe", "a\u2028b"),
        *("con", "CON.jpg", "Aux.tar.gz", "lpt1", "nul .txt"),
        *("x" * 121, "é" * 120 + "x" * 20, "\U0001f600" * 64),
    ],
)
def test_refused(name):
    with pytest.raises(ApiError) as caught:
        names.check_folder(name)

    assert caught.value.code == "bad_name"
    assert caught.value.status_code == 422
    assert list(caught.value.fields) == ["name"]


@pytest.mark.parametrize(
    "name", ["cat.jpg", "Зима.png", "a b", ".hidden", "con2", "👩‍👩‍👧.jpg", "a:b?c*.jpg", "x" * 120]
)
def test_accepted_as_it_is(name):
    assert names.check_folder(name) == name


def test_stored_in_one_unicode_form_without_blanks_at_the_ends():
    assert names.check_image(" e\u0301te\u0301.jpg\t".replace("\t", " ")) == "été.jpg"


def test_path_is_split_and_each_part_checked():
    assert names.split_path("holiday/day 1/cat.jpg") == (["holiday", "day 1"], "cat.jpg")


@pytest.mark.parametrize(
    "path",
    ["/etc/cat.jpg", "../cat.jpg", "a/../cat.jpg", "a//cat.jpg", "a/", "a/./b.jpg", "a/" * 33 + "c.jpg"],
)
def test_path_tricks_are_refused(path):
    with pytest.raises(ApiError) as caught:
        names.split_path(path)

    assert caught.value.code == "bad_name"


def test_free_name_counts_up_before_the_extension():
    assert names.free("cat.jpg", set(), 200) == "cat.jpg"
    assert names.free("cat.jpg", {"cat.jpg"}, 200) == "cat (2).jpg"
    assert names.free("cat.jpg", {"cat.jpg", "cat (2).jpg"}, 200) == "cat (3).jpg"
    assert names.free("Holiday", {"Holiday"}, 120) == "Holiday (2)"


def test_free_name_stays_within_the_limit():
    long = "x" * 196 + ".jpg"

    found = names.free(long, {long}, 200)

    assert found == "x" * 192 + " (2).jpg"
    assert len(found) == 200


@given(st.text(max_size=300))
def test_check_accepts_nothing_that_is_no_single_name(text):
    try:
        name = names.check_image(text)
    except ApiError:
        return
    assert name not in {"", ".", ".."}
    assert not set(name) & set("/\\\0\n\r")
    assert name == unicodedata.normalize("NFC", name)
    assert names.check_image(name) == name


@given(st.text(max_size=300))
def test_tidy_always_gives_an_acceptable_name(text):
    name = names.tidy(text, 200, "result.png")

    assert names.check_image(name) == name


@given(st.text(max_size=300))
def test_zip_names_are_safe_everywhere(text):
    name = names.for_zip(text)

    assert name
    assert not set(name) & set('<>:"|?*\\/\0')
    assert not name.endswith((".", " "))
    assert name.partition(".")[0].lower() not in {"con", "nul", "aux", "prn"}
