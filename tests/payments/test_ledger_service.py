"""The ledger: entries that sum to zero, balances that follow, and nothing that can be changed afterwards."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from apps.payments import audit, ledger
from apps.payments.models import Account, Entry, Hold, Transaction
from apps.payments.services import adjustments, closing
from marketplace.api import ApiError
from tests.payments.conftest import credit


def _move(user, amount, key="k"):
    moves = {ledger.account("grants"): -amount, ledger.wallet(user): amount}
    return ledger.post("grant", key, moves, reference="test")


def test_a_transaction_moves_balances_and_says_what_they_are(alice):
    _move(alice, 70, "a")
    _move(alice, -20, "b")

    rows = Entry.objects.filter(account=ledger.wallet(alice)).order_by("id")
    assert [(row.amount, row.balance_after) for row in rows] == [(70, 70), (-20, 50)]
    assert ledger.balance("wallet", alice) == 50
    assert Account.objects.get(code="grants").balance == -50


def test_the_same_key_moves_credits_once(alice):
    first, again = _move(alice, 70), _move(alice, 70)

    assert (first.new, again.new) == (True, False)
    assert first.transaction.pk == again.transaction.pk
    assert ledger.balance("wallet", alice) == 70


def test_more_than_there_is_moves_nothing(alice):
    credit(alice, 30)

    with pytest.raises(ledger.InsufficientCredits) as refusal:
        _move(alice, -31)

    assert refusal.value.status_code == 409
    assert refusal.value.fields == {"price": ["31"], "balance": ["30"], "missing": ["1"]}
    assert ledger.balance("wallet", alice) == 30
    assert not Transaction.objects.filter(key="k").exists()


@pytest.mark.parametrize("amounts", [(1, 1), (0, 0), (5, -4)])
def test_entries_that_do_not_sum_to_zero_are_a_mistake(alice, bob, amounts):
    with pytest.raises(ValueError, match="sum to zero"):
        ledger.post(
            "grant", "k", {ledger.wallet(alice): amounts[0], ledger.wallet(bob): amounts[1]}, reference="x"
        )
    assert Transaction.objects.count() == 0


@pytest.mark.parametrize("model", [Entry, Transaction])
@pytest.mark.parametrize("verb", ["update", "delete"])
def test_the_database_refuses_to_change_what_happened(alice, model, verb):
    credit(alice, 10)
    rows = model.objects.all()

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        rows.update(created=timezone.now()) if verb == "update" else rows._raw_delete(rows.db)
    assert ledger.balance("wallet", alice) == 10


def test_the_database_refuses_a_wallet_below_zero(alice):
    credit(alice, 10)
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(code=f"wallet:{alice.pk}").update(balance=-1)


@pytest.mark.spoilt
def test_audit_says_which_balance_is_off(alice, capsys):
    credit(alice, 10)
    Account.objects.filter(code=f"wallet:{alice.pk}").update(balance=11)

    with pytest.raises(CommandError, match="1 things are off"):
        call_command("audit_ledger")
    assert capsys.readouterr().out == f"account wallet:{alice.pk}: balance 11, its entries sum to 10\n"


@pytest.mark.spoilt
def test_audit_finds_a_transaction_that_does_not_sum_to_zero(alice):
    credit(alice, 10)
    row = Transaction.objects.create(kind="grant", key="half", reference="x")
    Entry.objects.create(transaction=row, account=ledger.wallet(alice), amount=5, balance_after=15)

    lines = list(audit.findings())

    assert f"transaction {row.pk} (grant): 1 entries that sum to 5" in lines
    assert f"account wallet:{alice.pk}: balance 10, its entries sum to 15" in lines


@pytest.mark.spoilt
def test_audit_finds_a_wrong_running_balance_and_a_hold_without_credits(alice):
    row = Transaction.objects.create(kind="grant", key="k", reference="x")
    entry = Entry.objects.create(transaction=row, account=ledger.wallet(alice), amount=5, balance_after=6)
    Hold.objects.create(reference="job:x:1", user=alice, unit_price=2, fee_percent=0, units=3)

    lines = list(audit.findings())

    assert f"entry {entry.pk} of wallet:{alice.pk}: says 6, its sum is 5" in lines
    assert f"held:{alice.pk} holds 0, open holds say 6" in lines


@pytest.mark.spoilt
def test_audit_finds_a_missing_trigger(db):
    on = " ON payments_entry" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER payments_entry_no_update{on}")

    assert list(audit.findings()) == ["the database would not refuse to update rows of payments_entry"]


def test_audit_of_a_good_ledger_is_quiet(alice, capsys):
    credit(alice, 10)
    call_command("audit_ledger")
    assert "the ledger is right: 2 accounts, 1 transactions, 2 entries" in capsys.readouterr().out


def test_staff_adjust_by_new_entries_with_a_reason(alice, staff):
    first = adjustments.adjust(staff, user=alice, credits=25, reason="A mistake of ours", key="a")
    again = adjustments.adjust(staff, user=alice, credits=25, reason="A mistake of ours", key="a")
    adjustments.adjust(staff, user=alice, credits=-5, reason="Too much", key="b")

    assert first.pk == again.pk
    assert (first.reason, first.actor_id, first.user_id) == ("A mistake of ours", staff.pk, alice.pk)
    assert ledger.balance("wallet", alice) == 20


@pytest.mark.parametrize(
    ("credits", "reason", "code"),
    [
        (0, "why", "invalid"),
        (5, " ", "invalid"),
        (10**7, "why", "invalid"),
        (-1, "why", "insufficient_credits"),
    ],
)
def test_an_adjustment_that_can_not_be_made_changes_nothing(alice, staff, credits, reason, code):
    with pytest.raises(ApiError) as refusal:
        adjustments.adjust(staff, user=alice, credits=credits, reason=reason, key="a")
    assert refusal.value.code == code
    assert Transaction.objects.count() == 0


def test_a_deleted_account_leaves_its_credits_to_the_platform_and_its_entries_as_they_are(alice):
    credit(alice, 40)
    gone = alice.pk

    closing.close(alice)
    alice.delete()

    assert Account.objects.get(code=f"wallet:{gone}").balance == 0
    assert Account.objects.get(code=f"wallet:{gone}").owner is None
    assert Account.objects.get(code="fees").balance == 40
    assert Transaction.objects.filter(user_id=gone).count() == 2
