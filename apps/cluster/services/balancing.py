"""Which node gets the next piece of work: the policy in force, its turn, and who may change it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from random import SystemRandom

from django.conf import settings
from django.core.cache import cache
from redis import RedisError

from apps.accounts.models import User
from apps.cluster import access
from apps.cluster.models import ClusterSettings
from loadbalancer import registry
from loadbalancer.policy import NodeView, Policy
from loadbalancer.pool import Pool
from marketplace.api import invalid
from marketplace.prepared import Prepared

log = logging.getLogger(__name__)
audit = logging.getLogger("audit")

_rng = SystemRandom()  # no state that processes could share after a fork


def policy_names() -> tuple[str, ...]:
    """Those that the engine can follow."""
    return tuple(policies())


def policies() -> dict[str, Policy]:
    """Those that the engine can follow, by name."""
    return {
        name: policy for name, policy in registry.policies().items() if policy.engine in ("", settings.ENGINE)
    }


def why_not(name: str) -> str:
    """What to say of a name that is no policy, or none for this engine; "" for one that can be used."""
    if name in policy_names():
        return ""
    if name in registry.names():
        return f"{name} needs ENGINE={registry.get(name).engine}; here it must be {_one_of()}"
    return f"must be {_one_of()}"


def _one_of() -> str:
    return f"one of {', '.join(policy_names())}"


def current_policy() -> str:
    """What staff have set, else BALANCING_POLICY. One query."""
    return in_force(policy_setting())


def in_force(setting: str) -> str:
    """The policy that follows from what staff have set: a policy that is gone by now counts as none."""
    return setting if setting in policy_names() else str(settings.BALANCING_POLICY)


def policy_setting() -> str:
    """What staff have set; "" when they left it to the environment."""
    rows = _SETTING.rows()
    return str(rows[0][0]) if rows else ""


_SETTING = Prepared(lambda: ClusterSettings.objects.filter(id=1).values_list("policy"))


def choose(
    views: Sequence[NodeView], scope: str, policy: str | None = None, turn: int | None = None
) -> NodeView:
    """One of `views`, which must not be empty. Each `scope` ("jobs", "previews") has a rotation of its own,
    shared by all processes; `turn`: this choice's place in it, where the caller has taken one. A job whose
    policy is gone by now is placed by the current one."""
    if not views:
        raise ValueError("there is no node to choose from")
    name = _usable(policy)
    ordered = sorted(views, key=lambda view: view.name)
    return registry.get(name).choose(ordered, next_turn(scope) if turn is None else turn, _rng)


class Choices:
    """Choices in quick succession among nodes with a free slot, which fill up by them: a controller's round.

    Each is what `choose` would answer for the nodes that are free by then, without looking at all of them
    again: a pool is kept for each policy. Turns are taken from the rotation all at once. A policy with a
    rotation of its own (`weighted_round_robin`) keeps it over all nodes: who is full is passed over, and
    the turn goes to the next.
    """

    def __init__(self, views: Iterable[NodeView], scope: str, count: int) -> None:
        """`count`: choices that are expected; more are possible, and turns that were not used are lost."""
        self._all = sorted(views, key=lambda view: view.name)
        self._free = {view.name: view for view in self._all if view.active < view.slots}
        self._scope = scope
        self._turns = iter(next_turns(scope, count)) if count else iter(())
        self._pools: dict[str, Pool] = {}
        self._rotations: dict[str, Sequence[int] | None] = {}
        self._passed = 0  # turns of rotations that went to another

    @property
    def free(self) -> Mapping[str, NodeView]:
        """Nodes with a free slot, by name."""
        return self._free

    def choose(self, policy: str, avoided: Collection[str] = ()) -> NodeView:
        """A free node, none of `avoided` while there are others. Raises ValueError when all are full."""
        if not self._free:
            raise ValueError("there is no node to choose from")
        name = _usable(policy)
        turn = next(self._turns, None)
        if turn is None:
            turn = next_turn(self._scope)
        if avoided and (others := [self._free[key] for key in sorted(self._free) if key not in avoided]):
            return registry.get(name).choose(others, turn, _rng)
        if name not in self._rotations:
            self._rotations[name] = registry.get(name).rotation(self._all)
        rotation = self._rotations[name]
        if rotation is not None:
            return self._next_in(rotation, turn)
        if name not in self._pools:
            self._pools[name] = Pool(registry.get(name), self._free.values())
        return self._pools[name].choose(turn, _rng)

    def _next_in(self, rotation: Sequence[int], turn: int) -> NodeView:
        """The node whose turn it is, or the next that is free: at most one cycle further, for nodes without
        a turn (weight 0) are free only if there is nobody else."""
        for step in range(len(rotation)):
            name = self._all[rotation[(turn + self._passed + step) % len(rotation)]].name
            if name in self._free:
                self._passed += step
                return self._free[name]
        return self._free[min(self._free)]

    def take(self, name: str) -> None:
        """A slot of that node is taken. Raises KeyError when it has none free."""
        view = replace(self._free[name], active=self._free[name].active + 1)
        if view.active < view.slots:
            self._free[name] = view
            for pool in self._pools.values():
                pool.update(view)
        else:
            del self._free[name]
            for pool in self._pools.values():
                pool.remove(name)


def is_left_to_the_engine(policy: str | None) -> bool:
    """Whether the node of a job's worker is chosen by the engine instead of here."""
    return bool(registry.get(_usable(policy)).engine)


def _usable(policy: str | None) -> str:
    return policy if policy in policy_names() else current_policy()


def next_turn(scope: str) -> int:
    """0, 1, 2, …: each number once among all processes that share the cache.

    Should the cache be gone, a random number: work goes on, spread evenly instead of in rotation.
    """
    return next_turns(scope, 1)[0]


def next_turns(scope: str, count: int) -> range:
    """The next `count` turns, in one request to the cache."""
    key = f"balancing:turn:{scope}"
    try:
        try:
            end = cache.incr(key, count)
        except ValueError:  # not there yet
            cache.add(key, 0, timeout=None)
            end = cache.incr(key, count)
    except RedisError as error:
        log.warning("the rotation of %s is interrupted: %s", scope, error)
        end = _rng.getrandbits(31) + count
    return range(end - count, end)


def set_policy(user: User, name: str) -> str:
    """Staff choose the policy for all new work; "" goes back to BALANCING_POLICY. The policy now in force.

    Raises PermissionDenied, and 422 `invalid` for a name that is no policy.
    """
    access.require_staff(user)
    if name and (problem := why_not(name)):
        raise invalid("invalid", "This balancing policy can't be used here.", {"policy": [problem]})
    before = current_policy()
    ClusterSettings.objects.update_or_create(id=1, defaults={"policy": name})
    after = current_policy()
    audit.info("%s set the balancing policy from %s to %s", user.email, before, after)
    return after
