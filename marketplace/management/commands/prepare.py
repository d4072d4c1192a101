"""What a platform does before it starts, in one process: a second one would cost a second."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

# Below DATA_DIR, each mounted by itself in some pod: what Kubernetes has to make for a mount belongs to root.
FOLDERS = ("drive", "weights", "jobs", "endpoints", "cache")


class Command(BaseCommand):
    help = "Bring the database up to date and make the demo people and photos that are missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="the database only")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in FOLDERS:
            (settings.DATA_DIR / name).mkdir(parents=True, exist_ok=True)
        call_command("migrate", verbosity=0)
        if not options["no_demo"]:
            call_command("seed", verbosity=0)
