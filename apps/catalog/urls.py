from __future__ import annotations

from django.urls import URLPattern, path

from apps.catalog import views

urlpatterns: list[URLPattern] = [
    path("sell/", views.sell, name="sell"),
    path("sell/new/", views.sell_new, name="sell-new"),
    path("sell/<str:listing_id>/", views.sell_listing, name="sell-listing"),
    path("sell/<str:listing_id>/live/", views.sell_live, name="sell-live"),
    path("sell/<str:listing_id>/publish/", views.sell_publish, name="sell-publish"),
    path("sell/<str:listing_id>/withdraw/", views.sell_withdraw, name="sell-withdraw"),
    path("sell/<str:listing_id>/delete/", views.sell_delete, name="sell-delete"),
    path("sell/<str:listing_id>/pictures/", views.sell_pictures, name="sell-pictures"),
    path("sell/pictures/<str:picture_id>/remove/", views.sell_picture_remove, name="sell-picture-remove"),
]
