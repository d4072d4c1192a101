"""REST of money: wallet, top-ups, purchases, earnings, payouts, and the provider's webhook."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from apps.payments import access, queries
from apps.payments.models import Account, Transaction
from apps.payments.serializers import (
    EarningsSerializer,
    EntrySerializer,
    PayoutRequestSerializer,
    PayoutSerializer,
    PurchaseRequestSerializer,
    PurchaseSerializer,
    ReceivedSerializer,
    TopUpRequestSerializer,
    TopUpSerializer,
    WalletSerializer,
)
from apps.payments.services import payouts, purchases, topups, webhooks
from marketplace.api import Pagination, invalid
from marketplace.api_docs import ErrorSerializer, errors, listing

KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="1 to 80 printable characters. The same key for the same thing does it once.",
)
PAGES = [OpenApiParameter("page", int), OpenApiParameter("page_size", int)]
ACCOUNTS = [Account.Kind.WALLET, Account.Kind.HELD, Account.Kind.EARNINGS]
_PROVIDER = {502: OpenApiResponse(ErrorSerializer, "The payment provider does not answer.")}


class WalletView(APIView):
    @extend_schema(
        operation_id="wallet_get", tags=["money"], responses={200: WalletSerializer, **errors(406)}
    )
    def get(self, request: Request) -> Response:
        """What you can spend, and what is set aside."""
        return Response(WalletSerializer(queries.balances(request.user)).data)


class EntriesView(APIView):
    @extend_schema(
        operation_id="wallet_entries",
        tags=["money"],
        parameters=[
            OpenApiParameter("account", str, enum=[str(one) for one in ACCOUNTS], description="wallet"),
            OpenApiParameter("kind", str, enum=[str(one) for one in Transaction.Kind.values]),
            OpenApiParameter("from", OpenApiTypes.DATE, description="First day, UTC."),
            OpenApiParameter("to", OpenApiTypes.DATE, description="Last day, UTC."),
            *PAGES,
        ],
        responses={200: listing("EntryList", EntrySerializer(many=True)), **errors(404, 406, 422)},
    )
    def get(self, request: Request) -> Response:
        """Every movement, the newest first, with the balance after it."""
        rows = queries.entries_of(request.user, **filters(request.query_params))
        return _paged(self, request, rows, EntrySerializer)


class TopUpsView(APIView):
    @extend_schema(
        operation_id="topups_list",
        tags=["money"],
        parameters=PAGES,
        responses={200: listing("TopUpList", TopUpSerializer(many=True)), **errors(404, 406)},
    )
    def get(self, request: Request) -> Response:
        """Your top-ups, the newest first."""
        return _paged(self, request, queries.topups_of(request.user), TopUpSerializer)

    @extend_schema(
        operation_id="topups_create",
        tags=["money"],
        request=TopUpRequestSerializer,
        parameters=[KEY],
        responses={201: TopUpSerializer, **errors(403, 406, 409, 415, 422), **_PROVIDER},
    )
    def post(self, request: Request) -> Response:
        """Open a page to pay on. Credits come when the provider says that it was paid."""
        body = TopUpRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        topup = topups.create(
            request.user,
            credits=body.validated_data["credits"],
            back=body.validated_data["next"],
            key=request.headers.get("Idempotency-Key"),
        )
        return Response(_topup(request, topup), status=201)


class TopUpView(APIView):
    @extend_schema(
        operation_id="topups_get", tags=["money"], responses={200: TopUpSerializer, **errors(404, 406)}
    )
    def get(self, request: Request, topup_id: str) -> Response:
        """One top-up, as it is now."""
        return Response(_topup(request, access.topup_for(request.user, topup_id)))


def _topup(request: Request, topup: Any) -> Any:
    data = dict(TopUpSerializer(topup).data)
    data["checkout_url"] = request.build_absolute_uri(topup.checkout_url)
    return data


class PurchaseView(APIView):
    @extend_schema(
        operation_id="listings_purchase",
        tags=["money"],
        request=PurchaseRequestSerializer,
        parameters=[KEY],
        responses={201: PurchaseSerializer, **errors(403, 404, 406, 409, 415, 422)},
    )
    def post(self, request: Request, listing_id: str) -> Response:
        """Buy a listing, with all its later versions. 409 insufficient_credits says what is missing."""
        body = PurchaseRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        bought = purchases.purchase(
            request.user,
            listing_id,
            expected_price=body.validated_data["price"],
            key=request.headers.get("Idempotency-Key"),
        )
        return Response(PurchaseSerializer(bought).data, status=201)


class PurchasesView(APIView):
    @extend_schema(
        operation_id="purchases_list",
        tags=["money"],
        parameters=PAGES,
        responses={200: listing("PurchaseList", PurchaseSerializer(many=True)), **errors(404, 406)},
    )
    def get(self, request: Request) -> Response:
        """What you have bought, the newest first, with the terms of that day."""
        return _paged(self, request, queries.purchases_of(request.user), PurchaseSerializer)


class EarningsView(APIView):
    @extend_schema(
        operation_id="earnings_get", tags=["money"], responses={200: EarningsSerializer, **errors(406)}
    )
    def get(self, request: Request) -> Response:
        """What you have earned: what can be paid out, and the last 30 days."""
        now = queries.balances(request.user)
        data = {
            "balance": now.earnings,
            "in_transit": now.transit,
            "days": queries.sales_by_day(request.user),
        }
        return Response(EarningsSerializer(data).data)


class PayoutsView(APIView):
    @extend_schema(
        operation_id="payouts_list",
        tags=["money"],
        parameters=PAGES,
        responses={200: listing("PayoutList", PayoutSerializer(many=True)), **errors(404, 406)},
    )
    def get(self, request: Request) -> Response:
        """Your payouts, the newest first, each with what became of it."""
        return _paged(self, request, queries.payouts_of(request.user), PayoutSerializer)

    @extend_schema(
        operation_id="payouts_create",
        tags=["money"],
        request=PayoutRequestSerializer,
        parameters=[KEY],
        responses={201: PayoutSerializer, **errors(403, 406, 409, 415, 422), **_PROVIDER},
    )
    def post(self, request: Request) -> Response:
        """Have earnings sent to your account at the payment provider."""
        body = PayoutRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        key = request.headers.get("Idempotency-Key")
        payout = payouts.request(request.user, credits=body.validated_data["credits"], key=key)
        return Response(PayoutSerializer(payout).data, status=201)


class WebhookView(APIView):
    """Anyone may call it; only a signed body does something."""

    authentication_classes = []
    permission_classes = []

    @extend_schema(
        operation_id="stripe_webhook",
        tags=["money"],
        auth=[],
        request={"application/json": OpenApiTypes.OBJECT},
        parameters=[OpenApiParameter("Stripe-Signature", str, OpenApiParameter.HEADER)],
        responses={
            200: ReceivedSerializer,
            **errors(400, 406, 409, 413),
            503: OpenApiResponse(ErrorSerializer, "The event is kept; deliver it again."),
        },
    )
    def post(self, request: Request) -> Response:
        """The payment provider says what happened. Signed with the webhook's secret over the raw body."""
        raw = request._request  # its body as it came: parsing would change it
        webhooks.receive(raw.body, raw.headers.get("Stripe-Signature", ""))
        return Response({"received": True})


def _paged(
    view: APIView, request: Request, rows: QuerySet[Any], serializer: type[Serializer[Any]]
) -> Response:
    pagination = Pagination()
    page = pagination.paginate_queryset(rows, request, view=view)
    return pagination.get_paginated_response(serializer(page, many=True).data)


def filters(query: Any) -> dict[str, Any]:
    """account, kind, from, to of a request as arguments of `queries.entries_of`. 422."""
    fields: dict[str, list[str]] = {}
    account = query.get("account") or Account.Kind.WALLET
    if account not in ACCOUNTS:
        fields["account"] = [f"must be one of {', '.join(ACCOUNTS)}"]
    kind = query.get("kind", "")
    if kind and kind not in Transaction.Kind.values:
        fields["kind"] = [f"must be one of {', '.join(Transaction.Kind.values)}"]
    days = {}
    for name in ("from", "to"):
        try:
            days[name] = date.fromisoformat(query[name]) if query.get(name) else None
        except ValueError:
            fields[name] = ["must be a day such as 2026-11-25"]
    if fields:
        raise invalid("invalid", "The entries can't be filtered like that.", fields)
    return {"account": account, "kind": kind, "start": days["from"], "end": days["to"]}
