"""Settings that only this app can judge, checked by every management command that starts the platform."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import Error, register

from loadbalancer import registry


@register()
def check_policy(app_configs: Any, **kwargs: Any) -> list[Error]:
    name = settings.BALANCING_POLICY
    if name in registry.names():
        return []
    text = f"BALANCING_POLICY must be one of {', '.join(registry.names())}, not {name!r}"
    return [Error(text, id="cluster.E001")]
