"""What staff decide about nodes. What nodes say about themselves is in `sync`."""

from __future__ import annotations

import logging

from apps.accounts.models import User
from apps.cluster import access
from apps.cluster.models import Node
from marketplace.api import conflict, invalid

audit = logging.getLogger("audit")

MAX_WEIGHT = 100


def change(user: User, name: str, *, cordoned: bool | None = None, weight: int | None = None) -> Node:
    """Cordon a node (it finishes what it has and gets no new work), or set its share; None: as it is.

    Raises PermissionDenied, Http404, and 422 `invalid` for a weight out of bounds.
    """
    node = access.node_for(user, name)
    if weight is not None and not 0 <= weight <= MAX_WEIGHT:
        text = f"must be between 0 and {MAX_WEIGHT}"
        raise invalid("invalid", "This weight can't be used.", {"weight": [text]})
    wanted = {"cordoned": cordoned, "weight": weight}
    changes = {
        field: value for field, value in wanted.items() if value is not None and value != getattr(node, field)
    }
    if changes:
        Node.objects.filter(name=name).update(**changes)
        audit.info("%s changed %s: %s", user.email, name, ", ".join(f"{k}={v}" for k, v in changes.items()))
    for field, value in changes.items():
        setattr(node, field, value)
    return node


def forget(user: User, name: str) -> None:
    """Take a lost node off the list. Should it come back, it is new. 409 `alive` while it is not lost."""
    node = access.node_for(user, name)
    if not Node.objects.filter(name=node.name, state=Node.State.LOST).delete()[0]:
        raise conflict("alive", f"{name} is alive. Stop its worker first, or cordon it.")
    audit.info("%s removed the lost node %s", user.email, name)
