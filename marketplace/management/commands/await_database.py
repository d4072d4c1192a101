"""What pods do before their program starts: refuse to start half configured, and wait for the database."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from marketplace import site_checks

PAUSE = 2.0  # seconds


class Command(BaseCommand):
    help = "Wait until the database answers and has this version's migrations."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--as-it-is", action="store_true", help="don't wait for the migrations")
        parser.add_argument("--seconds", type=float, default=900, help="give up after; default: %(default)s")
        parser.add_argument(
            "--require",
            nargs="+",
            default=[],
            metavar="NAME",
            help="variables (or NAME_FILE) that must be set",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        empty = [name for name in options["require"] if not _is_set(name)]
        if empty:
            raise CommandError(
                f"not set: {', '.join(empty)}. Fill in the secrets (k8s/make-secrets), then apply."
            )
        checks = (
            [site_checks.database] if options["as_it_is"] else [site_checks.database, site_checks.migrations]
        )
        until = time.monotonic() + options["seconds"]
        told = ""
        while problem := _problem(checks):
            if time.monotonic() >= until:
                raise CommandError(f"gave up: {problem}")
            if problem != told:
                self.stdout.write(f"waiting: {problem}")
                told = problem
            connection.close()  # a broken one is not used again
            time.sleep(PAUSE)


def _is_set(name: str) -> bool:
    return any(os.environ.get(key, "").strip() for key in (name, f"{name}_FILE"))


def _problem(checks: list[Any]) -> str:
    for check in checks:
        try:
            check()
        except site_checks.Problem as problem:
            return str(problem)
    return ""
