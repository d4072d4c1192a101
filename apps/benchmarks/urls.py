from __future__ import annotations

from django.urls import path

from apps.benchmarks import views, views_new

urlpatterns = [
    path("benchmarks/", views.benchmark_list, name="benchmarks"),
    path("benchmarks/new/", views_new.new, name="benchmark-new"),
    path("benchmarks/estimate/", views_new.estimate, name="benchmark-estimate"),
    path("benchmarks/compare/", views.compare, name="benchmarks-compare"),
    path("benchmarks/what-if/", views_new.ask, name="benchmark-what-if"),
    path("benchmarks/<str:run_id>/", views.benchmark, name="benchmark"),
    path("benchmarks/<str:run_id>/live/", views.live, name="benchmark-live"),
    path("benchmarks/<str:run_id>/cancel/", views.cancel, name="benchmark-cancel"),
    path("benchmarks/<str:run_id>/delete/", views.remove, name="benchmark-delete"),
]
