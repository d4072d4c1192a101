"""The one order in which rows of money are locked. Whoever locks two of them keeps to it, or deadlocks.

    1  the owner's lock (apps.drive.locks), where the verb needs it
    2  a ProviderEvent, then one business row: TopUp, Hold, Purchase or Payout
    3  accounts, by `account_order`: people's before the platform's, each by id
    4  Listing.sales_count

People's accounts come first because they are many and rarely wanted by two at once. The platform's fees are
wanted by every sale: their lock is taken last and held for the shortest time.
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model

from apps.payments.models import Account

_SHARED = frozenset({Account.Kind.FEES, Account.Kind.ADJUSTMENTS, Account.Kind.GRANTS, Account.Kind.EXTERNAL})
Row = TypeVar("Row", bound=Model)


def account_order(account: Account) -> tuple[bool, int]:
    return (account.kind in _SHARED, account.pk)


def row(model: type[Row], **lookup: object) -> Row | None:
    """A business row, locked until the transaction ends; None if there is none. SQLite has one writer
    anyway."""
    return model._default_manager.select_for_update(no_key=True).filter(**lookup).first()
