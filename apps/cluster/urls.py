from __future__ import annotations

from django.urls import URLPattern, path

from apps.cluster import views

urlpatterns: list[URLPattern] = [
    path("cluster/", views.cluster, name="cluster"),
    path("cluster/live/", views.live, name="cluster-live"),
    path("cluster/policy/", views.set_policy, name="cluster-policy"),
    path("cluster/nodes/<str:name>/", views.change_node, name="cluster-node"),
]
