"""The answers that OpenAPI must list besides the good one."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from apps.processing.services.states import Status
from marketplace import api_docs

_WORDS = {
    406: "Nothing of what Accept names can be made.",
    502: "A preview server gave no usable answer.",
    503: "No preview server is alive. Code `waking_up`: they were asleep; ask again after Retry-After.",
    504: "The preview took too long.",
    507: "The server's disk is full.",
}


def errors(*codes: int) -> dict[Any, OpenApiResponse]:
    """The common ones, and those that only previews have."""
    common = api_docs.errors(*(code for code in codes if code not in _WORDS))
    own = {code: OpenApiResponse(api_docs.ErrorSerializer, _WORDS[code]) for code in codes if code in _WORDS}
    return common | own


KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Up to 80 printable characters. The same key with the same body does it once, for seven "
    "days. With another body it is 409 idempotency_key_reused.",
)
STATUS = OpenApiParameter("status", str, enum=[str(value) for value in Status.values])
FILTERS = [
    OpenApiParameter("status", str, enum=["ok", "failed"]),
    OpenApiParameter("label", str, description="A class that was found in the photo."),
    OpenApiParameter("min_confidence", float, description="0 to 1, of that finding."),
    OpenApiParameter("rgb", str, description="Dominant colour of that finding."),
    OpenApiParameter("ryb", str, description="The same on the painters' wheel."),
]
