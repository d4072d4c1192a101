"""What came out of a job, photo by photo: before beside after, text, HTML, and the document behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.drive import storage
from apps.drive.models import Attachment
from apps.processing import queries
from apps.processing.documents.base import Filters
from apps.processing.models import Job, JobImage
from marketplace.ids import is_id

PAGE_SIZE = 60
TEXT_BYTES = 2_000_000  # of a text or HTML result shown in the page; the whole file can be downloaded


@dataclass(frozen=True)
class TextResult:
    attachment: Attachment
    text: str
    is_html: bool
    cut: bool


@login_required
@require_safe
def results(request: HttpRequest, job_id: str) -> HttpResponse:
    """?status= and, where documents have them, ?label= ?min_confidence= ?rgb= ?ryb=; ?after= turns pages."""
    job = queries.job_for_page(request.user, job_id)
    filters = _filters(request)
    page = queries.results_page(job, filters, _integer(request.GET.get("after")), PAGE_SIZE)
    query = request.GET.copy()
    query.pop("after", None)
    context = {
        "job": job,
        "page": page,
        "counts": queries.result_counts(job),
        "filters": filters,
        "query": f"{query.urlencode()}&" if query else "",
        "first": "after" not in request.GET,
    }
    return render(request, "processing/results.html", context)


@login_required
@require_safe
def result(request: HttpRequest, job_id: str, image_id: str) -> HttpResponse:
    """One photo of the job, with its neighbours."""
    job = queries.job_for_page(request.user, job_id)
    row = JobImage.objects.filter(job=job, image_id=image_id).first() if is_id(image_id) else None
    if row is None:
        raise Http404("This job has no such photo.")
    item = _result_at(job, row)
    context = {
        "job": job,
        "row": row,
        "item": item,
        "texts": _texts(item),
        "place": row.position + 1,
        "previous": _neighbour(job, row.position - 1),
        "next": _neighbour(job, row.position + 1),
        "document": json.dumps(item.document, indent=2, sort_keys=True) if item else "",
    }
    return render(request, "processing/result.html", context)


def _result_at(job: Job, row: JobImage) -> queries.ResultItem | None:
    """None while this photo has no result."""
    items = queries.results_page(job, after=row.position - 1, limit=1).items
    return items[0] if items and items[0].document["image"] == row.image_id else None


def _neighbour(job: Job, position: int) -> str:
    found = JobImage.objects.filter(job=job, position=position).values_list("image_id", flat=True).first()
    return found or ""


def _filters(request: HttpRequest) -> Filters:
    get = request.GET.get
    status = get("status", "")
    return Filters(
        status=status if status in {"ok", "failed"} else "",
        label=_text(get("label"), 120),
        min_confidence=_share(get("min_confidence")),
        rgb=_text(get("rgb"), 20),
        ryb=_text(get("ryb"), 20),
    )


def _text(text: str | None, limit: int) -> str:
    """Without NUL, which PostgreSQL refuses to be asked about."""
    return (text or "").replace("\x00", "")[:limit]


def _share(text: str | None) -> float | None:
    """A number from 0 to 1; None for anything else."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def _texts(item: queries.ResultItem | None) -> list[TextResult]:
    """The text and HTML that belong to the output, read as far as a page can show."""
    if item is None or item.output is None:
        return []
    found = []
    for attachment in item.output.attachments.all():
        if attachment.media_type.split(";")[0] not in {"text/plain", "text/html"}:
            continue
        path = storage.blob_path(item.output.owner_id, attachment.sha256)
        try:
            with path.open("rb") as file:
                data = file.read(TEXT_BYTES + 1)
        except FileNotFoundError:
            continue
        text = data[:TEXT_BYTES].decode("utf-8", errors="replace")
        is_html = attachment.media_type.startswith("text/html")
        found.append(TextResult(attachment, text, is_html, len(data) > TEXT_BYTES))
    return found
