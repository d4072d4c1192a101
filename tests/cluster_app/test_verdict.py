"""What became of a worker: every combination of witnesses that means something."""

from __future__ import annotations

import pytest

from apps.cluster.engines.verdict import START_SECONDS, Handed, judge
from jobfolder import Heartbeat, NodeHeartbeat

NOW = 1_790_000_000.0
TIMEOUT = 5.0


def node(*, age: float = 0.3, up: float = 60.0, running: tuple[str, ...] = ()) -> NodeHeartbeat:
    """A node's heartbeat, written `age` seconds ago by a process started `up` seconds ago."""
    return NodeHeartbeat("node-1", "celery", 1, 100.0, "0", 1, NOW - up, NOW - age, list(running))


def worker(*, age: float = 0.3, up: float = 30.0, state: str = "working", reason: str = "") -> Heartbeat:
    return Heartbeat("w", "node-1", 2, NOW - up, NOW - age, state=state, reason=reason)


def verdict(beat=None, node=None, handed_ago: float = 30.0, stopping: bool = False) -> tuple[str, str]:
    handed = Handed("node-1", NOW - handed_ago)
    seen = judge("w", handed, beat, node, NOW, TIMEOUT, stopping)
    assert seen.heartbeat is beat
    return seen.state, seen.reason


class TestWithoutAHeartbeat:
    def test_just_handed_over(self):
        assert verdict(node=node(), handed_ago=0.1) == ("waiting", "Handed to node-1.")

    def test_still_waiting_at_the_limit(self):
        assert verdict(node=node(), handed_ago=START_SECONDS)[0] == "waiting"

    def test_never_started(self):
        reason = "node-1 did not start it within 10 s."
        assert verdict(node=node(), handed_ago=START_SECONDS + 0.1) == ("lost", reason)

    def test_taken_but_slow_to_start(self):
        seen = verdict(node=node(running=("w",)), handed_ago=60)
        assert seen == ("waiting", "node-1 is starting it.")

    def test_node_that_never_reported(self):
        reason = "node-1 gives no sign of life at all; the worker had not started."
        assert verdict(handed_ago=0.1) == ("lost", reason)

    def test_node_that_fell_silent(self):
        reason = "node-1 gives no sign of life for 7 s; the worker had not started."
        assert verdict(node=node(age=7.2), handed_ago=0.1) == ("lost", reason)

    def test_task_that_was_lost_with_the_node_worker(self):
        reason = "node-1 was restarted after it was given the worker."
        assert verdict(node=node(up=3), handed_ago=4) == ("lost", reason)

    def test_node_that_has_just_come_back_may_still_take_it(self):
        assert verdict(node=node(up=1), handed_ago=4)[0] == "waiting"

    def test_told_to_stop_before_it_started(self):
        said = ("exited", "It was told to stop before it started.")
        assert verdict(node=node(), handed_ago=3, stopping=True) == said

    def test_stop_and_start_may_cross(self):
        assert verdict(node=node(), handed_ago=0.5, stopping=True)[0] == "waiting"
        assert verdict(node=node(running=("w",)), handed_ago=3, stopping=True)[0] == "waiting"

    def test_worker_out_of_nowhere_is_a_programming_error(self):
        with pytest.raises(ValueError, match="w has neither a placement nor a heartbeat"):
            judge("w", None, None, node(), NOW, TIMEOUT)


class TestWithAHeartbeat:
    def test_at_work(self):
        assert verdict(worker(), node(running=("w",))) == ("running", "")

    def test_at_work_and_too_new_for_the_nodes_heartbeat(self):
        assert verdict(worker(up=0.2, age=0.1), node(age=0.9)) == ("running", "")

    def test_node_worker_died_but_the_process_still_beats(self):
        """Its own word counts: it may finish what it has in hand."""
        assert verdict(worker(), node(age=30))[0] == "running"
        assert verdict(worker(), None)[0] == "running"

    def test_silence(self):
        assert verdict(worker(age=5.5), node(running=("w",))) == ("lost", "No sign of life for 6 s.")

    def test_silence_and_no_node(self):
        assert verdict(worker(age=61), None) == ("lost", "No sign of life for 61 s.")

    def test_heartbeat_from_the_future_is_no_sign_of_life(self):
        assert verdict(worker(age=-90), node()) == ("lost", "No sign of life for 90 s.")

    def test_process_killed_while_its_node_lives(self):
        """Seen within two heartbeats, long before the time-out."""
        said = ("lost", "Its process on node-1 ended without a word.")
        assert verdict(worker(age=2.5), node(age=0.2)) == said

    def test_node_worker_killed_and_restarted(self):
        said = ("lost", "node-1 was restarted while it worked.")
        assert verdict(worker(age=2.9), node(up=2.5)) == said

    @pytest.mark.parametrize(
        ("reason", "words"),
        [
            ("done", "No photos were left for it."),
            ("stopped", "It was told to stop."),
            ("terminated", "It was ended with its node."),
            ("recycled", "It had used too much memory and was ended."),
            ("error: there is no app called sepia", "there is no app called sepia"),
        ],
    )
    def test_exited(self, reason: str, words: str):
        assert verdict(worker(age=3600, state="exited", reason=reason), node()) == ("exited", words)

    def test_recycled_by_a_node_that_starts_it_again(self):
        beat = worker(state="exited", reason="recycled")
        assert verdict(beat, node(running=("w",)))[0] == "running"

    def test_worker_whose_placement_has_ended_is_still_seen(self):
        assert judge("w", None, worker(), node(running=("w",)), NOW, TIMEOUT).state == "running"
