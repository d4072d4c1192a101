from __future__ import annotations

from django.urls import path

from apps.market import api

urlpatterns = [
    path("listings/<str:listing_id>/preview", api.TryView.as_view(), name="api-listing-preview"),
    path("listings/<str:listing_id>/reviews", api.ReviewsView.as_view(), name="api-listing-reviews"),
    path("listings/<str:listing_id>/download", api.DownloadView.as_view(), name="api-listing-download"),
    path("listings/<str:listing_id>/report", api.ReportView.as_view(), name="api-listing-report"),
]
