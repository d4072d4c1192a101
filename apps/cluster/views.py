"""The cluster page: everyone sees the nodes and their load, staff steer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.cluster import queries
from apps.cluster.chart import HEIGHT, WIDTH, Chart, draw
from apps.cluster.models import Node
from apps.cluster.queries import Working
from apps.cluster.services import balancing, nodes
from apps.cluster.services.nodes import MAX_WEIGHT
from loadbalancer import registry
from marketplace.api import ApiError


@dataclass(frozen=True)
class Card:
    """A node as the page shows it."""

    node: Node
    workers: list[Working]
    chart: Chart
    state: str  # ready | busy | cordoned | lost | unknown

    @property
    def slots(self) -> list[bool]:
        """Each slot, busy ones first."""
        return [index < self.node.active for index in range(max(self.node.slots, self.node.active))]

    @property
    def free(self) -> int:
        return max(0, self.node.slots - self.node.active)


@login_required
@require_safe
def cluster(request: HttpRequest) -> HttpResponse:
    return render(request, "cluster/cluster.html", _live(request) | _policy())


@login_required
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The part that the page fetches again and again."""
    return render(request, "cluster/live.html", _live(request) | {"polled": True})


@login_required
@require_POST
def set_policy(request: HttpRequest) -> HttpResponse:
    """Staff choose the policy; an empty one goes back to the environment's."""
    name = request.POST.get("policy", "")
    try:
        said = f"New work is now spread by {balancing.set_policy(request.user, name)}."
    except ApiError as error:
        return _answer(request, "cluster/policy.html", _policy(), error.message, "bad")
    return _answer(request, "cluster/policy.html", _policy(), said, "good")


@login_required
@require_POST
def change_node(request: HttpRequest, name: str) -> HttpResponse:
    """Staff cordon, uncordon or forget a node, or set its weight: what `action` says."""
    level = "good"
    try:
        said = _change(request, name)
    except ApiError as error:
        why = [f"{field} {text}" for field, texts in error.fields.items() for text in texts]
        said, level = " ".join([error.message, *why]), "bad"
    return _answer(request, "cluster/live.html", _live(request) | {"polled": True}, said, level)


def _change(request: HttpRequest, name: str) -> str:
    action = request.POST.get("action", "")
    if action == "cordon":
        nodes.change(request.user, name, cordoned=True)
        return f"{name} gets no new work. It finishes what it has."
    if action == "uncordon":
        nodes.change(request.user, name, cordoned=False)
        return f"{name} gets work again."
    if action == "forget":
        nodes.forget(request.user, name)
        return f"{name} was removed from the list."
    raw = request.POST.get("weight", "")
    weight = int(raw) if raw.isdecimal() and len(raw) < 10 else -1
    nodes.change(request.user, name, weight=weight)
    return f"The weight of {name} is {weight}."


def _live(request: HttpRequest) -> dict[str, Any]:
    seen = queries.overview(request.user)
    unknown = seen.silent_for is not None
    cards = [
        Card(
            node,
            seen.workers.get(node.name, []),
            draw(seen.history.get(node.name, []), seen.since, seen.now),
            _state(node, unknown),
        )
        for node in seen.nodes
    ]
    alive = [card for card in cards if card.state not in {"lost", "unknown"}]
    return {
        "cards": cards,
        "alive": alive,
        "silent_for": seen.silent_for,
        "slots_total": sum(card.node.slots for card in alive),
        "slots_busy": sum(card.node.active for card in alive),
        "images": sum(card.chart.images for card in cards),
        "minutes": int(queries.HISTORY.total_seconds() // 60),
        "chart": {"width": WIDTH, "height": HEIGHT},
        "max_weight": MAX_WEIGHT,
    }


def _state(node: Node, unknown: bool) -> str:
    if node.status != "ready":
        return node.status
    if unknown:
        return "unknown"
    return "busy" if node.active >= node.slots else "ready"


def _policy() -> dict[str, Any]:
    setting = balancing.policy_setting()
    policy = balancing.in_force(setting)
    return {
        "policy": policy,
        "chosen": setting if setting == policy else "",
        "environment": settings.BALANCING_POLICY,
        "summary": registry.get(policy).summary,
        "policies": balancing.policies().values(),
    }


def _answer(
    request: HttpRequest, template: str, context: dict[str, Any], said: str, level: str
) -> HttpResponse:
    """The changed part with a toast for htmx; the page again with a message for everyone else."""
    if not request.headers.get("HX-Request"):
        messages.add_message(request, messages.SUCCESS if level == "good" else messages.ERROR, said)
        return redirect("cluster")
    response = render(request, template, context)
    response["HX-Trigger"] = json.dumps({"toast": {"text": said, "level": level}})
    return response
