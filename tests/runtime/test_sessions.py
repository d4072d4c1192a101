"""Loaded weights: what is kept, what makes room, what is refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper

from model_images.runtime import sessions
from model_images.runtime.contract import BadImage, BadWeights
from model_images.runtime.metadata import InputMeta, WeightsMeta
from model_images.runtime.sessions import MEMORY_PER_BYTE, SessionCache
from tests import weights


def kept(data_dir, number: int, size: int = 0) -> str:
    return weights.keep(data_dir, weights.classifier(architecture=f"network {number}", padding=size))


def test_session_runs_and_tells_what_it_is(tmp_path):
    session = SessionCache(10**9).get(tmp_path, kept(tmp_path, 1), "classifier")

    output = session.run(np.stack([np.full((8, 8), v, np.float32) for v in (0.25, 0.5, 1)])[None])

    assert output.dtype == np.float32
    assert np.allclose(output, [[1, 2, 4]])
    assert session.meta.classes == ("red", "green", "blue")
    assert session.meta.label(1) == "green"
    assert session.meta.label(7) == "7"
    assert session.input_shape == (None, 3, 8, 8)


def test_least_recently_used_goes_when_there_are_too_many(tmp_path):
    cache = SessionCache(10**9, count=2)
    one, two, three = (kept(tmp_path, number) for number in range(3))

    first = cache.get(tmp_path, one)
    cache.get(tmp_path, two)
    assert cache.get(tmp_path, one) is first
    cache.get(tmp_path, three)

    assert [sha256 in cache for sha256 in (one, two, three)] == [True, False, True]


def test_those_unused_for_longest_go_when_memory_is_short(tmp_path):
    small, middle, large = (kept(tmp_path, n, size) for n, size in enumerate((40_000, 60_000, 90_000)))
    cache = SessionCache(MEMORY_PER_BYTE * 150_000)

    cache.get(tmp_path, small)
    cache.get(tmp_path, middle)
    assert [sha256 in cache for sha256 in (small, middle)] == [True, True]
    cache.get(tmp_path, small)
    cache.get(tmp_path, large)

    assert [sha256 in cache for sha256 in (small, middle, large)] == [True, False, True]
    assert cache.memory <= MEMORY_PER_BYTE * 150_000


def test_refusals(tmp_path):
    cache = SessionCache(50_000)
    assert code(cache, tmp_path, "f" * 64) == "unknown_weights"
    assert code(cache, tmp_path, kept(tmp_path, 1, 30_000)) == "weights_too_large"
    assert code(cache, tmp_path, kept(tmp_path, 1), "gan") == "wrong_family"
    assert code(cache, tmp_path, weights.keep(tmp_path, b"")) == "broken_weights"
    with pytest.raises(ValueError, match="no sha256"):
        cache.get(tmp_path, "../../../etc/passwd")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', "[" * 100_000, "{}"])
def test_weights_that_say_nothing_readable_about_themselves(tmp_path, text):
    node = helper.make_node("Identity", ["images"], ["output"])
    sha256 = weights.keep(tmp_path, weights.model([node], (1, 3, 8, 8), text))

    assert code(SessionCache(10**9), tmp_path, sha256) == "broken_weights"


def code(cache, data_dir, sha256, family=None) -> str:
    with pytest.raises(BadWeights) as refused:
        cache.get(data_dir, sha256, family)
    assert sha256 not in cache or family
    return refused.value.code


def test_input_that_does_not_fit_and_numbers_that_are_none_fail_the_photo(tmp_path):
    session = SessionCache(10**9).get(tmp_path, kept(tmp_path, 1))

    for wrong in (np.zeros((1, 3, 9, 9)), np.zeros((1, 1, 8, 8)), np.full((1, 3, 8, 8), np.nan)):
        with pytest.raises(BadImage) as refused:
            session.run(wrong.astype(np.float32))
        assert refused.value.code == "weights_failed"


def test_half_precision(tmp_path):
    meta = WeightsMeta(family="gan", task="image_to_image", output="image", input=InputMeta(resize="native"))
    node = helper.make_node("Neg", ["images"], ["output"])
    data = weights.model([node], (1, 3, "h", "w"), meta, kind=TensorProto.FLOAT16)

    output = (
        SessionCache(10**9).get(tmp_path, weights.keep(tmp_path, data)).run(np.ones((1, 3, 2, 2), np.float32))
    )

    assert output.dtype == np.float32
    assert np.array_equal(output, -np.ones((1, 3, 2, 2)))


def test_importing_it_ahead_of_a_fork_starts_no_thread_and_reports_to_nobody(tmp_path):
    """A process with threads must not be forked; and 1.29 and later report to their maker if they are let."""
    script = (
        "from model_images.runtime import warm, sessions\n"
        "from pathlib import Path\nimport sys\n"
        "assert 'onnxruntime' in sys.modules\n"
        "print(len(list(Path('/proc/self/task').iterdir())))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.strip() == "1"
    assert list(tmp_path.rglob("*onnxruntime*")) == []


def test_apps_without_weights_start_without_it():
    script = "import sys; from model_images.runtime import child, registry; registry.processors(); "
    script += "assert 'onnxruntime' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_one_process_keeps_one_cache(monkeypatch):
    monkeypatch.setenv("WEIGHTS_MEMORY", "12345")
    sessions.sessions.cache_clear()
    assert sessions.sessions() is sessions.sessions()
    assert sessions.sessions()._memory == 12345
    sessions.sessions.cache_clear()
