"""REST of the cluster: everyone looks, staff change."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.cluster import access, queries
from apps.cluster.serializers import (
    ClusterChangeSerializer,
    ClusterSerializer,
    NodeChangeSerializer,
    NodeSerializer,
)
from apps.cluster.services import balancing, nodes
from marketplace.api import Pagination
from marketplace.api_docs import errors, listing
from marketplace.parsers import JSONParser

_READ = (406,)
_CHANGE = (403, 406, 415, 422)  # what a change by anyone can be refused for


class NodesView(APIView):
    @extend_schema(
        operation_id="nodes_list",
        tags=["cluster"],
        parameters=[
            OpenApiParameter("page", int),
            OpenApiParameter("page_size", int, description="Nodes a page: 50, at most 200."),
        ],
        responses={200: listing("NodeList", NodeSerializer(many=True)), **errors(404, *_READ)},
    )
    def get(self, request: Request) -> Response:
        """All nodes by name, lost ones too."""
        pages = Pagination()
        page = pages.paginate_queryset(queries.nodes(), request, self)
        return pages.get_paginated_response(NodeSerializer(page, many=True).data)


class NodeView(APIView):
    parser_classes = [JSONParser]  # a form can't tell "no" from "not asked"

    @extend_schema(
        operation_id="nodes_change",
        tags=["cluster"],
        request=NodeChangeSerializer,
        responses={200: NodeSerializer, **errors(404, *_CHANGE)},
    )
    def patch(self, request: Request, name: str) -> Response:
        """Staff: cordon a node or set its weight."""
        access.node_for(request.user, name)
        asked = NodeChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        nodes.change(request.user, name, **asked.validated_data)
        return Response(NodeSerializer(queries.nodes().get(name=name)).data)

    @extend_schema(
        operation_id="nodes_forget", tags=["cluster"], responses={204: None, **errors(403, 404, 409, *_READ)}
    )
    def delete(self, request: Request, name: str) -> Response:
        """Staff: take a lost node off the list."""
        nodes.forget(request.user, name)
        return Response(status=204)


class ClusterView(APIView):
    parser_classes = [JSONParser]

    @extend_schema(
        operation_id="cluster_read", tags=["cluster"], responses={200: ClusterSerializer, **errors(*_READ)}
    )
    def get(self, request: Request) -> Response:
        """The engine, the balancing policy in force, and the policies to choose from."""
        return Response(_cluster())

    @extend_schema(
        operation_id="cluster_change",
        tags=["cluster"],
        request=ClusterChangeSerializer,
        responses={200: ClusterSerializer, **errors(*_CHANGE)},
    )
    def patch(self, request: Request) -> Response:
        """Staff: choose the balancing policy for all new work."""
        access.require_staff(request.user)
        asked = ClusterChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        if "policy" in asked.validated_data:
            balancing.set_policy(request.user, asked.validated_data["policy"])
        return Response(_cluster())


def _cluster() -> dict[str, Any]:
    setting = balancing.policy_setting()
    policy = balancing.in_force(setting)
    return {
        "engine": settings.ENGINE,
        "policy": policy,
        "policy_set_by": "staff" if policy == setting else "environment",
        "policies": [{"name": name, "summary": one.summary} for name, one in balancing.policies().items()],
    }
