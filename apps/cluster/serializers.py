"""Nodes and the cluster's settings as the API shows and takes them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.cluster.models import Node
from apps.cluster.services.nodes import MAX_WEIGHT
from loadbalancer import registry


class NodeSerializer(serializers.ModelSerializer[Node]):
    """`active`: workers of jobs on the node now. `speed`: megapixels a second, measured at its start."""

    status = serializers.ChoiceField(
        ["ready", "cordoned", "lost"],
        read_only=True,
        help_text="cordoned: finishes what it has and gets no new work; lost: no sign of life",
    )
    active = serializers.IntegerField(read_only=True)

    class Meta:
        model = Node
        fields = [
            "name",
            "status",
            "slots",
            "active",
            "weight",
            "speed",
            "engine",
            "cores",
            "cordoned",
            "closed",
            "started",
            "last_seen",
        ]
        read_only_fields = fields


class _Known(serializers.Serializer[Any]):
    """Refuses names that it does not know: a typing error must not look like a change."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError({name: ["is not known"] for name in unknown})
        return super().to_internal_value(data)


class NodeChangeSerializer(_Known):
    cordoned = serializers.BooleanField(required=False, help_text="true: gets no new work")
    weight = serializers.IntegerField(
        required=False, min_value=0, max_value=MAX_WEIGHT, help_text="share under the weighted policies"
    )


class PolicySerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    summary = serializers.CharField()


class ClusterSerializer(serializers.Serializer[Any]):
    engine = serializers.CharField(help_text="how workers get onto nodes")
    policy = serializers.CharField(help_text="in force for new jobs and previews")
    policy_set_by = serializers.ChoiceField(["environment", "staff"])
    policies = PolicySerializer(many=True, help_text="those to choose from")


class ClusterChangeSerializer(_Known):
    policy = serializers.ChoiceField(
        registry.names(), required=False, allow_blank=True, help_text="empty: as the environment says"
    )
