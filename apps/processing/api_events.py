"""REST: a job's progress as server-sent events."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.processing.access import job_for
from apps.processing.api_docs import errors
from apps.processing.event_stream import Stream
from apps.processing.negotiation import AnyAccept


class EventsView(APIView):
    content_negotiation_class = AnyAccept

    @extend_schema(
        operation_id="jobs_events",
        tags=["jobs"],
        responses={(200, "text/event-stream"): OpenApiTypes.STR, **errors(404, 429)},
    )
    def get(self, request: Request, job_id: str) -> StreamingHttpResponse:
        """Server-sent events: `progress` when something moved, `state` when the job's state changed. The
        stream ends with the job, or after five minutes: connect again."""
        job = job_for(request.user, job_id)
        response = StreamingHttpResponse(Stream(job), content_type="text/event-stream")
        response["Cache-Control"] = "no-cache, no-transform"
        response["X-Accel-Buffering"] = "no"  # nginx would hold events back
        return response
