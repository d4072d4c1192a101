from __future__ import annotations

from django.urls import URLPattern, path

from marketplace import site_pages

urlpatterns: list[URLPattern] = [
    path("", site_pages.landing, name="landing"),
]
