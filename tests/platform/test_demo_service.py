"""Demo people and photos: made once, kept, and with secrets of their own."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from apps.accounts.models import ApiToken, User
from apps.drive.models import Folder, Image
from marketplace import demo


@pytest.fixture
def kept(db) -> Path:
    call_command("seed", verbosity=0)
    return demo.kept_logins()


def test_people_have_their_roles_and_log_in(kept, client):
    logins = {login.role: login for login in demo.seed(kept)}

    assert list(logins) == ["buyer", "seller", "admin"]
    assert dict(User.objects.values_list("email", "is_staff")) == {
        "buyer@example.org": False,
        "seller@example.org": False,
        "studio@example.org": False,  # sells, and nobody has their password
        "admin@example.org": True,
    }
    for login in logins.values():
        response = client.post("/account/login/", {"login": login.email, "password": login.password})
        assert response["Location"] == "/drive/"
        client.post("/account/logout/")
        me = client.get("/api/v1/me", headers={"Authorization": f"Bearer {login.token}"})
        assert me.json()["email"] == login.email


def test_passwords_are_random_and_kept_for_the_owner_alone(kept, tmp_path):
    logins = demo.seed(kept)

    assert len({login.password for login in logins}) == 3
    assert all(len(login.password) == 12 for login in logins)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_buyer_has_ten_photos_in_two_folders(kept):
    assert dict(Folder.objects.values_list("name", "owner__email")) == {
        "Demo photos": "buyer@example.org",
        "Textures": "buyer@example.org",
    }
    assert Image.objects.filter(folder__name="Demo photos").count() == 7
    assert Image.objects.filter(folder__name="Textures").count() == 3


def test_again_changes_nothing(kept):
    before = (kept.read_bytes(), list(User.objects.values_list("pk", "password")), Image.objects.count())

    call_command("seed", verbosity=0)

    after = (kept.read_bytes(), list(User.objects.values_list("pk", "password")), Image.objects.count())
    assert after == before


def test_what_people_deleted_stays_deleted(kept):
    Folder.objects.filter(name="Textures").delete()

    demo.seed(kept)

    assert not Folder.objects.filter(name="Textures").exists()


def test_lost_logins_are_made_anew_without_doubling_photos(kept):
    kept.unlink()

    logins = demo.seed(kept)

    assert User.objects.count() == 4
    assert Image.objects.count() == 10
    assert User.objects.get(email="buyer@example.org").check_password(logins[0].password)


def test_revoked_token_is_made_anew_and_the_password_stays(kept):
    before = demo.seed(kept)
    ApiToken.objects.filter(user__email="buyer@example.org").delete()

    after = demo.seed(kept)

    assert after[0].token != before[0].token
    assert after[0].password == before[0].password
    assert after[1:] == before[1:]


def test_photos_are_small_and_each_has_its_credit():
    photos = sorted(demo.PHOTOS.glob("*.jpg"))
    credits_ = (demo.PHOTOS.parent / "CREDITS.md").read_text()

    assert len(photos) == 10
    assert all(photo.stat().st_size <= 250_000 for photo in photos)
    assert sorted(re.findall(r"^\| (\S+\.jpg) \|", credits_, re.MULTILINE)) == [path.name for path in photos]
    assert settings.DATA_DIR not in demo.PHOTOS.parents
