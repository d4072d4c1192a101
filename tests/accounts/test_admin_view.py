from __future__ import annotations

import pytest

from apps.accounts.models import User
from apps.accounts.services import tokens
from apps.drive.models import Folder
from apps.drive.services import folders


@pytest.fixture
def admin_web(staff, staff_web):
    staff.is_superuser = True
    staff.save()
    return staff_web


def test_staff_find_people_and_tokens(admin_web, alice):
    tokens.create(alice, "script")

    people = admin_web.get("/admin/accounts/user/?q=alice").content.decode()
    listed = admin_web.get("/admin/accounts/apitoken/").content.decode()

    assert "alice@example.org" in people
    assert "script" in listed


def test_deleting_a_person_takes_what_is_theirs(admin_web, alice, bob):
    folders.create(alice, "Photos")
    folders.create(bob, "Photos")

    admin_web.post(f"/admin/accounts/user/{alice.pk}/delete/", {"post": "yes"})

    assert not User.objects.filter(pk=alice.pk).exists()
    assert list(Folder.objects.values_list("owner", flat=True)) == [bob.pk]


def test_deleting_several_at_once_too(admin_web, alice, bob):
    folders.create(alice, "Photos")
    chosen = {"action": "delete_selected", "_selected_action": [alice.pk, bob.pk], "post": "yes"}

    admin_web.post("/admin/accounts/user/", chosen)

    assert list(User.objects.values_list("email", flat=True)) == ["staff@example.org"]
    assert not Folder.objects.exists()


@pytest.mark.parametrize("address", ["user/", "apitoken/", "user/add/"])
def test_others_do_not_get_in(alice_web, staff_web, address):
    assert alice_web.get(f"/admin/accounts/{address}").status_code == 302
    assert staff_web.get(f"/admin/accounts/{address}").status_code == 403
