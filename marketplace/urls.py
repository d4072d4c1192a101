from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from marketplace import site_errors

# Staff log in where everyone does: that page counts wrong passwords, the administration's own does not.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

api = [
    path("", include("apps.accounts.api_urls")),
    path("", include("apps.drive.api_urls")),
    path("", include("apps.catalog.api_urls")),
    path("", include("apps.processing.api_urls")),
    path("", include("apps.cluster.api_urls")),
    path("", include("apps.payments.api_urls")),
    path("", include("apps.market.api_urls")),
    path("", include("apps.benchmarks.api_urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("marketplace.site_urls")),  # landing, /healthz, /readyz, /metrics
    path("account/", include("apps.accounts.urls")),
    path("drive/", include("apps.drive.urls")),
    path("s/", include("apps.drive.share_urls")),  # read-only links, for anyone
    path("", include("apps.processing.urls")),  # /studio/, /jobs/
    path("", include("apps.catalog.urls")),  # /sell/
    path("", include("apps.cluster.urls")),  # /cluster/
    path("", include("apps.payments.urls")),  # /wallet/
    path("market/", include("apps.market.urls")),
    path("", include("apps.benchmarks.urls")),  # /benchmarks/
    path("api/v1/", include(api)),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    # The split view has its script at an address of its own: the policy allows no inline scripts.
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
    re_path(r"^api/(?P<path>.*)$", site_errors.unknown_api),
    path("admin/", admin.site.urls),
]

handler400 = site_errors.bad_request
handler403 = site_errors.forbidden
handler404 = site_errors.not_found
handler429 = site_errors.too_many  # allauth asks for it
handler500 = site_errors.server_error
