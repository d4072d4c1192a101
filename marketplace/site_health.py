"""For load balancers and supervisors: is this process up, and can it do its work?"""

from __future__ import annotations

from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from marketplace import site_checks


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. Touches nothing else: a database that is away is no reason to restart it."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when a request and the job it starts find all they need, 503 with what is missing otherwise.
    `?only=database,migrations` asks for these alone; what is no check is 404."""
    names = request.GET.get("only", "")
    try:
        states = site_checks.run(names.split(",")) if names else site_checks.run()
    except KeyError as error:
        raise Http404(f"there is no check {error}") from None
    ready = all(state == "ok" for state in states.values())
    return JsonResponse(states, status=200 if ready else 503)
