"""What is remembered of previews' times."""

from __future__ import annotations

from apps.cluster.latency import Latencies

SERVER = ("http://127.0.0.1:9000", 1.0)


def test_unknown_server_has_no_latency():
    assert Latencies().of(SERVER) == 0.0


def test_slow_answer_counts_at_once_and_quick_ones_slowly():
    now = [0.0]
    seen = Latencies(lambda: now[0])

    for now[0], seconds in ((0.0, 0.2), (1.0, 3.0), (2.0, 0.2)):
        seen.observe(SERVER, seconds)

    assert 2.5 < seen.of(SERVER) < 3.0


def test_restarted_server_is_unknown_and_an_old_one_forgotten():
    now = [0.0]
    seen = Latencies(lambda: now[0])
    seen.observe(SERVER, 0.2)

    assert seen.of((SERVER[0], 2.0)) == 0.0
    now[0] = 599.0
    assert seen.of(SERVER) == 0.2
    now[0] = 601.0
    assert seen.of(SERVER) == 0.0
