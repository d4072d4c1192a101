from __future__ import annotations

from django.apps import AppConfig


class MarketplaceConfig(AppConfig):
    """The project itself as an app: shared templates, static files and management commands."""

    name = "marketplace"
    verbose_name = "Pixelyard"
