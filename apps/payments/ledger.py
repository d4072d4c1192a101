"""The only way to move credits.

`post` writes one transaction with its entries and moves the balances, all in one database transaction. A
balance is changed by a conditional UPDATE, never read first and written later: of two that spend the same
credits, one finds too few. The row stays locked until the end, so `balance_after` is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction as database
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import User
from apps.payments import locks
from apps.payments.models import Account, Entry, Transaction
from marketplace.api import ApiError

Kind = Account.Kind
_NOT_BELOW_ZERO = frozenset({Kind.WALLET, Kind.HELD, Kind.EARNINGS, Kind.TRANSIT})


class InsufficientCredits(ApiError):
    """409, with what it costs, what there is and what is missing."""

    def __init__(self, price: int, balance: int) -> None:
        self.price, self.balance, self.missing = price, balance, price - balance
        fields = {"price": price, "balance": balance, "missing": self.missing}
        super().__init__(
            409,
            "insufficient_credits",
            f"This costs {price:,} credits and the wallet holds {balance:,}: {self.missing:,} are missing. "
            "Nothing was charged.",
            fields={name: [str(value)] for name, value in fields.items()},
        )


@dataclass(frozen=True)
class Posted:
    """`new` is false when the key had been used: nothing was done this time."""

    transaction: Transaction
    new: bool


def account(kind: str, owner: User | None = None, name: str = "") -> Account:
    """The account, made at its first use. Platform accounts have no owner; `name` tells external ones."""
    code = _code(kind, owner, name)
    found = Account.objects.filter(code=code).first()
    if found is None:
        Account.objects.bulk_create([Account(code=code, kind=kind, owner=owner)], ignore_conflicts=True)
        found = Account.objects.get(code=code)
    return found


def sale(buyer: User, seller: User) -> tuple[Account, Account, Account]:
    """The buyer's wallet, the seller's earnings and the platform's fees, in one query."""
    wanted: list[tuple[str, User | None]] = [(Kind.WALLET, buyer), (Kind.EARNINGS, seller), (Kind.FEES, None)]
    codes = [_code(kind, owner) for kind, owner in wanted]
    found = {one.code: one for one in Account.objects.filter(code__in=codes)}
    first, second, third = (
        found.get(code) or account(kind, owner) for code, (kind, owner) in zip(codes, wanted, strict=True)
    )
    return first, second, third


def _code(kind: str, owner: User | None = None, name: str = "") -> str:
    return f"{kind}:{owner.pk if owner else name}".rstrip(":")


def wallet(owner: User) -> Account:
    return account(Kind.WALLET, owner)


def held(owner: User) -> Account:
    return account(Kind.HELD, owner)


def earnings(owner: User) -> Account:
    return account(Kind.EARNINGS, owner)


def fees() -> Account:
    return account(Kind.FEES)


def external(provider: str, mode: str) -> Account:
    """Money outside. Test money and real money are never the same account."""
    return account(Kind.EXTERNAL, name=provider if provider == mode else f"{provider}-{mode}")


def balance(kind: str, owner: User) -> int:
    found = Account.objects.filter(code=f"{kind}:{owner.pk}").values_list("balance", flat=True).first()
    return found or 0


def post(
    kind: str,
    key: str,
    moves: Mapping[Account, int],
    *,
    reference: str,
    user: User | None = None,
    actor: User | None = None,
    reason: str = "",
    external_id: str = "",
) -> Posted:
    """Move credits: {account: so many in (+) or out (−)}, summing to zero. The same `key` again does nothing.

    InsufficientCredits when an account of a person would go below zero; ValueError for moves that can't be.
    """
    moves = {one: amount for one, amount in moves.items() if amount}
    if not moves or sum(moves.values()):
        raise ValueError(f"{key}: entries must sum to zero and move something: {moves}")
    row = Transaction(
        kind=kind,
        key=key,
        reference=reference,
        reason=reason[:300],
        user_id=user.pk if user else "",
        actor_id=actor.pk if actor else "",
        external_id=external_id,
    )
    with database.atomic():
        # Of two with one key, the second waits here for the first to commit, and then inserts nothing.
        Transaction.objects.bulk_create([row], ignore_conflicts=True)
        stored = Transaction.objects.get(key=key)
        if stored.pk != row.pk:
            return Posted(stored, new=False)
        for one in sorted(moves, key=locks.account_order):
            _move(one, moves[one])
        _write(stored, moves)
    return Posted(stored, new=True)


def _move(one: Account, amount: int) -> None:
    rows = Account.objects.filter(pk=one.pk)
    if amount < 0 and one.kind in _NOT_BELOW_ZERO:
        rows = rows.filter(balance__gte=-amount)
    if not rows.update(balance=F("balance") + amount):
        there = Account.objects.values_list("balance", flat=True).get(pk=one.pk)
        raise InsufficientCredits(-amount, there)


def _write(stored: Transaction, moves: Mapping[Account, int]) -> None:
    ids = [one.pk for one in moves]
    balances = dict(Account.objects.filter(pk__in=ids).values_list("pk", "balance"))
    now = timezone.now()
    Entry.objects.bulk_create(
        [
            Entry(
                transaction=stored,
                account=one,
                amount=amount,
                balance_after=balances[one.pk],
                created=now,
            )
            for one, amount in moves.items()
        ]
    )
