"""The frame of every page, the landing page, and the small filters that pages share."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.staticfiles import finders
from django.utils import timezone

from apps.processing.templatetags.processing_pages import ago, option_value
from marketplace.templatetags.pixelyard import duration, filesize, node_class


def test_landing_offers_to_sign_up(charlie_web):
    page = charlie_web.get("/").content.decode()
    assert "Process a whole folder of photos at once" in page
    assert page.count("<before-after>") == 4


def test_landing_sends_people_to_their_drive(alice_web):
    response = alice_web.get("/")
    assert (response.status_code, response["Location"]) == (302, "/drive/")


def test_the_frame_has_what_keyboards_and_screen_readers_need(alice_web):
    page = alice_web.get("/jobs/").content.decode()
    assert '<a class="skip-link" href="#main">' in page
    assert '<main id="main"' in page
    assert 'role="status" aria-live="polite"' in page
    assert '<a class="nav__link" href="/jobs/" aria-current="page">' in page
    assert page.count("<h1>") == 1


def test_a_page_runs_no_script_of_its_own_text(alice_web, charlie_web):
    for client, path in [(alice_web, "/jobs/"), (alice_web, "/studio/"), (charlie_web, "/")]:
        page = client.get(path).content.decode()
        assert "<script>" not in page
        assert " onclick=" not in page
        assert '"allowEval":false' in page


def test_htmx_sends_the_csrf_token(alice_web):
    response = alice_web.get("/jobs/")
    assert f'"X-CSRFToken": "{response.context["csrf_token"]}"' in response.content.decode()


def test_an_address_that_is_not_there(alice_web, settings):
    settings.DEBUG = False
    response = alice_web.get("/jobs/nothing/")
    assert response.status_code == 404
    assert "There is nothing at this address, or it is not yours." in response.content.decode()


@pytest.mark.parametrize("name", ["js/app.js", "vendor/htmx.min.js", "css/tokens.css", "img/favicon.svg"])
def test_nothing_comes_from_elsewhere(alice_web, name):
    assert finders.find(name)
    assert "https://" not in alice_web.get("/jobs/").content.decode()


@pytest.mark.parametrize(
    ("name", "css"),
    [("node-1", "node-1"), ("node-4", "node-4"), ("node-9", "node-1"), ("gpu-12", "node-4")],
)
def test_a_node_keeps_its_hue(name, css):
    assert node_class(name) == css


def test_a_node_without_a_number_has_a_hue_as_well():
    assert node_class("alpha") == node_class("alpha")
    assert node_class("") in {f"node-{n}" for n in range(1, 9)}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0, "under 1 s"),
        (0.4, "under 1 s"),
        (1, "1 s"),
        (1.24, "1.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (3599, "59 min"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
    ],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (4_100_000, "4.1 MB"), (250_000, "250 kB"), (5_000_000_000, "5.0 GB")],
)
def test_sizes_in_decimal_units(count, words):
    assert filesize(count) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(True, "on"), (False, "off"), (None, "none"), ([], "none"), ("otsu", "otsu"), (0, "0"), (0.5, "0.5")],
)
def test_options_as_a_reader_would_write_them(value, words):
    assert option_value(value) == words


def test_ages_in_words():
    now = timezone.now()
    assert ago(now) == "just now"
    assert ago(now - timedelta(minutes=5, seconds=1)) == "5 min ago"
    assert ago(now - timedelta(hours=3, seconds=1)) == "3 h ago"
