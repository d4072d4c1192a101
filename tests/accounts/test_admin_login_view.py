"""The administration has no log-in of its own: it would not count wrong passwords."""

from __future__ import annotations

import pytest

from tests.conftest import PASSWORD


@pytest.mark.parametrize("method", ["get", "post"])
def test_log_in_of_the_administration_is_everyones(staff, charlie_web, method):
    form = {"username": "staff@example.org", "password": PASSWORD}

    response = getattr(charlie_web, method)("/admin/login/", form)

    assert response.status_code == 302
    assert response["Location"].startswith("/account/login/?next=")
    assert "_auth_user_id" not in charlie_web.session


def test_wrong_passwords_for_the_administration_meet_the_limit(staff, charlie_web):
    for number in range(30):
        asked = charlie_web.post("/admin/login/?next=/admin/")
        charlie_web.post(asked["Location"], {"login": f"{number}@example.org", "password": "wrong"})

    response = charlie_web.post(asked["Location"], {"login": "staff@example.org", "password": PASSWORD})

    assert response.status_code == 429
    assert "_auth_user_id" not in charlie_web.session


def test_staff_come_back_to_the_administration(staff, charlie_web):
    asked = charlie_web.get("/admin/login/?next=/admin/")

    response = charlie_web.post(asked["Location"], {"login": "staff@example.org", "password": PASSWORD})

    assert response["Location"] == "/admin/"
    assert charlie_web.get("/admin/").status_code == 200


def test_others_are_not_asked_again(alice_web):
    assert alice_web.get("/admin/login/?next=/admin/").status_code == 403
