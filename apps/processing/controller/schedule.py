"""Who gets the next free slot, and who must give one back. Pure: no database, no clock.

    want        a job that could use a worker now
    share       the workers that an owner's jobs have together

Slots are shared between owners first and between an owner's jobs second: the next one goes to the owner
with the smallest share, then to that owner's job with the fewest workers, then to who was served longest
ago, then to the oldest. Nobody waits for another's long job: a worker that would leave its owner still
ahead, or that has had its slot for a whole turn, is told to give it back after the photo in hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TURN = 15.0  # seconds that a worker may keep a slot which another owner waits for


@dataclass(frozen=True)
class Want:
    job: str
    owner: str
    age: float  # smaller is older
    more: int  # how many more workers it could use
    served: float = 0.0  # when it last got a worker; 0: never


@dataclass(frozen=True)
class Held:
    """A worker that has a slot."""

    worker: str
    job: str
    owner: str
    since: float
    leaving: bool = False  # told to give the slot back already


def grant(wants: Iterable[Want], held: Sequence[Held], slots: int) -> list[str]:
    """The jobs that get the `slots` free slots, in order; a job is named once for each."""
    shares = Counter(one.owner for one in held)
    workers = Counter(one.job for one in held)
    left = {want.job: want.more for want in wants if want.more > 0}
    open_wants = {want.job: want for want in wants if want.more > 0}
    granted: list[str] = []
    while open_wants and len(granted) < slots:
        want = min(
            open_wants.values(),
            key=lambda one: (shares[one.owner], workers[one.job], one.served, one.age, one.job),
        )
        granted.append(want.job)
        shares[want.owner] += 1
        workers[want.job] += 1
        left[want.job] -= 1
        if not left[want.job]:
            del open_wants[want.job]
    return granted


def reclaim(wants: Iterable[Want], held: Sequence[Held], now: float) -> list[str]:
    """The workers that should give their slot back because a job has none and no slot is free."""
    staying = [one for one in held if not one.leaving]
    shares = Counter(one.owner for one in staying)
    workers = Counter(one.job for one in staying)
    waiting = sorted(
        (want for want in wants if want.more > 0 and not workers[want.job]),
        key=lambda one: (shares[one.owner], one.served, one.age, one.job),
    )
    coming = len(held) - len(staying)  # slots that are about to be free
    told: list[str] = []
    for want in waiting:
        if coming:
            coming -= 1
            shares[want.owner] += 1
            continue
        victim = _victim(want, staying, shares, workers, now)
        if victim is None:
            continue
        staying.remove(victim)
        shares[victim.owner] -= 1
        workers[victim.job] -= 1
        shares[want.owner] += 1
        told.append(victim.worker)
    return told


def _victim(
    want: Want, staying: list[Held], shares: Counter[str], workers: Counter[str], now: float
) -> Held | None:
    def may_take(one: Held) -> bool:
        if one.owner == want.owner:
            return workers[one.job] >= 2
        lead = shares[one.owner] - shares[want.owner]
        return lead >= 2 or (lead >= 1 and now - one.since >= TURN)

    able = [one for one in staying if may_take(one)]
    # From who has most; there, the newest worker of the job with most: the least work is interrupted.
    return max(able, key=lambda one: (shares[one.owner], workers[one.job], one.since), default=None)
