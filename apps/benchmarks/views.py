"""Pages of benchmarks: the list, one run live, runs side by side. Everyone who is logged in reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.benchmarks import access, estimates, plots, queries, results
from apps.benchmarks.config import Config
from apps.benchmarks.models import BenchmarkRun
from apps.benchmarks.services import runs
from apps.benchmarks.shown import beside_original, cell_of, headline, table_of
from loadbalancer.report.charts import number
from loadbalancer.report.comparison import DIFFERENCES, Row
from marketplace.api import ApiError

PAGE_SIZE = 20
COMPARED = 6  # most runs side by side


@login_required
@require_safe
def benchmark_list(request: HttpRequest) -> HttpResponse:
    """Newest first; ?q= searches, ?status= and ?kind= filter, ?page= turns."""
    asked = {name: request.GET.get(name, "") for name in ("q", "status", "kind")}
    page = Paginator(queries.runs(**asked), PAGE_SIZE).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "page": page,
        "rows": [(run, headline(run)) for run in page.object_list],
        "statuses": BenchmarkRun.Status.choices,
        "kinds": BenchmarkRun.Kind.choices,
        "active": any(run.is_active for run in page.object_list),
        "query": f"{query.urlencode()}&" if query else "",
        **asked,
    }
    return render(request, "benchmarks/list.html", context)


@login_required
@require_safe
def benchmark(request: HttpRequest, run_id: str) -> HttpResponse:
    run = access.run_for(request.user, run_id)
    return render(request, "benchmarks/run.html", _live(run))


@login_required
@require_safe
def live(request: HttpRequest, run_id: str) -> HttpResponse:
    """What changes while a run is under way. ?seen= is what the page shows: 204 while that is so. When it
    has ended, the page as a whole is another one."""
    run = access.run_for(request.user, run_id)
    if run.is_active and request.GET.get("seen") == seen_of(run):
        return HttpResponse(status=204, headers={"Cache-Control": "no-store"})
    response = render(request, "benchmarks/live.html", _live(run))
    if not run.is_active:
        response["HX-Refresh"] = "true"
    response["Cache-Control"] = "no-store"
    return response


def seen_of(run: BenchmarkRun) -> str:
    """Changes whenever there is something else to see of a run that is under way."""
    return f"{run.status}-{run.done}{'-waits' if run.reason else ''}"


@dataclass(frozen=True)
class Side:
    """A run beside others."""

    run: BenchmarkRun
    config: Config
    rows: dict[str, Row]
    plots: list[plots.Plot]
    headline: dict[str, Any]


@login_required
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """?run=ID for each, in that order."""
    wanted = list(dict.fromkeys(request.GET.getlist("run")))[:COMPARED]
    sides = []
    for run in queries.runs_with_cells(wanted):
        found = results.table(run, run.measured)
        drawn = [plot for plot in plots.plots_of(found) if plot.name in {"makespan", "sojourn"}]
        rows = {row.policy: row for row in found}
        sides.append(Side(run, Config.from_json(run.config), rows, drawn, headline(run)))
    if len(sides) < 2:
        messages.info(request, "Choose two runs or more to set them side by side.")
        return redirect("benchmarks")
    context = {"sides": sides, "lines": _lines(sides), "differ": _differences(sides)}
    return render(request, "benchmarks/compare.html", context)


@login_required
@require_POST
def cancel(request: HttpRequest, run_id: str) -> HttpResponse:
    def act() -> str:
        runs.cancel(request.user, run_id)
        return "The benchmark is cancelled. What was measured is kept."

    return _act(request, act, run_id)


@login_required
@require_POST
def remove(request: HttpRequest, run_id: str) -> HttpResponse:
    def act() -> str:
        runs.remove(request.user, run_id)
        return "The benchmark is deleted."

    return _act(request, act, run_id, gone=True)


def _act(request: HttpRequest, act: Callable[[], str], run_id: str, *, gone: bool = False) -> HttpResponse:
    """Do it, say so, and show what is there now; a refusal is said, too."""
    try:
        messages.success(request, act())
    except ApiError as error:
        messages.error(request, error.message)
        gone = False
    return redirect("benchmarks") if gone else redirect("benchmark", run_id)


def _live(run: BenchmarkRun) -> dict[str, Any]:
    cells = queries.cells_of(run)
    rows = results.table(run, cells)
    nodes = queries.nodes_of(run)
    return {
        "run": run,
        "seen": seen_of(run),
        "config": Config.from_json(run.config),
        "nodes": nodes[:24],
        "node_count": len(nodes),
        "headline": headline(run),
        "rows": rows,
        "table": table_of(rows, len(nodes)),
        "plots": plots.plots_of(rows),
        "original": beside_original(rows),
        "differences": DIFFERENCES,
        "left": estimates.left(run),
        "took": (run.finished - run.started).total_seconds() if run.started and run.finished else None,
        "has_images": run.done > 0 and Config.from_json(run.config).total_images <= queries.KEPT_RECORDS,
    }


def _lines(sides: list[Side]) -> list[dict[str, Any]]:
    """A line a policy that any of them has, a cell a run."""
    lines = []
    for policy in sorted({policy for side in sides for policy in side.rows}):
        cells = []
        for side in sides:
            row = side.rows.get(policy)
            shown = cell_of(row.estimates["makespan"]) if row else None
            over = number(row.estimates["over_bound"].mean) if row else ""
            best = policy == next(iter(side.rows), "")
            cells.append({"shown": shown, "over": over, "best": best})
        lines.append({"policy": policy, "cells": cells})
    return lines


def _differences(sides: list[Side]) -> list[tuple[str, list[str]]]:
    """What was set differently, a line each."""
    settings = [side.run.config | {"kind": side.run.kind} for side in sides]
    names = dict.fromkeys(name for one in settings for name in one)
    found = []
    for name in names:
        values = [_word(one.get(name, "")) for one in settings]
        if len(set(values)) > 1:
            found.append((name, values))
    return found


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
