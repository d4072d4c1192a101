"""Money, in whole credits.

account       where credits are. Its balance is a copy of the sum of its entries, kept in the same transaction
transaction   one thing that happened, once: its key is unique. Its entries sum to zero
entry         so many credits into (+) or out of (−) one account. Never changed, never deleted: the database
              refuses both (migration 0002)

    external ──top-up──► wallet ──hold──► held ──settle──► earnings ──payout──► transit ──► external
                           ▲                └──release──► wallet     └► fees

Credits are what the platform owes people, so accounts of people are never below zero. `external` accounts and
the platform's own are the other side and may be. `debt` is what a person owes after money was taken back that
was spent already: zero or below.

Rows here outlive the person they are about: a deleted account leaves them without an owner.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from marketplace.ids import new_id

User = settings.AUTH_USER_MODEL


class Account(models.Model):
    class Kind(models.TextChoices):
        WALLET = "wallet"  # what a person can spend
        HELD = "held"  # set aside for work that was ordered
        EARNINGS = "earnings"  # what a seller can have paid out
        TRANSIT = "transit"  # payouts on their way
        DEBT = "debt"  # what a person owes: zero or below
        FEES = "fees"  # the platform's share
        ADJUSTMENTS = "adjustments"  # the other side of what staff gave or took
        GRANTS = "grants"  # the other side of credits that nobody paid for
        EXTERNAL = "external"  # the world outside: money that came in is below zero here

    id = models.BigAutoField(primary_key=True)
    code = models.CharField(max_length=80, unique=True, help_text="kind, and whose: wallet:<user id>")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    owner = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="money_accounts")
    balance = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind__in=["wallet", "held", "earnings", "transit"]) | Q(balance__gte=0),
                name="account_of_a_person_not_below_zero",
            ),
            models.CheckConstraint(condition=~Q(kind="debt") | Q(balance__lte=0), name="debt_not_above_zero"),
        ]
        indexes = [models.Index(fields=["owner", "kind"])]

    def __str__(self) -> str:
        return self.code


class Transaction(models.Model):
    class Kind(models.TextChoices):
        TOPUP = "topup", "Top-up"
        GRANT = "grant", "Grant"
        PURCHASE = "purchase", "Purchase"
        HOLD = "hold", "Held for work"
        SETTLE = "settle", "Charged for results"
        RELEASE = "release", "Given back"
        CLAWBACK = "clawback", "Taken back by the card's bank"
        RESTORE = "restore", "Dispute won"
        REPAY = "repay", "Debt repaid"
        PAYOUT = "payout", "Payout"
        PAYOUT_PAID = "payout_paid", "Payout sent"
        PAYOUT_FAILED = "payout_failed", "Payout failed"
        TRANSFER = "transfer", "Earnings to wallet"
        ADJUSTMENT = "adjustment", "Adjustment by staff"

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    key = models.CharField(max_length=160, unique=True, help_text="the same thing twice is one transaction")
    reference = models.CharField(max_length=120, db_index=True, help_text="what it is about: job:<id>")
    reason = models.CharField(max_length=300, blank=True)
    # Plain ids, not relations: a transaction can't be changed, not even to forget a deleted person.
    user_id = models.CharField(max_length=22, blank=True, db_index=True, help_text="whose money it is")
    actor_id = models.CharField(max_length=22, blank=True, help_text="who did it, where it was a person")
    external_id = models.CharField(max_length=120, blank=True, db_index=True, help_text="the provider's id")
    created = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"


class Entry(models.Model):
    id = models.BigAutoField(primary_key=True)
    transaction = models.ForeignKey(Transaction, models.PROTECT, related_name="entries")
    account = models.ForeignKey(Account, models.PROTECT, related_name="entries")
    amount = models.BigIntegerField()
    # Exact, because it is written while the account's row is locked.
    balance_after = models.BigIntegerField()
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="entry_moves_something"),
            models.UniqueConstraint(fields=["transaction", "account"], name="entry_once_an_account"),
        ]
        indexes = [models.Index(fields=["account", "id"]), models.Index(fields=["account", "created"])]

    def __str__(self) -> str:
        return f"{self.amount:+} {self.account_id}"


class TopUp(models.Model):
    """Credits that somebody means to buy. Only the provider's signed webhook makes them real.

        open ──► paid ──► (refunded and disputed amounts only grow here)
          └────► failed | expired

    `services.topups.reconcile` brings the ledger to what this row says, whatever order events came in.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        PAID = "paid"
        FAILED = "failed"
        EXPIRED = "expired"

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    user = models.ForeignKey(User, models.SET_NULL, null=True, related_name="topups")
    credits = models.PositiveBigIntegerField()
    amount = models.PositiveBigIntegerField(help_text="in the currency's smallest unit")
    currency = models.CharField(max_length=3)
    provider = models.CharField(max_length=20)
    mode = models.CharField(max_length=8, help_text="sandbox, test or live")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OPEN)
    session_id = models.CharField(max_length=120, null=True, blank=True, unique=True)
    checkout_url = models.TextField(blank=True)
    payment_id = models.CharField(max_length=120, blank=True, db_index=True, help_text="payment intent")
    receipt_url = models.TextField(blank=True)
    back = models.CharField(max_length=500, blank=True, help_text="path to go on to afterwards")
    # NULL without one: the unique constraint lets any number of those be.
    key = models.CharField(max_length=80, null=True, blank=True)  # noqa: DJ001
    refunded_amount = models.PositiveBigIntegerField(default=0)
    granted = models.BooleanField(default=False)
    taken_back = models.PositiveBigIntegerField(default=0, help_text="credits, of refunds and disputes")
    moves = models.PositiveIntegerField(default=0, help_text="how often credits were taken or restored")
    created = models.DateTimeField(default=timezone.now)
    paid_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="topup_key_once"),
            models.CheckConstraint(condition=Q(taken_back__lte=F("credits")), name="topup_taken_at_most_all"),
        ]
        indexes = [models.Index(fields=["user", "-created"])]

    def __str__(self) -> str:
        return f"{self.credits} credits: {self.status}"


class Dispute(models.Model):
    """A card holder's bank takes a payment back. Final once it is won or lost."""

    class Status(models.TextChoices):
        OPEN = "open"
        WON = "won"
        LOST = "lost"

    topup = models.ForeignKey(TopUp, models.PROTECT, related_name="disputes")
    dispute_id = models.CharField(max_length=120, unique=True)
    amount = models.PositiveBigIntegerField(help_text="in the currency's smallest unit")
    status = models.CharField(max_length=4, choices=Status.choices, default=Status.OPEN)
    created = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.dispute_id}: {self.status}"


class ProviderEvent(models.Model):
    """A webhook's body as it came, stored before anything is done about it."""

    class Outcome(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        IGNORED = "ignored"  # nothing of ours
        REFUSED = "refused"  # ours, and it does not fit what we know: somebody must look
        FAILED = "failed"  # an error of ours; done when it is delivered again

    provider = models.CharField(max_length=20)
    event_id = models.CharField(max_length=120)
    kind = models.CharField(max_length=80)
    live = models.BooleanField(default=False)
    body = models.TextField()
    payment_id = models.CharField(max_length=120, blank=True, db_index=True)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.WAITING)
    note = models.CharField(max_length=300, blank=True)
    deliveries = models.PositiveIntegerField(default=0)
    received = models.DateTimeField(default=timezone.now)
    processed = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "event_id"], name="provider_event_once")]
        indexes = [models.Index(fields=["outcome", "received"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"


class Hold(models.Model):
    """Credits set aside for work that is priced per result. A row for each attempt of a job, or a preview.

    `charged` results were paid for; `open` until the rest was given back.
    """

    reference = models.CharField(max_length=120, unique=True, help_text="job:<id>:<attempt> or preview:<id>")
    user = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    seller = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    title = models.CharField(max_length=200, blank=True)
    unit_price = models.PositiveBigIntegerField(help_text="credits for one result, as it was at submit")
    fee_percent = models.PositiveSmallIntegerField()
    units = models.PositiveIntegerField(help_text="results at most")
    charged = models.PositiveIntegerField(default=0, help_text="results paid for")
    open = models.BooleanField(default=True)
    digest = models.CharField(max_length=64, blank=True, help_text="sha256 of what a preview was asked for")
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(charged__lte=F("units")), name="hold_charged_at_most_held"),
        ]
        indexes = [models.Index(fields=["open", "created"])]

    def __str__(self) -> str:
        return f"{self.reference}: {self.charged} of {self.units}"

    @property
    def left(self) -> int:
        """Credits still set aside."""
        return (self.units - self.charged) * self.unit_price if self.open else 0


class Purchase(models.Model):
    """A listing was bought, under the terms of that day. New versions of the listing are included."""

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    buyer = models.ForeignKey(User, models.SET_NULL, null=True, related_name="purchases")
    seller = models.ForeignKey(User, models.SET_NULL, null=True, related_name="sales")
    listing = models.ForeignKey("catalog.Listing", models.PROTECT, related_name="purchases")
    title = models.CharField(max_length=80)
    price = models.PositiveBigIntegerField(help_text="credits")
    fee = models.PositiveBigIntegerField(help_text="the platform's part of it")
    licence = models.CharField(max_length=8)
    commercial_use = models.BooleanField()
    # NULL without one: the unique constraint lets any number of those be.
    key = models.CharField(max_length=80, null=True, blank=True)  # noqa: DJ001
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["buyer", "listing"], name="purchase_once"),
            models.UniqueConstraint(fields=["buyer", "key"], name="purchase_key_once"),
            models.CheckConstraint(condition=Q(fee__lte=F("price")), name="purchase_fee_at_most_price"),
        ]
        indexes = [models.Index(fields=["buyer", "-created"]), models.Index(fields=["seller", "-created"])]

    def __str__(self) -> str:
        return f"{self.title} for {self.price}"


class PayoutAccount(models.Model):
    """Where a seller's money goes: their account at the provider."""

    user = models.OneToOneField(User, models.CASCADE, related_name="payout_account")
    provider = models.CharField(max_length=20)
    account_id = models.CharField(max_length=120)
    ready = models.BooleanField(default=False, help_text="the provider would send money there")

    def __str__(self) -> str:
        return f"{self.provider} {self.account_id}"


class Payout(models.Model):
    """Earnings on their way to the seller: requested → paid | failed (which gives them back)."""

    class Status(models.TextChoices):
        REQUESTED = "requested"
        PAID = "paid"
        FAILED = "failed"

    id = models.CharField(primary_key=True, max_length=22, default=new_id, editable=False)
    seller = models.ForeignKey(User, models.SET_NULL, null=True, related_name="payouts")
    credits = models.PositiveBigIntegerField()
    amount = models.PositiveBigIntegerField(help_text="in the currency's smallest unit")
    currency = models.CharField(max_length=3)
    provider = models.CharField(max_length=20)
    mode = models.CharField(max_length=8)
    destination = models.CharField(max_length=120)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.REQUESTED)
    transfer_id = models.CharField(max_length=120, blank=True, db_index=True)
    # NULL without one: the unique constraint lets any number of those be.
    key = models.CharField(max_length=80, null=True, blank=True)  # noqa: DJ001
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["seller", "key"], name="payout_key_once")]
        indexes = [models.Index(fields=["seller", "-created"]), models.Index(fields=["status", "created"])]

    def __str__(self) -> str:
        return f"{self.credits} credits: {self.status}"


class PayoutStep(models.Model):
    """What became of a payout, and when. Rows are only added."""

    payout = models.ForeignKey(Payout, models.CASCADE, related_name="steps")
    status = models.CharField(max_length=9, choices=Payout.Status.choices)
    reason = models.CharField(max_length=300, blank=True)
    created = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.payout_id}: {self.status}"
