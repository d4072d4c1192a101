from __future__ import annotations

from django.urls import URLPattern, path

from apps.accounts import api

urlpatterns: list[URLPattern] = [
    path("token", api.TokenView.as_view()),
    path("tokens", api.TokensView.as_view()),
    path("tokens/<str:token_id>", api.TokenDetailView.as_view()),
    path("me", api.MeView.as_view()),
]
