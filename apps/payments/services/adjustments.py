"""What staff put right, as new entries with a reason: nothing in the ledger is ever changed."""

from __future__ import annotations

import logging

from django.db import transaction
from django.http import Http404

from apps.accounts.models import User
from apps.payments import ledger
from apps.payments.models import Account, Transaction
from apps.payments.services import debts, keys
from marketplace.api import invalid

audit = logging.getLogger("audit")
LIMIT = 1_000_000


@transaction.atomic
def adjust(staff: User, *, user: User, credits: int, reason: str, key: str) -> Transaction:
    """Give (+) or take (−) credits, once for a `key`. 404 unless staff; 409 `insufficient_credits`,
    `idempotency_key_reused`; 422."""
    if not staff.is_staff:
        raise Http404
    keys.check(key)
    fields = {}
    if not credits or abs(credits) > LIMIT:
        fields["credits"] = [f"must be between −{LIMIT:,} and {LIMIT:,}, and not 0"]
    if not reason.strip():
        fields["reason"] = ["must say why"]
    if fields:
        raise invalid("invalid", "The adjustment can't be made.", fields)
    wallet, why = ledger.wallet(user), reason.strip()[:300]
    posted = ledger.post(
        Transaction.Kind.ADJUSTMENT,
        f"adjustment:{staff.pk}:{key}",
        {ledger.account(Account.Kind.ADJUSTMENTS): -credits, wallet: credits},
        reference=f"user:{user.pk}",
        user=user,
        actor=staff,
        reason=why,
    )
    keys.same(posted, wallet, credits, reason=why)
    if posted.new:
        audit.info("%s adjusted the wallet of %s by %+d: %s", staff, user, credits, reason.strip())
        debts.repay(user)
    return posted.transaction
