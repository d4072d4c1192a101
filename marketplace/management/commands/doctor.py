"""Check every part of the installation. Exits with 1 if something must be done."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketplace import doctor


class Command(BaseCommand):
    help = "Check every part of the installation and say what to do. Changes nothing."
    requires_system_checks: list[str] = []  # their results are part of the answer

    def handle(self, *args: Any, **options: Any) -> None:
        paint = {"ok": self.style.SUCCESS, "warn": self.style.WARNING, "fail": self.style.ERROR}
        failed = 0
        for finding in doctor.findings():
            failed += finding.level == "fail"
            self.stdout.write(
                f"{paint[finding.level](f'{finding.level:<4}')}  {finding.part:<11} {finding.text}"
            )
        if failed:
            raise CommandError(f"{failed} to repair")
