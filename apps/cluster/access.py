"""Nodes belong to nobody: everyone who is logged in may look, staff may change."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404

from apps.accounts.models import User
from apps.cluster.models import Node


def require_staff(user: User) -> None:
    """Raises PermissionDenied: 403, as there is nothing here whose existence must stay unknown."""
    if not user.is_staff:
        raise PermissionDenied("Only staff can change the cluster.")


def node_for(user: User, name: str) -> Node:
    """The node, for staff who want to change it. Raises PermissionDenied, then Http404."""
    require_staff(user)
    node = Node.objects.filter(name=name).first() if name.isprintable() else None
    if node is None:
        raise Http404("There is no node with this name.")
    return node
