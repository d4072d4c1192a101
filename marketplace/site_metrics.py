"""/metrics, for Prometheus and for staff."""

from __future__ import annotations

import hmac
import ipaddress

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from marketplace import metrics

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP")


@require_safe
@never_cache
def scrape(request: HttpRequest) -> HttpResponse:
    """Staff; who knows METRICS_TOKEN; and, while there is none, a program on this very machine."""
    if not _may_read(request):
        text = "Metrics are for staff and for clients that send METRICS_TOKEN as a bearer token.\n"
        return HttpResponse(text, status=403, content_type="text/plain")
    return HttpResponse(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    if request.user.is_staff:
        return True
    if settings.METRICS_TOKEN:
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(sent.encode(), settings.METRICS_TOKEN.encode())
    return _is_local(request)


def _is_local(request: HttpRequest) -> bool:
    """From this machine, and not through a proxy on it: that one's clients are anywhere."""
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return address.is_loopback and not any(name in request.META for name in FORWARDED)
