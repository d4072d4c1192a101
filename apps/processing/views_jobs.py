"""Pages about jobs: the list, one job live, and what can be done to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.models import User
from apps.payments import queries as money
from apps.processing import catalog, queries
from apps.processing.catalog import App
from apps.processing.models import Job, JobImage
from apps.processing.services import jobs as service
from apps.processing.services.states import ACTIVE, FINISHED
from apps.processing.shown import colours_of, count_bars
from apps.processing.timeline_svg import draw
from apps.processing.views_results import cards
from marketplace.api import ApiError

PAGE_SIZE = 30
PICTURES = 24  # shown at once on a finished job
CLASSES = 8  # the most frequent ones, in its summary
BLOCKS = 60  # most blocks in a lane


@login_required
@require_safe
def job_list(request: HttpRequest) -> HttpResponse:
    """The user's jobs, newest first; ?q= searches, ?status= filters, ?page= turns."""
    q, status = request.GET.get("q", ""), request.GET.get("status", "")
    page = Paginator(queries.jobs_of(request.user, q=q, status=status), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    context = {
        "page": page,
        "photos": _first_photos(page.object_list),
        "q": q,
        "status": status,
        "statuses": Job.Status.choices,
        "active": any(job.status in ACTIVE for job in page.object_list),
        "query": _query_without_page(request),
    }
    return render(request, "processing/jobs.html", context)


@login_required
@require_safe
def job_page(request: HttpRequest, job_id: str) -> HttpResponse:
    job = queries.job_for_page(request.user, job_id)
    app = catalog.find(job.app)
    context = _live_context(job) | {
        "options": _options(job, app),
        "own_options": job.images.filter(params__isnull=False).count(),
        "events": queries.events_of(job),
    }
    if job.status in FINISHED:
        context["cards"] = cards(queries.results_page(job, limit=PICTURES).items, app)
        counts = queries.result_counts(job).labels
        context["classes"] = count_bars(counts, colours_of(app))[:CLASSES]
        context["class_count"] = len(counts)
        context["detects"] = app is not None and app.kind == "detection"
        context["timeline"] = draw(queries.timeline(job))
    return render(request, "processing/job.html", context)


@login_required
@require_safe
def job_live(request: HttpRequest, job_id: str) -> HttpResponse:
    """The part of the job page that changes while it runs. X-Job-Status tells the script when to go on."""
    job = queries.job_for_page(request.user, job_id)
    response = render(request, "processing/job_live.html", _live_context(job))
    response["X-Job-Status"] = job.status
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def job_cancel(request: HttpRequest, job_id: str) -> HttpResponse:
    def cancel(user: User, job: str) -> str:
        cancelled = service.cancel(user, job)
        if cancelled.status == Job.Status.CANCELLED:
            return "The job is cancelled. What was finished is kept."
        return "The job stops as soon as the photos in hand are finished."

    return _act(request, job_id, cancel)


@login_required
@require_POST
def job_retry(request: HttpRequest, job_id: str) -> HttpResponse:
    def retry(user: User, job: str) -> str:
        service.retry(user, job, request.POST.get("key") or None)
        return "The photos without a result are queued again."

    return _act(request, job_id, retry)


@login_required
@require_POST
def job_remove(request: HttpRequest, job_id: str) -> HttpResponse:
    try:
        service.remove(request.user, job_id)
    except ApiError as error:
        messages.error(request, error.message)
        return redirect("job", job_id)
    messages.success(request, "The job is off the list. Its output folder is still in your drive.")
    return redirect("jobs")


def _act(request: HttpRequest, job_id: str, action: Callable[[User, str], str]) -> HttpResponse:
    """Do it, say so, and show the job again; a refusal is said, too."""
    try:
        messages.success(request, action(request.user, job_id))
    except ApiError as error:
        messages.error(request, error.message)
    return redirect("job", job_id)


@dataclass(frozen=True)
class LaneView:
    """A lane drawn as blocks of `photos_per_block` photos; the last one may be part full."""

    lane: queries.Lane
    full: range
    part: int  # percent of the block that is filling, 0 if none
    busy: bool


def _live_context(job: Job) -> dict[str, Any]:
    progress = queries.progress(job)
    per_block = max(1, -(-progress.total // BLOCKS))
    return {
        "job": job,
        "progress": progress,
        "lanes": [_lane(lane, per_block, job.status) for lane in progress.lanes],
        "per_block": per_block,
        "blocks": -(-progress.total // per_block),
        "failed": queries.failed_of(job) if progress.failed else [],
        "is_active": job.status in ACTIVE,
        "can_retry": job.status in FINISHED and job.done - job.failed < job.total,
        "stopping": job.cancel_requested_at is not None and job.status in ACTIVE,
        "money": _money(job) if job.price_per_image else None,
    }


def _money(job: Job) -> dict[str, Any]:
    """What the job holds, paid and gave back, and what running its rest would cost."""
    rest = job.total - (job.done - job.failed) if job.status in FINISHED else 0
    cost = rest * job.price_per_image
    lacking = max(0, cost - money.balances(job.owner).balance) if cost else 0
    here = reverse("job", args=[job.pk])
    return {
        "returned": money.returned(f"job:{job.pk}"),
        "rest": cost,
        "lacking": lacking,
        "topup": f"{reverse('topup-new')}?{urlencode({'credits': lacking, 'next': here})}",
    }


def _lane(lane: queries.Lane, per_block: int, status: str) -> LaneView:
    full, rest = divmod(lane.done, per_block)
    return LaneView(
        lane=lane,
        full=range(full),
        part=100 * rest // per_block,
        busy=status == Job.Status.RUNNING and lane.state in {"placed", "running"},
    )


def _options(job: Job, app: App | None) -> dict[str, list[tuple[str, Any]]]:
    """The job's options in the app's order: those chosen, and those left at their default."""
    properties = app.params_schema.get("properties", {}) if app else {}
    names = sorted(job.params, key=lambda name: list(properties).index(name) if name in properties else -1)
    options: dict[str, list[tuple[str, Any]]] = {"chosen": [], "defaults": []}
    for name in names:
        default = name in properties and properties[name].get("default") == job.params[name]
        options["defaults" if default else "chosen"].append((name, job.params[name]))
    return options


def _first_photos(jobs: list[Job]) -> dict[str, str]:
    """{job id: id of its first photo}, for the pictures in the list. One query."""
    first = JobImage.objects.filter(job__in=[job.pk for job in jobs], position=0)
    return dict(first.values_list("job_id", "image_id"))


def _query_without_page(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    return f"{query.urlencode()}&" if query else ""
