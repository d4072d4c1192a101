"""`Authorization: Bearer TOKEN`: one look-up by the token's hash."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from knox.auth import TokenAuthentication as KnoxTokenAuthentication
from knox.crypto import hash_token
from rest_framework.exceptions import AuthenticationFailed

from apps.accounts.models import ApiToken, User
from marketplace.prepared import Prepared

USED_WITHIN = timedelta(minutes=5)  # how exact "last used" is: a write for each request would cost too much
# Asked by every request with a token: two written queries cost less than half of one that joins.
_TOKEN = Prepared(lambda digest: ApiToken.objects.filter(digest=digest))
_OWNER = Prepared(lambda user_id: User.objects.filter(pk=user_id))


class TokenAuthentication(KnoxTokenAuthentication):
    """A token is 64 random hex digits, so its plain hash can be the key: nothing can be guessed from how
    long the look-up takes."""

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        try:
            digest = hash_token(token.decode("ascii"))
        except UnicodeDecodeError:
            raise AuthenticationFailed("This token is not valid.") from None
        tokens = _TOKEN.models(digest)
        owners = _OWNER.models(tokens[0].user_id) if tokens else []
        if not owners:
            raise AuthenticationFailed("This token is not valid, or was revoked.")
        found, found.user = tokens[0], owners[0]
        if found.expired:
            raise AuthenticationFailed("This token has expired. Make a new one.")
        if not found.user.is_active:
            raise AuthenticationFailed("This account is not active.")
        _note_use(found)
        return found.user, found


def _note_use(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used is None or now - token.last_used > USED_WITHIN:
        ApiToken.objects.filter(digest=token.digest).update(last_used=now)
