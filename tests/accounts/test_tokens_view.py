from __future__ import annotations

import re
from datetime import timedelta

from apps.accounts.models import ApiToken
from apps.accounts.services import tokens


def test_new_token_is_shown_once(alice, alice_web):
    made = alice_web.post("/account/tokens/", {"name": "backup script", "days": "90"}).content.decode()

    token = re.search(r"pxy_[0-9a-f]{64}", made)
    assert token
    row = ApiToken.objects.get(user=alice)
    assert row.name == "backup script"
    assert timedelta(days=89, hours=23) < row.expiry - row.created <= timedelta(days=90)
    again = alice_web.get("/account/tokens/").content.decode()
    assert token.group() not in again
    assert "backup script" in again
    assert row.hint in again


def test_token_without_expiry(alice, alice_web):
    alice_web.post("/account/tokens/", {"name": "for ever", "days": "0"})

    assert ApiToken.objects.get().expiry is None


def test_token_needs_a_name(alice_web):
    response = alice_web.post("/account/tokens/", {"name": " ", "days": "90"})

    assert response.status_code == 422
    assert "This field is required" in response.content.decode()
    assert not ApiToken.objects.exists()


def test_fifty_first_token_is_refused_with_the_reason(alice, alice_web):
    for number in range(50):
        tokens.create(alice, f"t{number}")

    response = alice_web.post("/account/tokens/", {"name": "one more", "days": "90"})

    assert "revoke one first" in response.content.decode()
    assert ApiToken.objects.count() == 50


def test_revoke_by_post_only(alice, alice_web):
    row, _ = tokens.create(alice, "leaked")
    path = f"/account/tokens/{row.public_id}/revoke/"

    by_link = alice_web.get(path)
    still = ApiToken.objects.count()
    response = alice_web.post(path)

    assert (by_link.status_code, still) == (405, 1)
    assert response["Location"] == "/account/tokens/"
    assert not ApiToken.objects.exists()


def test_revoking_the_token_of_another_is_404_and_changes_nothing(alice, bob_web, charlie_web):
    row, _ = tokens.create(alice, "mine")
    path = f"/account/tokens/{row.public_id}/revoke/"

    assert bob_web.post(path).status_code == 404
    assert charlie_web.post(path).status_code == 302
    assert ApiToken.objects.filter(pk=row.pk).exists()


def test_name_of_a_token_is_escaped(alice, alice_web):
    tokens.create(alice, "<script>alert(1)</script>")

    assert "<script>alert" not in alice_web.get("/account/tokens/").content.decode()


def test_name_of_a_person_is_saved(alice, alice_web):
    alice_web.post("/account/", {"name": "Alice A."})

    alice.refresh_from_db()
    assert alice.name == "Alice A."
