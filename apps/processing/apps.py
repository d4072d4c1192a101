from __future__ import annotations

from django.apps import AppConfig


class ProcessingConfig(AppConfig):
    name = "apps.processing"

    def ready(self) -> None:
        from apps.drive.services import purge
        from apps.processing import queries

        purge.register_holder(queries.needed_hashes)
