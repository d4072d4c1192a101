from __future__ import annotations

from django.apps import AppConfig


class ProcessingConfig(AppConfig):
    name = "apps.processing"
