"""What is answered when something is wrong, and the headers that every answer has."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import path

from marketplace import site_errors, urls


def _broken(request):
    raise RuntimeError("a bug")


urlpatterns = [path("broken", _broken), path("api/v1/broken", _broken), *urls.urlpatterns]
handler400, handler403 = site_errors.bad_request, site_errors.forbidden
handler404, handler500 = site_errors.not_found, site_errors.server_error


@pytest.fixture
def people() -> Client:
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("address", ["/api/", "/api/v1/nothing", "/api/v1/jobs/x/nothing", "/api/v2/jobs"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_unknown_api_address_is_the_envelope(people, address, method):
    response = getattr(people, method)(address)

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
    assert address in response.json()["error"]["message"]


def test_unknown_page_is_told_in_plain_words(people, db):
    response = people.get("/nothing")

    assert response.status_code == 404
    assert "There is nothing at this address" in response.content.decode()


def test_bug_in_a_page_shows_no_detail(people, settings, db):
    settings.ROOT_URLCONF = __name__

    response = people.get("/broken")

    assert response.status_code == 500
    assert "a bug" not in response.content.decode()
    assert "Traceback" not in response.content.decode()


def test_bug_in_the_api_is_the_envelope(people, settings, db):
    settings.ROOT_URLCONF = __name__

    response = people.get("/api/v1/broken")

    assert response.status_code == 500
    assert response.json()["error"]["code"] == "server_error"
    assert "a bug" not in response.content.decode()


def test_form_without_its_token_says_what_to_do(alice, db):
    client = Client(enforce_csrf_checks=True)

    response = client.post("/account/login/", {"login": "alice@example.org", "password": "x"})

    assert response.status_code == 403
    assert "reload the page" in response.content.decode()


def test_session_without_the_token_is_refused_by_the_api(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)

    response = client.delete("/api/v1/tokens/x")

    assert response.status_code == 403
    assert "error" in response.json()


def test_foreign_host_name_is_refused(people, db, settings):
    response = people.get("/api/v1/me", headers={"Host": "evil.example.org"})

    assert response.status_code == 400


@pytest.mark.parametrize("address", ["/", "/account/login/", "/api/v1/nothing", "/healthz", "/api/docs"])
def test_every_answer_says_what_browsers_may_do_with_it(people, db, address):
    response = people.get(address)

    policy = dict(part.strip().split(" ", 1) for part in response["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == "'self'"
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Frame-Options"] == "DENY"


def test_api_docs_have_no_inline_script(people, db):
    page = people.get("/api/docs").content.decode()

    scripts = [part.partition(">") for part in page.split("<script")[1:]]
    assert scripts
    assert all("src=" in head and body.startswith("</script>") for head, _, body in scripts)


def test_every_page_of_the_site_has_no_inline_script(people, db, alice_web):
    pages = [people.get(address) for address in ("/", "/account/login/", "/account/signup/", "/nothing")]
    pages += [alice_web.get(address) for address in ("/account/", "/account/tokens/", "/account/delete/")]

    for page in pages:
        for part in page.content.decode().split("<script")[1:]:
            assert "src=" in part.partition(">")[0]
