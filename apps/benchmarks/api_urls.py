from __future__ import annotations

from django.urls import path

from apps.benchmarks import api

urlpatterns = [
    path("benchmarks", api.BenchmarksView.as_view()),
    path("benchmarks/<str:run_id>", api.BenchmarkView.as_view()),
    path("benchmarks/<str:run_id>/cancel", api.CancelView.as_view()),
]
