"""Whose turn it is: fair between owners, then between an owner's jobs, and nobody starves."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from apps.processing.controller.schedule import TURN, Held, Want, grant, reclaim


def want(job: str, more: int = 1, age: float = 0.0, served: float = 0.0) -> Want:
    return Want(job, job[0], age, more, served)


def held(job: str, number: int = 1, since: float = 0.0, leaving: bool = False) -> Held:
    return Held(f"{job}-{number}", job, job[0], since, leaving)


def test_one_job_gets_every_slot_it_can_use():
    assert grant([want("a1", more=3)], [], 2) == ["a1", "a1"]
    assert grant([want("a1", more=1)], [], 2) == ["a1"]
    assert grant([want("a1", more=0)], [], 2) == []


def test_the_oldest_first():
    assert grant([want("b1", age=2), want("a1", age=1), want("c1", age=3)], [], 2) == ["a1", "b1"]


def test_two_owners_share_although_one_came_first():
    assert grant([want("a1", more=9, age=1), want("b1", more=9, age=2)], [], 2) == ["a1", "b1"]


def test_who_has_nothing_comes_before_who_has_something():
    assert grant([want("a1", more=9, age=1), want("b1", age=2)], [held("a1")], 1) == ["b1"]


def test_an_owner_of_many_jobs_counts_as_one():
    wants = [want("a1", age=1), want("a2", age=2), want("a3", age=3), want("b1", age=4)]
    assert grant(wants, [], 2) == ["a1", "b1"]


def test_of_an_owners_jobs_the_one_without_a_worker():
    assert grant([want("a1", more=9, age=1), want("a2", age=2)], [held("a1")], 1) == ["a2"]


def test_after_giving_a_slot_back_it_is_the_others_turn():
    assert grant([want("a1", more=9, age=1, served=10.0), want("b1", age=2)], [], 1) == ["b1"]


def test_nothing_is_reclaimed_while_nobody_waits():
    assert reclaim([want("a1", more=9)], [held("a1", 1), held("a1", 2)], now=99.0) == []
    assert reclaim([], [held("a1")], now=99.0) == []


def test_from_who_has_two_the_newest_goes_at_once():
    held_ = [held("a1", 1, since=1.0), held("a1", 2, since=2.0)]
    assert reclaim([want("b1")], held_, now=2.1) == ["a1-2"]


def test_the_last_worker_goes_only_after_a_turn():
    assert reclaim([want("b1")], [held("a1", since=0.0)], now=TURN - 0.1) == []
    assert reclaim([want("b1")], [held("a1", since=0.0)], now=TURN) == ["a1-1"]


def test_what_is_leaving_already_is_enough():
    held_ = [held("a1", 1), held("a1", 2, leaving=True)]
    assert reclaim([want("b1")], held_, now=99.0) == []


def test_two_that_wait_get_one_each():
    held_ = [held("a1", number, since=number) for number in range(4)]
    assert reclaim([want("b1", age=1), want("c1", age=2)], held_, now=5.0) == ["a1-3", "a1-2"]


def test_an_owners_second_job_takes_from_the_first_if_that_has_two():
    assert reclaim([want("a2")], [held("a1", 1), held("a1", 2, since=1.0)], now=2.0) == ["a1-2"]
    assert reclaim([want("a2")], [held("a1", 1)], now=99.0) == []


jobs = st.sampled_from([f"{owner}{number}" for owner in "abc" for number in (1, 2)])
wants_ = st.lists(
    st.builds(want, jobs, st.integers(0, 5), st.floats(0, 9), st.floats(0, 9)), unique_by=lambda one: one.job
)
helds = st.lists(jobs, max_size=8).map(
    lambda names: [held(job, number, since=number) for number, job in enumerate(names)]
)


@given(wants_, helds, st.integers(0, 6))
def test_no_slot_is_left_empty_and_none_is_given_twice(wants, holding, slots):
    granted = grant(wants, holding, slots)
    assert len(granted) == min(slots, sum(one.more for one in wants))
    more = {one.job: one.more for one in wants}
    assert all(count <= more[job] for job, count in Counter(granted).items())


@given(wants_, helds, st.integers(0, 6))
def test_nobody_gets_ahead_of_an_owner_who_still_waits(wants, holding, slots):
    granted = grant(wants, holding, slots)
    shares = Counter(one.owner for one in holding)
    left = Counter({one.job: one.more for one in wants})
    for job in granted:
        waiting = {one.owner for one in wants if left[one.job] > 0}
        assert shares[job[0]] == min(shares[owner] for owner in waiting)
        shares[job[0]] += 1
        left[job] -= 1


@given(wants_, helds)
def test_before_a_turn_is_over_nobody_loses_the_last_worker(wants, holding):
    told = reclaim(wants, holding, now=5.0)
    assert len(set(told)) == len(told) <= sum(one.more > 0 for one in wants)
    after = Counter(one.owner for one in holding if one.worker not in told)
    assert all(after[one.owner] >= 1 for one in holding)
