from __future__ import annotations

from django.urls import URLPattern, path

from apps.cluster import api

urlpatterns: list[URLPattern] = [
    path("nodes", api.NodesView.as_view(), name="api-nodes"),
    path("nodes/<str:name>", api.NodeView.as_view(), name="api-node"),
    path("cluster", api.ClusterView.as_view(), name="api-cluster"),
]
