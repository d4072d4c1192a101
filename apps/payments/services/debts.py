"""What a person owes: money that a card's bank took back after its credits were spent.

A debt takes the wallet first, so whoever has one has an empty wallet. It is repaid out of whatever comes into
the wallet next, and until then blocks spending and payouts.
"""

from __future__ import annotations

from apps.accounts.models import User
from apps.payments import ledger
from apps.payments.models import Account, Transaction
from marketplace.api import ApiError
from marketplace.ids import new_id


def of(user: User) -> int:
    """Credits owed, zero or above."""
    return -ledger.balance(Account.Kind.DEBT, user)


def refuse_if_any(user: User) -> None:
    """409 `in_debt`."""
    owed = of(user)
    if owed:
        text = (
            f"{owed:,} credits are owed because a payment was taken back. A top-up repays them; "
            "until then nothing can be bought, run or paid out. Nothing was charged."
        )
        raise ApiError(409, "in_debt", text, fields={"debt": [str(owed)]})


def account(user: User) -> Account:
    ledger.wallet(user)  # made first: its lock comes first
    return ledger.account(Account.Kind.DEBT, user)


def locked_wallet(user: User) -> Account:
    """The wallet with its balance as it is until this transaction ends."""
    return Account.objects.select_for_update(no_key=True).get(pk=ledger.wallet(user).pk)


def repay(user: User) -> None:
    """Move what the wallet has to the debt. Call it after credits came in, in the same transaction."""
    owed = of(user)
    if not owed:
        return
    wallet = locked_wallet(user)
    amount = min(wallet.balance, owed)
    if amount:
        ledger.post(
            Transaction.Kind.REPAY,
            f"repay:{new_id()}",
            {wallet: -amount, account(user): amount},
            reference=f"user:{user.pk}",
            user=user,
        )
