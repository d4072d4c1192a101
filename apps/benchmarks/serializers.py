"""Runs as the API shows and takes them."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.benchmarks import queries
from apps.benchmarks.config import ConfigSerializer, Known
from apps.benchmarks.models import BenchmarkRun
from apps.benchmarks.plots import plots_of
from loadbalancer.report.comparison import Row
from loadbalancer.report.statistics import Estimate


class RunRequestSerializer(Known):
    title = serializers.CharField(required=False, max_length=120, allow_blank=True)
    kind = serializers.ChoiceField(BenchmarkRun.Kind.values, default="simulated")
    config = ConfigSerializer(required=False)


class ProgressSerializer(serializers.Serializer[Any]):
    done = serializers.IntegerField()
    total = serializers.IntegerField()


class RunSerializer(serializers.ModelSerializer[BenchmarkRun]):
    """`progress` counts cells: policies and single nodes, times seeds."""

    started_by = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField()
    config = serializers.DictField(read_only=True)
    headline = serializers.DictField(source="summary", read_only=True)

    class Meta:
        model = BenchmarkRun
        fields = [
            *("id", "title", "kind", "status", "reason", "progress", "headline", "config", "started_by"),
            *("created", "started", "finished"),
        ]
        read_only_fields = fields

    def get_started_by(self, run: BenchmarkRun) -> str:
        return run.owner.public_name if run.owner else ""

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, run: BenchmarkRun) -> dict[str, int]:
        return {"done": run.done, "total": run.total}


class NodeSpecSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    speed = serializers.FloatField()
    slots = serializers.IntegerField()
    weight = serializers.IntegerField()


class EstimateSerializer(serializers.Serializer[Estimate]):
    mean = serializers.FloatField()
    half = serializers.FloatField(
        allow_null=True, help_text="half of a 95 % confidence interval; null of one seed"
    )


class RowSerializer(serializers.Serializer[Row]):
    policy = serializers.CharField()
    seeds = serializers.IntegerField()
    images = serializers.IntegerField(help_text="done, over all seeds")
    unfinished = serializers.IntegerField()
    measures = serializers.DictField(
        source="estimates", child=EstimateSerializer(), help_text="over seeds; seconds, percent, ratios"
    )
    utilisation = serializers.DictField(child=serializers.FloatField(), help_text="by node, 0 to 1")


class RunDetailSerializer(RunSerializer):
    """With what came out so far. Needs `table` in its context."""

    nodes = serializers.SerializerMethodField()
    lower_bound = serializers.SerializerMethodField(help_text="seconds that no policy can do without")
    rows = serializers.SerializerMethodField(help_text="one a policy, the best first")
    plots = serializers.SerializerMethodField(help_text="addresses of SVG files by name")

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "nodes", "lower_bound", "rows", "plots"]
        read_only_fields = fields

    @extend_schema_field(NodeSpecSerializer(many=True))
    def get_nodes(self, run: BenchmarkRun) -> Any:
        return NodeSpecSerializer(queries.nodes_of(run), many=True).data

    @extend_schema_field(RowSerializer(many=True))
    def get_rows(self, run: BenchmarkRun) -> Any:
        return RowSerializer(self.context["table"], many=True).data

    @extend_schema_field(EstimateSerializer(allow_null=True))
    def get_lower_bound(self, run: BenchmarkRun) -> Any:
        found = self.context["table"]
        return EstimateSerializer(found[0].estimates["lower_bound"]).data if found else None

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_plots(self, run: BenchmarkRun) -> dict[str, str]:
        names = [plot.name for plot in plots_of(self.context["table"])]
        return {name: reverse("api-benchmark-plot", args=[run.pk, name]) for name in names}


class PointSerializer(serializers.Serializer[Any]):
    nodes = serializers.IntegerField()
    seconds = serializers.FloatField()


class AnswerSerializer(serializers.Serializer[Any]):
    """What the simulator says. Needs `words` in its context."""

    words = serializers.SerializerMethodField(help_text="the answer in sentences")
    policy = serializers.CharField(help_text="the best one")
    lower_bound = serializers.FloatField(source="bound")
    enough = serializers.IntegerField(allow_null=True, help_text="fewest nodes that make it in time")
    enough_seconds = serializers.FloatField(allow_null=True)
    rows = RowSerializer(many=True)
    curve = serializers.SerializerMethodField()
    cut_short = serializers.BooleanField(help_text="the time limit left seeds out")

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_words(self, answer: Any) -> list[str]:
        words: list[str] = self.context["words"]
        return words

    @extend_schema_field(PointSerializer(many=True))
    def get_curve(self, answer: Any) -> list[dict[str, Any]]:
        return [{"nodes": nodes, "seconds": seconds} for nodes, seconds in answer.curve]
