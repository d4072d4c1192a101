"""Money as the API shows it: whole credits."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.payments.models import Payout, Purchase, TopUp, Transaction


class WalletSerializer(serializers.Serializer[Any]):
    balance = serializers.IntegerField(help_text="Credits that can be spent.")
    held = serializers.IntegerField(help_text="Set aside for jobs and previews that are not finished.")
    debt = serializers.IntegerField(
        help_text="Owed after a payment was taken back; blocks spending until it is 0."
    )


class EntrySerializer(serializers.Serializer[Any]):
    id = serializers.CharField(source="transaction.id")
    kind = serializers.ChoiceField(Transaction.Kind.choices, source="transaction.kind")
    amount = serializers.IntegerField(help_text="Credits: in above zero, out below.")
    balance = serializers.IntegerField(source="balance_after", help_text="Of the account, after this.")
    reference = serializers.CharField(source="transaction.reference", help_text="Such as job:ID, topup:ID.")
    reason = serializers.CharField(source="transaction.reason", allow_blank=True)
    created = serializers.DateTimeField()


class TopUpRequestSerializer(serializers.Serializer[Any]):
    credits = serializers.IntegerField(min_value=1, max_value=1_000_000_000)
    next = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=500,
        default="",
        help_text="A path of this site to go on to afterwards.",
    )


class TopUpSerializer(serializers.Serializer[TopUp]):
    id = serializers.CharField()
    credits = serializers.IntegerField()
    amount = serializers.IntegerField(help_text="In the currency's smallest unit.")
    currency = serializers.CharField()
    status = serializers.ChoiceField(TopUp.Status.choices)
    checkout_url = serializers.CharField(help_text="Where to pay.")
    receipt_url = serializers.CharField(allow_blank=True, help_text="The provider's, once there is one.")
    taken_back = serializers.IntegerField(help_text="Credits taken back by refunds and disputes.")
    created = serializers.DateTimeField()
    paid = serializers.DateTimeField(source="paid_at", allow_null=True)


class PurchaseRequestSerializer(serializers.Serializer[Any]):
    price = serializers.IntegerField(
        min_value=0,
        max_value=1_000_000_000,
        help_text="What the buyer was shown; another price by now is 409 price_changed.",
    )


class PurchaseSerializer(serializers.Serializer[Purchase]):
    id = serializers.CharField()
    listing = serializers.CharField(source="listing_id")
    title = serializers.CharField()
    price = serializers.IntegerField()
    licence = serializers.ChoiceField(["run", "download"], help_text="As it was on that day.")
    commercial_use = serializers.BooleanField()
    created = serializers.DateTimeField()


class DaySerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    credits = serializers.IntegerField(help_text="After the platform's fee.")
    sales = serializers.IntegerField(help_text="Listings sold.")


class EarningsSerializer(serializers.Serializer[Any]):
    balance = serializers.IntegerField(help_text="Credits that can be paid out.")
    in_transit = serializers.IntegerField(help_text="Payouts on their way.")
    days = DaySerializer(many=True)


class PayoutRequestSerializer(serializers.Serializer[Any]):
    credits = serializers.IntegerField(min_value=1, max_value=1_000_000_000_000)


class StepSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(Payout.Status.choices)
    reason = serializers.CharField(allow_blank=True)
    created = serializers.DateTimeField()


class PayoutSerializer(serializers.Serializer[Payout]):
    id = serializers.CharField()
    credits = serializers.IntegerField()
    amount = serializers.IntegerField(help_text="In the currency's smallest unit.")
    currency = serializers.CharField()
    status = serializers.ChoiceField(Payout.Status.choices)
    steps = StepSerializer(many=True)
    created = serializers.DateTimeField()


class ReceivedSerializer(serializers.Serializer[Any]):
    received = serializers.BooleanField()
