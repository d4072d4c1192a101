"""What the API says of accounts and tokens, and what it takes."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.accounts.models import ApiToken, User
from apps.drive.services import quota


class LoginSerializer(serializers.Serializer[None]):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class NewTokenSerializer(serializers.Serializer[None]):
    token = serializers.CharField(help_text="Send it as `Authorization: Bearer TOKEN`. Shown once.")


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    id = serializers.CharField(source="public_id", read_only=True)
    hint = serializers.CharField(read_only=True, help_text="The token's first characters")
    expires = serializers.DateTimeField(source="expiry", read_only=True, allow_null=True)
    current = serializers.SerializerMethodField(help_text="Whether this request was made with it")

    class Meta:
        model = ApiToken
        fields = ["id", "name", "hint", "created", "expires", "last_used", "current"]
        read_only_fields = fields

    def get_current(self, token: ApiToken) -> bool:
        used = self.context["request"].auth
        return isinstance(used, ApiToken) and used.digest == token.digest


class StorageSerializer(serializers.Serializer[quota.Usage]):
    used = serializers.IntegerField(help_text="bytes")
    quota = serializers.IntegerField(source="limit", help_text="bytes")


class MeSerializer(serializers.ModelSerializer[User]):
    storage = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "email", "name", "is_staff", "storage"]
        read_only_fields = fields

    @extend_schema_field(StorageSerializer)
    def get_storage(self, user: User) -> dict[str, int]:
        return dict(StorageSerializer(quota.usage(user)).data)
