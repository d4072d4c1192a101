"""A person's account ends. Their ledger stays; what they had goes to the platform, said so in an entry."""

from __future__ import annotations

from django.db import transaction

from apps.accounts.models import User
from apps.payments import ledger
from apps.payments.models import Account, Hold, Transaction
from apps.payments.services import holds

_FORFEITED = (Account.Kind.WALLET, Account.Kind.EARNINGS)


def forfeited(user: User) -> int:
    """Credits that would be lost with the account."""
    return sum(ledger.balance(kind, user) for kind in (*_FORFEITED, Account.Kind.HELD))


@transaction.atomic
def close(user: User) -> None:
    """Give back what is held for work that now ends, then take what is left. Payouts go on."""
    for reference in Hold.objects.filter(user=user, open=True).values_list("reference", flat=True):
        holds.close(reference)
    rows = Account.objects.select_for_update(no_key=True).filter(owner=user, kind__in=_FORFEITED)
    moves = {row: -row.balance for row in rows.order_by("pk") if row.balance}
    if moves:
        moves[ledger.fees()] = -sum(moves.values())
        ledger.post(
            Transaction.Kind.ADJUSTMENT,
            f"closed:{user.pk}",
            moves,
            reference=f"user:{user.pk}",
            user=user,
            reason="Left when the account was deleted.",
        )
