from __future__ import annotations

from django.urls import URLPattern, path

from apps.market import views, views_acts, views_staff

urlpatterns: list[URLPattern] = [
    path("", views.market, name="market"),
    path("bought/", views.bought, name="market-bought"),
    path("reports/", views_staff.reports, name="market-reports"),
    path("file/<str:token>/", views_acts.file, name="market-file"),
    path("sellers/<str:user_id>/", views.seller, name="market-seller"),
    path("pictures/<str:picture_id>/", views.picture, name="market-picture"),
    path("samples/<str:version_id>/<int:number>/", views.sample, name="market-sample"),
    path("<str:listing_id>/", views.listing, name="market-listing"),
    path("<str:listing_id>/try/", views_acts.try_out, name="market-try"),
    path("<str:listing_id>/buy/", views_acts.buy, name="market-buy"),
    path("<str:listing_id>/download/", views_acts.download, name="market-download"),
    path("<str:listing_id>/review/", views_acts.review, name="market-review"),
    path("<str:listing_id>/review/delete/", views_acts.review_delete, name="market-review-delete"),
    path("<str:listing_id>/report/", views_acts.report, name="market-report"),
    path("<str:listing_id>/appeal/", views_acts.appeal, name="market-appeal"),
    path("<str:listing_id>/moderate/", views_staff.moderate, name="market-moderate"),
]
