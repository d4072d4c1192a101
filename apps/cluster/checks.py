"""Settings that only this app can judge, checked by every management command that starts the platform."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import Error, register

from apps.cluster.kube import slugs
from apps.cluster.kube.quantities import parse
from apps.cluster.services import balancing


@register()
def check_policy(app_configs: Any, **kwargs: Any) -> list[Error]:
    name = settings.BALANCING_POLICY
    problem = balancing.why_not(name)
    if not problem:
        return []
    text = (
        f"BALANCING_POLICY {problem}, not {name!r}"
        if problem.startswith("must")
        else f"BALANCING_POLICY: {problem}"
    )
    return [Error(text, id="cluster.E001")]


@register()
def check_kubernetes(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Names and amounts that the API server would refuse with each Job."""
    if settings.ENGINE != "kubernetes":
        return []
    wrong = []
    for setting in ("KUBE_WORKER_CPU", "KUBE_WORKER_MEMORY"):
        try:
            good = parse(getattr(settings, setting)) > 0
        except ValueError:
            good = False
        if not good:
            wrong.append(
                f"{setting} must be an amount such as 500m, 2 or 1Gi, not {getattr(settings, setting)!r}"
            )
    for setting in ("KUBE_NAMESPACE", "KUBE_VOLUME_CLAIM", "KUBE_PRIORITY_CLASS"):
        value = getattr(settings, setting)
        if value != slugs.name(value) and (value or setting != "KUBE_PRIORITY_CLASS"):
            wrong.append(f"{setting} must be small letters, digits and dashes, not {value!r}")
    if not settings.KUBE_IMAGE.strip():
        wrong.append("KUBE_IMAGE must name an image, such as registry.example.com/pixelyard/{family}:0.1.0")
    return [Error(text, id="cluster.E002") for text in wrong]
