"""Run the controller. Several may be started, on one or many machines: one acts, the others wait."""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand

from apps.processing.controller.loop import Controller


class Command(BaseCommand):
    help = "Place batch jobs on nodes, take in their results, clean up. SIGTERM ends it cleanly."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="one look at everything, then exit")

    def handle(self, *args: Any, **options: Any) -> None:
        controller = Controller()
        if options["once"]:
            controller.tick()
            return
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("controller: ready")
        controller.run(stop)
