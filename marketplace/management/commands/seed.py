"""Make the demo people and their photos. Again changes nothing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from marketplace import demo


class Command(BaseCommand):
    help = "Make the demo people (buyer, seller, admin), the buyer's demo photos and the sample weights."

    def handle(self, *args: Any, **options: Any) -> None:
        kept = demo.kept_logins()
        logins = demo.seed(kept)
        if options["verbosity"]:
            self.stdout.write(f"{len(logins)} demo people; their logins are in {kept}")
