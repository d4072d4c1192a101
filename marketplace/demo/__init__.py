"""People, photos and weights to try the platform with. Made by `make run` at its first start, and by nothing
else.

Passwords and tokens are random and kept in DATA_DIR/secrets/demo_users.json, readable by its owner alone: an
installation that is opened to others has no logins that everybody knows.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction
from knox.crypto import hash_token

from apps.accounts.models import ApiToken, User
from apps.accounts.services import tokens
from apps.drive.services import folders, images
from apps.payments.services import topups
from marketplace.demo import benchmark, weights
from marketplace.embedded.keep import write_private

PHOTOS = Path(__file__).with_name("photos")
TEXTURES = ("brick.jpg", "grass.jpg", "gravel.jpg")
PEOPLE = {"buyer": "Bea Buyer", "seller": "Sam Seller", "admin": "Ada Admin"}
MADE_FOR = "Demo"
CREDITS = 2_500


@dataclass(frozen=True)
class Login:
    role: str
    email: str
    password: str
    token: str


def seed(kept: Path) -> list[Login]:
    """Make what is missing, and write the logins to `kept`. Again changes nothing, except that a person or
    a token that was deleted is made anew."""
    before = {login.role: login for login in _read(kept)}
    logins = [_person(role, name, before.get(role)) for role, name in PEOPLE.items()]
    if logins[0].password != getattr(before.get("buyer"), "password", None):
        _photos(User.objects.get(email=logins[0].email))
        benchmark.seed(User.objects.get(email=logins[2].email))
    _credits(User.objects.get(email=logins[0].email))
    weights.seed(User.objects.get(email=next(one.email for one in logins if one.role == "seller")))
    if logins != list(before.values()):
        write_private(kept, json.dumps([asdict(login) for login in logins], indent=2) + "\n")
    return logins


def _read(kept: Path) -> list[Login]:
    try:
        return [Login(**entry) for entry in json.loads(kept.read_text())]
    except (FileNotFoundError, ValueError, TypeError):
        return []


@transaction.atomic
def _person(role: str, name: str, before: Login | None) -> Login:
    email = f"{role}@example.org"
    user = User.objects.filter(email=email).first()
    if before and user:
        return Login(role, email, before.password, _token(user, before.token))
    password = secrets.token_urlsafe(9)
    if user is None:
        user = User(email=email, name=name)
    user.is_staff = user.is_superuser = role == "admin"
    user.set_password(password)
    user.save()
    EmailAddress.objects.get_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
    return Login(role, email, password, _token(user, ""))


def _token(user: User, before: str) -> str:
    """The one from before if it still opens the door."""
    if before and ApiToken.objects.filter(digest=hash_token(before), user=user).exists():
        return before
    ApiToken.objects.filter(user=user, name=MADE_FOR).delete()
    return tokens.create(user, MADE_FOR)[1]


def _photos(owner: User) -> None:
    top = folders.create(owner, "Demo photos", origin=f"demo:{owner.pk}")
    textures = folders.ensure_path(owner, top, ["Textures"])
    for path in sorted(PHOTOS.glob("*.jpg")):
        with path.open("rb") as file:
            images.add(owner, textures if path.name in TEXTURES else top, path.name, file)


def _credits(buyer: User) -> None:
    """Something to spend, where credits are test money anyway. Once: what is spent stays spent."""
    if settings.PAYMENTS == "sandbox":
        topups.grant(buyer, credits=CREDITS, key=f"demo:{buyer.pk}", reason="Test credits of the demo.")


def kept_logins() -> Path:
    return settings.DATA_DIR / "secrets" / "demo_users.json"
