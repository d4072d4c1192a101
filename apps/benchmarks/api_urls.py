from __future__ import annotations

from django.urls import path

from apps.benchmarks import api, api_exports

urlpatterns = [
    path("benchmarks", api.BenchmarksView.as_view()),
    path("benchmarks/what-if", api_exports.WhatIfView.as_view()),
    path("benchmarks/<str:run_id>", api.BenchmarkView.as_view()),
    path("benchmarks/<str:run_id>/cancel", api.CancelView.as_view()),
    path("benchmarks/<str:run_id>/report.json", api_exports.JsonView.as_view(), name="api-benchmark-json"),
    path("benchmarks/<str:run_id>/report.csv", api_exports.CsvView.as_view(), name="api-benchmark-csv"),
    path("benchmarks/<str:run_id>/report.html", api_exports.HtmlView.as_view(), name="api-benchmark-html"),
    path("benchmarks/<str:run_id>/images.csv", api_exports.ImagesView.as_view(), name="api-benchmark-images"),
    path(
        "benchmarks/<str:run_id>/plots/<str:name>.svg",
        api_exports.PlotView.as_view(),
        name="api-benchmark-plot",
    ),
]
