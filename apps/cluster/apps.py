from __future__ import annotations

from django.apps import AppConfig


class ClusterConfig(AppConfig):
    name = "apps.cluster"

    def ready(self) -> None:
        from apps.cluster import checks  # noqa: F401 - registers them
