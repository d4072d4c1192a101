"""The sell pages: what they show in each state, who may see them, and how many queries a list takes."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.catalog.converter import Answer
from apps.catalog.models import Listing, Picture
from apps.catalog.services import intake, listings, uploads
from tests.drive.photos import photo

WORDS = {"title": "Shapes", "description": "Finds them.", "price": 5, "price_per_image": 1, "licence": "run"}


def test_empty_page_teaches_the_next_step(alice_web):
    page = alice_web.get("/sell/")

    assert "Make the first listing" in page.content.decode()


def test_a_new_listing_leads_to_its_upload(alice_web, alice):
    answer = alice_web.post("/sell/new/", {"title": " Signs ", "family": "classifier"})

    listing = Listing.objects.get()
    assert answer.url == f"/sell/{listing.pk}/"
    assert (listing.seller, listing.title, listing.kind, listing.status) == (
        alice,
        "Signs",
        "classification",
        "draft",
    )


@pytest.mark.parametrize("body", [{}, {"title": "x"}, {"family": "gan"}, {"title": "x", "family": "llm"}])
def test_a_bad_new_listing_is_shown_again(alice_web, body):
    assert alice_web.post("/sell/new/", body).status_code == 422
    assert not Listing.objects.exists()


def test_every_state_has_its_page(alice_web, alice, draft, upload_version, ready, converter):
    url = f"/sell/{draft.pk}/"
    uploads.begin(alice, draft, name="half.onnx", size=100)
    first = alice_web.get(url).content.decode()
    assert "half.onnx" in first
    assert "hx-trigger" not in first.partition('id="versions"')[2]

    waiting = upload_version()
    assert "every 1s" in alice_web.get(url).content.decode()
    converter.answers["check"] = Answer("wrong_outputs", "Its output has 3 values, not boxes.")
    intake.run(waiting.pk, converter)
    rejected = alice_web.get(url).content.decode()
    assert "Its output has 3 values, not boxes." in rejected
    assert "every 1s" not in rejected

    converter.answers.clear()
    version = ready()
    done = alice_web.get(url).content.decode()
    for text in ("Model card", "1,765,270", "12.5 ms", "8.25 ms", version.weights_sha256, "61 operators"):
        assert text in done
    assert reverse("market-sample", args=[version.pk, 1]) in done


def test_card_says_what_was_assumed_and_what_came_from_noise(alice_web, draft, ready, converter):
    scan = [{"check": "preparation", "result": "assumed", "detail": "Taken is what is usual."}]
    noise = {"compared": {"max_difference": 0.1, "image": ""}, "samples": [{"source": "", "file": "cat.jpg"}]}
    converter.card |= {"scan": [*converter.card["scan"], *scan], **noise}
    ready()

    page = alice_web.get(f"/sell/{draft.pk}/").content.decode()

    alerts = re.findall(r'<p class="alert alert--warn">.*?</p>', page, re.DOTALL)
    assert any("Taken is what is usual." in alert for alert in alerts)
    assert 'alt="Sample output from noise"' in page
    assert "for the same noise" in page


def test_live_part_swaps_what_depends_on_it(alice_web, draft, ready):
    ready()

    live = alice_web.get(f"/sell/{draft.pk}/live/")

    text = live.content.decode()
    assert live["Cache-Control"] == "no-store"
    for part in ("versions", "sell-state", "sell-todo", "sell-card"):
        assert f'id="{part}"' in text
    assert text.count("hx-swap-oob") == 3
    assert "disabled" not in text.partition("sell-state")[2].partition("</form>")[0]


def test_words_and_price_are_changed(alice_web, draft):
    alice_web.post(f"/sell/{draft.pk}/", WORDS | {"title": "Better", "commercial_use": "on"})

    draft.refresh_from_db()
    assert (draft.title, draft.price, draft.price_per_image, draft.commercial_use) == ("Better", 5, 1, True)
    again = alice_web.post(f"/sell/{draft.pk}/", WORDS | {"price": -1})
    assert again.status_code == 422
    draft.refresh_from_db()
    assert draft.price == 5


def test_publish_withdraw_delete(alice_web, draft, ready):
    alice_web.post(f"/sell/{draft.pk}/publish/")
    draft.refresh_from_db()
    assert draft.status == "draft"  # nothing to run yet
    ready()
    for verb, status in (("publish", "published"), ("withdraw", "withdrawn"), ("publish", "published")):
        alice_web.post(f"/sell/{draft.pk}/{verb}/")
        draft.refresh_from_db()
        assert draft.status == status
    alice_web.post(f"/sell/{draft.pk}/delete/")
    assert Listing.objects.filter(pk=draft.pk).exists()
    alice_web.post(f"/sell/{draft.pk}/withdraw/")

    assert alice_web.post(f"/sell/{draft.pk}/delete/").url == "/sell/"

    assert not Listing.objects.exists()


def test_pictures_are_added_refused_and_removed(alice_web, draft):
    good = SimpleUploadedFile("a.jpg", photo(1), "image/jpeg")
    bad = SimpleUploadedFile("b.jpg", b"no photo", "image/jpeg")

    page = alice_web.post(f"/sell/{draft.pk}/pictures/", {"files": [good, bad]}, follow=True)

    picture = Picture.objects.get()
    assert "b.jpg: The file is not a JPEG" in page.content.decode()
    assert alice_web.get(f"/api/v1/pictures/{picture.pk}").content[8:12] == b"WEBP"
    alice_web.post(f"/sell/pictures/{picture.pk}/remove/")
    assert not Picture.objects.exists()


@pytest.mark.parametrize("client", ["bob_web", "charlie_web", "staff_web"])
def test_anothers_sell_pages_are_not_there(request, client, alice, alice_web, published):
    alice_web.post(f"/sell/{published.pk}/pictures/", {"files": SimpleUploadedFile("a.jpg", photo(1))})
    web = request.getfixturevalue(client)
    before = Listing.objects.values().get()
    base = f"/sell/{published.pk}/"
    answers = [web.get(base), web.get(f"{base}live/"), web.post(base, WORDS | {"title": "Mine"})]
    answers += [web.post(f"{base}{verb}/") for verb in ("publish", "withdraw", "delete", "pictures")]
    answers.append(web.post(f"/sell/pictures/{Picture.objects.get().pk}/remove/"))

    expected = 302 if client == "charlie_web" else 404
    assert [answer.status_code for answer in answers] == [expected] * 8
    assert Listing.objects.values().get() == before
    assert Picture.objects.count() == 1


def test_list_takes_a_fixed_number_of_queries(alice_web, alice, ready, django_assert_num_queries):
    def more(count):
        for number in range(count):
            listing = listings.create(alice, title=f"L{number}", family="gan")
            ready(b"%d" % number, listing)

    more(1)
    alice_web.get("/sell/")
    # session, user; count, listings with seller and current version, pictures, versions, steps
    with django_assert_num_queries(7):
        alice_web.get("/sell/")
    more(5)
    with django_assert_num_queries(7):
        alice_web.get("/sell/")
