from __future__ import annotations

from django.urls import URLPattern, path

from marketplace import site_health, site_metrics, site_pages

urlpatterns: list[URLPattern] = [
    path("", site_pages.landing, name="landing"),
    path("healthz", site_health.healthz, name="healthz"),
    path("readyz", site_health.readyz, name="readyz"),
    path("metrics", site_metrics.scrape, name="metrics"),
]
