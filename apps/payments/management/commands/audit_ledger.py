"""Recompute every balance. Exits with 1 if something is off."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.payments import audit
from apps.payments.models import Account, Entry, Transaction


class Command(BaseCommand):
    help = "Recompute every balance from the ledger's entries and say what is off. Changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = 0
        for line in audit.findings():
            wrong += 1
            self.stdout.write(self.style.ERROR(line))
        if wrong:
            raise CommandError(f"{wrong} things are off; nothing was changed")
        counts = (
            f"{Account.objects.count()} accounts, {Transaction.objects.count()} transactions, "
            f"{Entry.objects.count()} entries"
        )
        self.stdout.write(self.style.SUCCESS(f"the ledger is right: {counts}"))
