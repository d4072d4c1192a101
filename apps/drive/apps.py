from __future__ import annotations

from django.apps import AppConfig


class DriveConfig(AppConfig):
    name = "apps.drive"
