"""What came out of a job, photo by photo: pictures, boxes, classes, text, and the document behind them.

Filters are in the address, so that what is seen can be kept and sent: ?status= ?label= ?min_confidence= ?rgb=
?ryb=; `?group=class` shows the photos of each class; `?after=` turns pages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.drive import storage
from apps.drive.models import Attachment
from apps.processing import catalog, queries, shown
from apps.processing.catalog import App
from apps.processing.documents import store
from apps.processing.documents.base import Filters
from apps.processing.models import Job, JobImage
from apps.processing.shown import Bar, Box, Colours
from marketplace.ids import is_id

PAGE_SIZE = 60
GROUPS, OF_GROUP = 12, 6  # classes shown one by one, and photos of each
TEXT_BYTES = 2_000_000  # of a text or HTML result shown in the page; the whole file can be downloaded
FILTERS = ("status", "label", "min_confidence", "rgb", "ryb")


@dataclass(frozen=True)
class TextResult:
    attachment: Attachment
    text: str
    is_html: bool
    cut: bool


@dataclass(frozen=True)
class Card:
    """A photo of the contact sheet: `kind` says what is on it."""

    item: queries.ResultItem
    kind: str  # boxes | class | picture | pair (before and after) | failed | gone
    boxes: list[Box]
    best: Bar | None = None  # of a classified photo


@dataclass(frozen=True)
class Group:
    bar: Bar
    cards: list[Card]


@login_required
@require_safe
def results(request: HttpRequest, job_id: str) -> HttpResponse:
    job = queries.job_for_page(request.user, job_id)
    app = catalog.find(job.app)
    colours, filters = shown.colours_of(app), _filters(request)
    counts = queries.result_counts(job)
    grouped = request.GET.get("group") == "class" and bool(counts.labels) and not filters.label
    page = queries.ResultsPage([], None)
    if not grouped:
        page = queries.results_page(job, filters, _integer(request.GET.get("after")), PAGE_SIZE)
    context = {
        "job": job,
        "page": page,
        "cards": cards(page.items, app, filters),
        "groups": _groups(job, app, filters, counts.labels) if grouped else [],
        "grouped": grouped,
        "counts": counts,
        "found": counts.total if filters == Filters() else store().matching(job.id, filters),
        "filters": filters,
        "classes": shown.count_bars(counts.labels, colours, filters.label),
        "detects": app is not None and app.kind == "detection",
        "query": _query(filters, grouped),
        "carried": _query(filters),
        "first": "after" not in request.GET,
    }
    return render(request, "processing/results.html", context)


@login_required
@require_safe
def result(request: HttpRequest, job_id: str, image_id: str) -> HttpResponse:
    """One photo of the job, with its neighbours among those that match the filters of the address."""
    job = queries.job_for_page(request.user, job_id)
    row = JobImage.objects.filter(job=job, image_id=image_id).first() if is_id(image_id) else None
    if row is None:
        raise Http404("This job has no such photo.")
    item, filters = _result_at(job, row), _filters(request)
    app = catalog.find(job.app)
    colours = shown.colours_of(app)
    before, after = _neighbours(job, row, filters)
    context = {
        "job": job,
        "row": row,
        "item": item,
        "card": card(item, colours, shown.takes_photo(app)) if item else None,
        "finder": shown.finder(item.document, colours) if item and shown.is_detected(item.document) else None,
        "bars": shown.top_classes(item.document, colours) if item else [],
        "facts": shown.facts(item.document) if item else {},
        "texts": _texts(item),
        "filters": filters,
        "query": _query(filters).rstrip("&"),
        "place": row.position + 1,
        "previous": before,
        "next": after,
        "document": json.dumps(item.document, indent=2, sort_keys=True) if item else "",
    }
    return render(request, "processing/result.html", context)


def cards(items: list[queries.ResultItem], app: App | None, filters: Filters | None = None) -> list[Card]:
    colours, has_before = shown.colours_of(app), shown.takes_photo(app)
    return [card(item, colours, has_before, filters) for item in items]


def card(
    item: queries.ResultItem, colours: Colours, has_before: bool, filters: Filters | None = None
) -> Card:
    """`has_before`: the app made its picture of the photo, so that the two can be compared."""
    doc = item.document
    if doc["status"] == "failed":
        return Card(item, "failed", [])
    if shown.is_detected(doc) and item.input:
        return Card(item, "boxes", shown.boxes(doc, colours, filters)[: shown.BOXES_ON_A_CARD])
    top = shown.top_classes(doc, colours)
    if top and item.input:
        return Card(item, "class", [], top[0])
    if item.output is None:
        return Card(item, "gone", [], top[0] if top else None)
    return Card(item, "pair" if item.input and has_before else "picture", [])


def _groups(job: Job, app: App | None, filters: Filters, counts: dict[str, int]) -> list[Group]:
    """The first photos of the most frequent classes; the number of queries follows GROUPS, not the photos."""
    bars = {bar.label: bar for bar in shown.count_bars(counts, shown.colours_of(app))}
    labels = list(counts)[:GROUPS]
    pages = queries.results_by_label(job, filters, labels, OF_GROUP)
    made = [
        Group(bars[label], cards(items, app, filters.with_label(label)))
        for label, items in zip(labels, pages, strict=True)
    ]
    return [group for group in made if group.cards]


def _result_at(job: Job, row: JobImage) -> queries.ResultItem | None:
    """None while this photo has no result."""
    items = queries.results_page(job, after=row.position - 1, limit=1).items
    return items[0] if items and items[0].document["image"] == row.image_id else None


def _neighbours(job: Job, row: JobImage, filters: Filters) -> tuple[str, str]:
    """Ids of the photo before and the next one: of the whole job, or of the results that match."""
    if filters == Filters():
        return _photo_at(job, row.position - 1), _photo_at(job, row.position + 1)
    before = store().before(job.id, filters, row.position)
    after = store().page(job.id, filters, row.position, 1)
    return before["image"] if before else "", after[0]["image"] if after else ""


def _photo_at(job: Job, position: int) -> str:
    found = JobImage.objects.filter(job=job, position=position).values_list("image_id", flat=True).first()
    return found or ""


def _query(filters: Filters, grouped: bool = False) -> str:
    """The filters, to go on with in an address: empty, or ending in `&`."""
    query = {name: value for name in FILTERS if (value := getattr(filters, name))}
    if grouped:
        query["group"] = "class"
    return f"{urlencode(query)}&" if query else ""


def _filters(request: HttpRequest) -> Filters:
    get = request.GET.get
    status = get("status", "")
    return Filters(
        status=status if status in {"ok", "failed"} else "",
        label=_text(get("label"), 120),
        min_confidence=_share(get("min_confidence")) or None,
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
