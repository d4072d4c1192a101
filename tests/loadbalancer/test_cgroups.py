"""CPU limits: refused in words where they can't be, and real where they can."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import _cgroups

SPIN = """
import time
start, spent = time.monotonic(), time.process_time()
while time.monotonic() - start < 1: pass
print((time.process_time() - spent) / (time.monotonic() - start))
"""


@pytest.mark.parametrize("mounts", ["", "tmpfs / tmpfs rw 0 0", "cgroup /nowhere/cpu cgroup rw,cpu 0 0"])
def test_without_rights_it_says_what_is_needed(mounts: str):
    with pytest.raises(_cgroups.NoLimits, match="Run as root on Linux with control groups"):
        _cgroups.open_group(mounts)


def test_a_process_gets_its_part_of_a_core_and_no_more():
    try:
        group = _cgroups.open_group()
    except _cgroups.NoLimits as error:
        pytest.skip(str(error))
    try:
        procs = group.limit("node-1", 0.2)
        command = _cgroups.entering(procs, [sys.executable, "-c", SPIN])
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert float(out) == pytest.approx(0.2, abs=0.08)
    finally:
        path = group._path
        group.remove()
    assert not path.exists()


def test_version_2_has_one_file(tmp_path: Path):
    (tmp_path / "cgroup.controllers").write_text("cpu memory")

    group = _cgroups.open_group(f"cgroup2 {tmp_path} cgroup2 rw 0 0")
    procs = group.limit("node-1", 0.25)

    assert group.version == 2
    assert (procs.parent / "cpu.max").read_text() == "2500 10000"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu"
    slow = group.limit("node-2", 0.05)  # 500 µs of 10,000 would be less than the kernel takes
    assert (slow.parent / "cpu.max").read_text() == "1000 20000"
