"""Which node gets the next piece of work: the policy in force, its turn, and who may change it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from random import SystemRandom

from django.conf import settings
from django.core.cache import cache
from redis import RedisError

from apps.accounts.models import User
from apps.cluster import access
from apps.cluster.models import ClusterSettings
from loadbalancer import registry
from loadbalancer.policy import NodeView
from marketplace.api import invalid
from marketplace.prepared import Prepared

log = logging.getLogger(__name__)
audit = logging.getLogger("audit")

_rng = SystemRandom()  # no state that processes could share after a fork


def policy_names() -> tuple[str, ...]:
    return registry.names()


def current_policy() -> str:
    """What staff have set, else BALANCING_POLICY. One query."""
    return in_force(policy_setting())


def in_force(setting: str) -> str:
    """The policy that follows from what staff have set: a policy that is gone by now counts as none."""
    return setting if setting in registry.names() else str(settings.BALANCING_POLICY)


def policy_setting() -> str:
    """What staff have set; "" when they left it to the environment."""
    rows = _SETTING.rows()
    return str(rows[0][0]) if rows else ""


_SETTING = Prepared(lambda: ClusterSettings.objects.filter(id=1).values_list("policy"))


def choose(views: Sequence[NodeView], scope: str, policy: str | None = None) -> NodeView:
    """One of `views`, which must not be empty. Each `scope` ("jobs", "previews") has a rotation of its own,
    shared by all processes. A job whose policy is gone by now is placed by the current one."""
    if not views:
        raise ValueError("there is no node to choose from")
    name = policy if policy in registry.names() else current_policy()
    ordered = sorted(views, key=lambda view: view.name)
    return registry.get(name).choose(ordered, next_turn(scope), _rng)


def next_turn(scope: str) -> int:
    """0, 1, 2, …: each number once among all processes that share the cache.

    Should the cache be gone, a random number: work goes on, spread evenly instead of in rotation.
    """
    key = f"balancing:turn:{scope}"
    try:
        try:
            return cache.incr(key) - 1
        except ValueError:  # not there yet
            cache.add(key, 0, timeout=None)
            return cache.incr(key) - 1
    except RedisError as error:
        log.warning("the rotation of %s is interrupted: %s", scope, error)
        return _rng.getrandbits(31)


def set_policy(user: User, name: str) -> str:
    """Staff choose the policy for all new work; "" goes back to BALANCING_POLICY. The policy now in force.

    Raises PermissionDenied, and 422 `invalid` for a name that is no policy.
    """
    access.require_staff(user)
    if name and name not in registry.names():
        known = f"must be one of {', '.join(registry.names())}"
        raise invalid("invalid", "This is no balancing policy.", {"policy": [known]})
    before = current_policy()
    ClusterSettings.objects.update_or_create(id=1, defaults={"policy": name})
    after = current_policy()
    audit.info("%s set the balancing policy from %s to %s", user.email, before, after)
    return after
