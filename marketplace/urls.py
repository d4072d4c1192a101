from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

api = [
    path("", include("apps.accounts.api_urls")),
    path("", include("apps.drive.api_urls")),
    path("", include("apps.processing.api_urls")),
    path("", include("apps.cluster.api_urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("marketplace.site_urls")),  # landing, /healthz, /readyz, /metrics
    path("account/", include("apps.accounts.urls")),
    path("drive/", include("apps.drive.urls")),
    path("", include("apps.processing.urls")),  # /studio/, /jobs/
    path("", include("apps.cluster.urls")),  # /cluster/
    path("api/v1/", include(api)),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="api-docs"),
    path("admin/", admin.site.urls),
]
