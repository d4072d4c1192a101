"""Jobs and apps as the API shows them. Shapes are those of docs/jobs.md."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.processing import queries
from apps.processing.catalog import App
from apps.processing.models import Job
from apps.processing.services.jobs import MAX_PARALLELISM, JobRequest

_MOST_CREDITS = 10**15


def _told_price() -> serializers.IntegerField:
    return serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=_MOST_CREDITS,
        help_text="What you were told that it costs; another price by now is 409 price_changed.",
    )


class AppSerializer(serializers.Serializer[App]):
    id = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField(help_text="One sentence.")
    kind = serializers.ChoiceField(["filter", "detection", "generation", "classification"])
    source = serializers.ChoiceField(["builtin", "own", "purchased"])
    version = serializers.CharField(help_text="Changes whenever the same photo gives another result.")
    outputs = serializers.ListField(child=serializers.ChoiceField(["image", "text", "html", "data"]))
    price_per_image = serializers.IntegerField(min_value=0, help_text="Credits.")
    params_schema = serializers.DictField(help_text="JSON Schema of the options.")


class JobRequestSerializer(serializers.Serializer[Any]):
    app = serializers.CharField(max_length=64, help_text="An app's id.")
    folder = serializers.CharField(max_length=22, help_text="The folder whose photos are processed.")
    params = serializers.DictField(
        required=False,
        default=dict,
        help_text="Options as the app's `params_schema` says. Default: its defaults.",
    )
    image_params = serializers.DictField(
        child=serializers.DictField(),
        required=False,
        default=dict,
        help_text="Options of single photos, by image id. They replace `params` as a whole.",
    )
    policy = serializers.CharField(
        required=False, allow_null=True, max_length=40, help_text="Balancing policy. Default: the cluster's."
    )
    parallelism = serializers.IntegerField(
        required=False,
        default=0,
        min_value=0,
        max_value=MAX_PARALLELISM,
        help_text="Most workers at once; 0: as many as are free; 1: the whole job on one node.",
    )
    price = _told_price()

    def to_request(self) -> JobRequest:
        return JobRequest(**{"policy": None, "price": None, **self.validated_data})


class QuoteSerializer(serializers.Serializer[Any]):
    images = serializers.IntegerField()
    price = serializers.IntegerField(help_text="Credits.")
    balance = serializers.IntegerField(
        allow_null=True, help_text="Credits in your wallet; null when the job costs nothing."
    )
    eta_seconds = serializers.FloatField(
        allow_null=True, help_text="Until it would be finished, waiting included; null when no node is alive."
    )
    queue_position = serializers.IntegerField(help_text="1: it would be next.")


class WorkerSerializer(serializers.Serializer[Any]):
    node = serializers.CharField()
    status = serializers.ChoiceField(["placed", "running", "exited", "lost"], source="state")
    done = serializers.IntegerField(help_text="Photos of this job that the node has finished.")


class PriceSerializer(serializers.Serializer[Any]):
    held = serializers.IntegerField()
    charged = serializers.IntegerField()


class JobSerializer(serializers.Serializer[Job]):
    """Pass a `board` made for them in the context when there are several: it is read once."""

    id = serializers.CharField()
    app = serializers.CharField()
    app_title = serializers.CharField()
    params = serializers.DictField()
    folder = serializers.CharField(allow_null=True, help_text="null when it was deleted for good.")
    status = serializers.ChoiceField(Job.Status.choices)
    reason = serializers.CharField(help_text="In words: what it waits for, or why it ended like this.")
    queue_position = serializers.IntegerField(allow_null=True, help_text="1: next. Only while queued.")
    eta_seconds = serializers.FloatField(allow_null=True)
    total = serializers.IntegerField()
    done = serializers.IntegerField(help_text="Photos with a result, the failed ones among them.")
    failed = serializers.IntegerField()
    attempt = serializers.IntegerField(help_text="Grows by one with each retry.")
    policy = serializers.CharField()
    parallelism = serializers.IntegerField()
    workers = WorkerSerializer(many=True)
    price = PriceSerializer()
    created = serializers.DateTimeField()
    started = serializers.DateTimeField(allow_null=True)
    finished = serializers.DateTimeField(allow_null=True)
    output_folder = serializers.CharField(
        allow_null=True, help_text="Where the results are; null until there are any."
    )

    def to_representation(self, job: Job) -> dict[str, Any]:
        now = queries.progress(job, self.context.get("board"))
        return super().to_representation(
            {  # type: ignore[arg-type]
                **{name: getattr(job, name) for name in _COLUMNS},
                "folder": job.folder_id,
                "output_folder": job.output_folder_id,
                "reason": now.reason,
                "queue_position": now.queue_position,
                "eta_seconds": None if now.eta_seconds is None else round(now.eta_seconds, 1),
                "workers": now.lanes,
                "price": {"held": job.price_held, "charged": job.price_charged},
            }
        )


_COLUMNS = (
    *("id", "app", "app_title", "params", "status", "total", "done", "failed", "attempt", "policy"),
    *("parallelism", "created", "started", "finished"),
)


class ErrorOfPhotoSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


class OutputSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["image", "text", "html", "data"])
    name = serializers.CharField()
    media_type = serializers.CharField()
    sha256 = serializers.CharField()
    bytes = serializers.IntegerField()
    width = serializers.IntegerField(required=False)
    height = serializers.IntegerField(required=False)


class ResultSerializer(serializers.Serializer[Any]):
    """A document: what became of one photo."""

    job = serializers.CharField()
    image = serializers.CharField()
    position = serializers.IntegerField()
    name = serializers.CharField()
    sha256 = serializers.CharField()
    attempt = serializers.IntegerField()
    status = serializers.ChoiceField(["ok", "failed"])
    error = ErrorOfPhotoSerializer(allow_null=True)
    node = serializers.CharField(allow_blank=True)
    worker = serializers.CharField(allow_blank=True)
    started = serializers.FloatField(help_text="Seconds since 1970.")
    finished = serializers.FloatField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    bytes = serializers.IntegerField()
    timings = serializers.DictField(child=serializers.FloatField(), help_text="Milliseconds, by part.")
    outputs = OutputSerializer(many=True)
    output_image = serializers.CharField(allow_null=True, help_text="The result's id in the drive.")
    data = serializers.DictField(allow_null=True, help_text="What the app found; by app.")


class ResultsSerializer(serializers.Serializer[Any]):
    items = ResultSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    count = serializers.IntegerField(help_text="Of the whole job, whatever the filters.")
    counts = serializers.DictField(help_text="{status: {ok, failed}, labels: {…}, rgb: {…}, ryb: {…}}")


class PreviewRequestSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(
        required=False, allow_empty_file=True, use_url=False, help_text="A photo; or:"
    )
    image = serializers.CharField(required=False, max_length=22, help_text="The id of a photo in your drive.")
    params = serializers.JSONField(required=False, help_text="Options as JSON; default: the app's defaults.")
    price = _told_price()


class PreviewImageSerializer(serializers.Serializer[Any]):
    content_type = serializers.CharField()
    base64 = serializers.CharField()


class PreviewJsonSerializer(serializers.Serializer[Any]):
    image = PreviewImageSerializer(required=False, allow_null=True)
    text = serializers.CharField(required=False, allow_null=True)
    html = serializers.CharField(required=False, allow_null=True)
    data = serializers.DictField(required=False, allow_null=True)  # type: ignore[assignment]
    timings = serializers.DictField(child=serializers.FloatField(), help_text="Milliseconds, by part.")


class EventSerializer(serializers.Serializer[Any]):
    time = serializers.DateTimeField()
    kind = serializers.CharField()
    actor = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    data = serializers.DictField()  # type: ignore[assignment]


class EventsSerializer(serializers.Serializer[Any]):
    items = EventSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    count = serializers.IntegerField()
