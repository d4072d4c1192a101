"""The form that staff start a run with, and the panel that anyone asks the simulator with."""

from __future__ import annotations

import hashlib
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.benchmarks import access, estimates, forms, queries
from apps.benchmarks.config import OPEN, checked
from apps.benchmarks.engines import ENGINES, EngineError
from apps.benchmarks.services import runs, whatif
from apps.benchmarks.shown import table_of
from apps.benchmarks.whatif_words import said, whatif_plots
from loadbalancer import registry
from marketplace.api import ApiError
from marketplace.ids import new_id


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """?preset= or ?like= (a run) fills the form in."""
    access.require_staff(request.user)
    if request.method != "POST":
        like = request.GET.get("like", "")
        return _form(
            request, forms.initial(request.GET, access.run_for(request.user, like) if like else None)
        )
    values = forms.sent(request.POST)
    try:
        run = runs.start(
            request.user,
            config=forms.config_of(values),
            kind=values["kind"],
            title=values["title"],
            key=_key(request.POST["key"], values) if request.POST.get("key") else None,
        )
    except ApiError as error:
        return _form(request, values, error)
    messages.success(request, "The benchmark is queued.")
    return redirect("benchmark", run.pk)


@login_required
@require_http_methods(["POST"])
def estimate(request: HttpRequest) -> HttpResponse:
    """How much there is to do with what stands in the form now, or what is wrong with it."""
    access.require_staff(request.user)
    return render(request, "benchmarks/estimate.html", _estimate(forms.sent(request.POST)))


@login_required
@require_safe
def ask(request: HttpRequest) -> HttpResponse:
    """The what-if panel. The question is in the address; without one, the form alone."""
    values = _question(request.GET)
    context: dict[str, Any] = {
        "values": values,
        "errors": {},
        "nodes_help": "4:2:1, or 8x1 for eight equal ones." if request.GET else "The nodes there are now.",
        "arrivals": forms.ARRIVALS,
        "sizes": forms.sizes(),
        "goals": whatif.GOALS.items(),
        "most_images": whatif.MAX_IMAGES,
        "most_nodes": whatif.MAX_NODES,
    }
    status = 200
    if request.GET:
        try:
            answer = whatif.ask(request.user, whatif.question(_unused_left_out(values)))
            context |= {"answer": answer, "said": said(answer), "plots": whatif_plots(answer)}
            context["table"] = table_of(answer.rows, 0)
        except ApiError as error:
            status = error.status_code
            context |= {"error": error, "errors": error.fields}
    name = "benchmarks/answer.html" if request.headers.get("HX-Request") else "benchmarks/whatif.html"
    response = render(request, name, context, status=status)
    response["Vary"] = "HX-Request"
    return response


def _key(nonce: str, values: dict[str, Any]) -> str:
    """The form sent twice starts one run; sent again with other values, another."""
    digest = hashlib.sha256(f"{nonce} {sorted(values.items())!r}".encode()).hexdigest()
    return f"form-{digest[:40]}"


def _question(query: QueryDict) -> dict[str, Any]:
    """What is asked, or the nodes that there are to begin with."""
    values: dict[str, Any] = vars(whatif.Question()).copy()
    here = None if query else queries.speeds_here()
    if here:
        values["nodes"], values["slots"] = here
    return values | {name: query[name][:200] for name in values if query.get(name)}


def _unused_left_out(values: dict[str, Any]) -> dict[str, Any]:
    unused = set() if values["arrivals"] == OPEN else {"jobs", "load"}
    return {name: value for name, value in values.items() if name not in unused}


def _form(request: HttpRequest, values: dict[str, Any], error: ApiError | None = None) -> HttpResponse:
    context = {
        "values": values,
        "errors": error.fields if error else {},
        "error": error,
        "presets": forms.PRESETS,
        "arrivals": forms.ARRIVALS,
        "faults": forms.FAULTS,
        "sizes": forms.sizes(),
        "policies": registry.policies().values(),
        "key": new_id(),
        **_real(),
        **(_estimate(values) if error is None else {}),
    }
    return render(request, "benchmarks/new.html", context, status=error.status_code if error else 200)


def _real() -> dict[str, Any]:
    """The nodes that a real run would have, or why there can't be one."""
    try:
        return {"real_nodes": ENGINES["real"].nodes(), "real_reason": ""}
    except EngineError as error:
        return {"real_nodes": (), "real_reason": str(error)}


def _estimate(values: dict[str, Any]) -> dict[str, Any]:
    real = values["kind"] == "real"
    try:
        config = checked(forms.config_of(values), real=real)
        nodes = ENGINES["real"].nodes() if real else config.specs()
    except ApiError as error:
        return {"wrong": error}
    except EngineError as error:
        return {"refused": str(error)}
    return {"estimate": estimates.estimate(config, nodes, kind=values["kind"])}
