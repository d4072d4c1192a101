"""REST: tokens, and who one is."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts import access, queries
from apps.accounts.serializers import (
    LoginSerializer,
    MeSerializer,
    NewTokenSerializer,
    TokenSerializer,
)
from apps.accounts.services import logins, tokens
from marketplace.api_docs import errors, listing
from marketplace.parsers import JSONParser


class TokenView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (JSONParser,)

    @extend_schema(
        operation_id="token_create",
        tags=["account"],
        request=LoginSerializer,
        responses={201: NewTokenSerializer, **errors(415, 422, 429)},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """A token for an e-mail address and a password. After five wrong passwords for an address, or thirty
        tries a minute from one machine, 429."""
        body = LoginSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        user = logins.check(request._request, **body.validated_data)
        _, token = tokens.create_by_password(user)
        return Response({"token": token}, status=status.HTTP_201_CREATED)


class TokensView(APIView):
    @extend_schema(
        operation_id="tokens_list",
        tags=["account"],
        responses={200: listing("TokenList", TokenSerializer(many=True)), **errors()},
    )
    def get(self, request: Request) -> Response:
        """Your tokens, newest first. The tokens themselves are not kept and can't be shown."""
        found = queries.tokens_of(request.user)
        items = TokenSerializer(found, many=True, context={"request": request}).data
        return Response({"items": items, "next": None, "count": len(items)})


class TokenDetailView(APIView):
    @extend_schema(operation_id="tokens_revoke", tags=["account"], responses={204: None, **errors(403, 404)})
    def delete(self, request: Request, token_id: str) -> Response:
        """Revoke a token: from now on it opens nothing."""
        tokens.revoke(access.token_for(request.user, token_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(APIView):
    @extend_schema(operation_id="me", tags=["account"], responses={200: MeSerializer, **errors()})
    def get(self, request: Request) -> Response:
        """Who you are, and how much of your storage is used."""
        return Response(MeSerializer(request.user).data)
