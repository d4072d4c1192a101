"""Tokens over REST: made with a password, listed, revoked; and what a bearer of one may do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.models import ApiToken
from apps.accounts.services import tokens
from tests.conftest import PASSWORD


def _bearer(token: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def _ask(client, email="alice@example.org", password=PASSWORD):
    return client.post("/api/v1/token", {"email": email, "password": password}, format="json")


def test_password_gives_a_token_that_opens_the_api(alice, charlie_api):
    response = _ask(charlie_api)

    token = response.json()["token"]
    assert response.status_code == 201
    assert list(response.json()) == ["token"]
    assert token.startswith("pxy_")
    assert _bearer(token).get("/api/v1/me").json() == {
        "id": alice.pk,
        "email": "alice@example.org",
        "name": "Alice",
        "is_staff": False,
        "storage": {"used": 0, "quota": 5_000_000_000},
    }


def test_only_a_hash_of_it_is_kept(alice, charlie_api):
    token = _ask(charlie_api).json()["token"]

    row = ApiToken.objects.get()
    kept = [str(getattr(row, field.attname)) for field in row._meta.fields]
    assert not any(token in value for value in kept)
    assert token.startswith(row.token_key)
    assert len(row.token_key) == 15


@pytest.mark.parametrize(
    ("email", "password"),
    [("alice@example.org", "wrong"), ("nobody@example.org", PASSWORD), ("alice@example.org", PASSWORD + " ")],
)
def test_wrong_password_is_401_and_makes_no_token(alice, charlie_api, email, password):
    response = _ask(charlie_api, email, password)

    assert response.status_code == 401
    assert response.json() == {
        "error": {
            "code": "not_authenticated",
            "message": "The e-mail address or the password is wrong.",
            "fields": {},
        }
    }
    assert not ApiToken.objects.exists()


def test_inactive_person_gets_no_token(alice, charlie_api):
    alice.is_active = False
    alice.save()

    assert _ask(charlie_api).status_code == 401
    assert not ApiToken.objects.exists()


def test_unconfirmed_address_is_told_so_where_confirming_is_mandatory(alice, charlie_api, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    alice.emailaddress_set.update(verified=False)

    response = _ask(charlie_api)

    assert (response.status_code, response.json()["error"]["code"]) == (401, "email_not_verified")


def test_sixth_wrong_password_is_429_and_so_is_the_right_one_then(alice, charlie_api):
    for _ in range(5):
        assert _ask(charlie_api, password="wrong").status_code == 401

    response = _ask(charlie_api)

    assert response.status_code == 429
    assert response["Retry-After"] == "300"
    assert response.json()["error"]["code"] == "too_many"
    assert not ApiToken.objects.exists()


def test_limit_of_one_address_does_not_shut_out_another(alice, bob, charlie_api):
    for _ in range(6):
        _ask(charlie_api, password="wrong")

    assert _ask(charlie_api, email="bob@example.org").status_code == 201


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": "x", "password": "y"}, "email"),
        ({"email": "a@b.org"}, "password"),
        ([], "non_field_errors"),
    ],
)
def test_incomplete_body_is_422_with_the_field(db, charlie_api, body, field):
    response = charlie_api.post("/api/v1/token", body, format="json")

    assert response.status_code == 422
    assert field in response.json()["error"]["fields"]


def test_form_body_is_415(db, charlie_api):
    assert charlie_api.post("/api/v1/token", {"email": "a@b.org"}).status_code == 415


def test_newest_twenty_tokens_made_by_password_are_kept(alice):
    named, _ = tokens.create(alice, "by hand")
    made = [tokens.create_by_password(alice)[0].digest for _ in range(22)]

    kept = set(ApiToken.objects.values_list("digest", flat=True))
    assert kept == {*made[2:], named.digest}


@pytest.mark.parametrize("token", ["", "pxy_" + "0" * 64, "a b", "\u00e9", "x" * 5000])
def test_nonsense_is_401_in_the_envelope(db, token):
    response = APIClient().get(
        "/api/v1/me", headers={"Authorization": f"Bearer {token}".encode().decode("latin-1")}
    )

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "not_authenticated"


@pytest.mark.parametrize("method", ["get", "delete"])
@pytest.mark.parametrize("odd", ["%00", "a%00b", "x" * 500, "%C3%A9"])
def test_what_can_be_no_id_asks_the_database_nothing(alice_api, django_assert_num_queries, method, odd):
    with django_assert_num_queries(0):
        response = getattr(alice_api, method)(f"/api/v1/tokens/{odd}")

    assert response.status_code == (404 if method == "delete" else 405)


def test_no_token_is_401(charlie_api):
    assert charlie_api.get("/api/v1/me").status_code == 401
    assert charlie_api.get("/api/v1/tokens").status_code == 401
    assert charlie_api.delete("/api/v1/tokens/x").status_code == 401


def test_expired_token_opens_nothing(alice):
    _, token = tokens.create(alice, "old", days=1)
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))

    response = _bearer(token).get("/api/v1/me")

    assert response.status_code == 401
    assert "expired" in response.json()["error"]["message"]


def test_list_shows_no_secret_and_counts(alice):
    tokens.create(alice, "first")
    _, token = tokens.create(alice, "second", days=30)

    body = _bearer(token).get("/api/v1/tokens").json()

    assert (body["count"], body["next"]) == (2, None)
    assert [(item["name"], item["current"]) for item in body["items"]] == [("second", True), ("first", False)]
    assert body["items"][0]["hint"] == token[:8] + "…"
    assert body["items"][0]["last_used"] is not None
    assert body["items"][1]["expires"] is None
    assert token not in str(body)


def test_list_takes_the_same_queries_for_many(alice, alice_api, django_assert_num_queries):
    for number in range(20):
        tokens.create(alice, f"token {number}")

    with django_assert_num_queries(1):
        alice_api.get("/api/v1/tokens")


def test_authentication_takes_two_queries_once_its_use_is_noted(alice, django_assert_num_queries):
    _, token = tokens.create(alice, "busy")
    client = _bearer(token)
    client.get("/api/v1/tokens")

    with django_assert_num_queries(3):  # the token; its user; the list
        client.get("/api/v1/tokens")


def test_revoked_token_opens_nothing(alice):
    row, token = tokens.create(alice, "leaked")
    other, _ = tokens.create(alice, "other")
    client = _bearer(token)

    response = client.delete(f"/api/v1/tokens/{row.public_id}")

    assert response.status_code == 204
    assert client.get("/api/v1/me").status_code == 401
    assert list(ApiToken.objects.all()) == [other]


def test_token_of_another_is_404_and_stays(alice, bob_api):
    row, _ = tokens.create(alice, "mine")

    assert bob_api.delete(f"/api/v1/tokens/{row.public_id}").status_code == 404
    assert bob_api.get("/api/v1/tokens").json()["items"] == []
    assert ApiToken.objects.filter(pk=row.pk).exists()
