"""Who uses the product. A person is known by e-mail; there are no user names.

API token    a long random text that stands for its user; only its hash is kept
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from knox.models import AbstractAuthToken

from marketplace.ids import new_id


class UserManager(BaseUserManager["User"]):
    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        if not email:
            raise ValueError("a user needs an e-mail address")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=80, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=timezone.now)
    quota_bytes = models.BigIntegerField(null=True, blank=True, help_text="empty: QUOTA_BYTES")

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: list[str] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.email

    @property
    def display_name(self) -> str:
        return self.name or self.email.partition("@")[0]

    @property
    def public_name(self) -> str:
        """What strangers see: nothing of the e-mail address."""
        return self.name or f"Member {self.pk[:6]}"


class ApiToken(AbstractAuthToken):
    """`digest` is the key, of no use to who reads it; `token_key` the token's first characters."""

    public_id = models.CharField(max_length=22, unique=True, default=new_id, editable=False)
    name = models.CharField(max_length=80)
    by_password = models.BooleanField(default=False, help_text="made by POST /api/v1/token")
    last_used = models.DateTimeField(null=True, blank=True, help_text="to within some minutes")

    class Meta:
        indexes = [models.Index(fields=["user", "-created"])]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"

    @property
    def hint(self) -> str:
        """Enough to tell it from the user's other tokens."""
        return f"{self.token_key[:8]}…"

    @property
    def expired(self) -> bool:
        return self.expiry is not None and self.expiry <= timezone.now()
