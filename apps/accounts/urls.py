from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from apps.accounts import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.settings_page, name="account_settings"),
    path("tokens/", views.tokens_page, name="account_tokens"),
    path("tokens/<str:public_id>/revoke/", views.token_revoke, name="account_token_revoke"),
    path("delete/", views.delete_page, name="account_delete"),
    path("", include("allauth.account.urls")),
]
