"""Creating, stopping and deleting job folders, also halfway and twice."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import jobfolder
from jobfolder import BadJobFolder, Chunk, JobSpec, layout
from tests.jobfolder.conftest import images


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def tree(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_create_and_read_back(folder, spec):
    assert jobfolder.read_spec(folder) == spec
    assert jobfolder.pending(folder) == ["1-0001", "1-0002", "1-0003"]
    assert not jobfolder.stop_requested(folder)


def test_create_again_changes_nothing(folder, data_dir, spec):
    jobfolder.chunks.claim(folder, "w1")
    before = tree(folder)

    assert not jobfolder.create(jobfolder.jobs_root(data_dir), spec, [Chunk("1-0009", ())])
    assert tree(folder) == before


def test_create_at_once_from_many_threads_makes_one_whole_folder(data_dir, spec):
    chunks = jobfolder.plan_chunks(images(50), 1.0)
    root = jobfolder.jobs_root(data_dir)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: jobfolder.create(root, spec, chunks), range(8)))

    assert made.count(True) == 1
    assert names(root) == ["job1"]
    assert jobfolder.pending_count(root / "job1") == len(chunks)


def test_create_that_fails_leaves_nothing(data_dir, spec):
    def chunks():
        yield Chunk("1-0001", ())
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        jobfolder.create(jobfolder.jobs_root(data_dir), spec, chunks())
    assert names(jobfolder.jobs_root(data_dir)) == []


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a@b", "x" * 200, "a\n"])
def test_names_that_could_leave_the_folder_are_refused(data_dir, name):
    with pytest.raises(ValueError, match="file names"):
        jobfolder.job_dir(data_dir, name)
    with pytest.raises(ValueError, match="file names"):
        jobfolder.drive_path(data_dir, name, "a" * 64)
    with pytest.raises(ValueError, match="sha256"):
        jobfolder.drive_path(data_dir, "7", name)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"job": "j"}', '{"job":"j","owner":"../x","app":"a","app_version":"1"}',
     '{"job":"j","owner":"7","app":"a","app_version":"1","sample":["../../etc/passwd"]}',
     '{"job":"j","owner":"7","app":"a","app_version":"1","limits":{"pixels":3}}'],
)  # fmt: skip
def test_spec_that_makes_no_sense(folder, text):
    (folder / "job.json").write_text(text)

    with pytest.raises(BadJobFolder, match=r"job\.json"):
        jobfolder.read_spec(folder)


def test_stop_is_idempotent_and_can_be_taken_back(folder):
    for _ in range(2):
        jobfolder.request_stop(folder)
        assert jobfolder.stop_requested(folder)
    for _ in range(2):
        jobfolder.clear_stop(folder)
        assert not jobfolder.stop_requested(folder)


def test_delete_twice_and_everything_tolerates_it(folder):
    jobfolder.delete(folder)
    jobfolder.delete(folder)

    assert names(folder.parent) == []
    assert jobfolder.stop_requested(folder)
    jobfolder.request_stop(folder)
    assert jobfolder.pending(folder) == []
    assert jobfolder.claims(folder) == []
    assert jobfolder.is_finished(folder)
    assert jobfolder.tail_results(folder, {}) == ([], {})
    assert jobfolder.read_workers(folder) == []
    assert jobfolder.release(folder, "w1") == []
    assert jobfolder.chunks.claim(folder, "w1") is None
    with pytest.raises(FileNotFoundError):
        jobfolder.read_spec(folder)
    with pytest.raises(FileNotFoundError):
        jobfolder.add_chunks(folder, [Chunk("2-0001", ())])
    assert not folder.exists()


def test_sweep_removes_old_leftovers_only(folder):
    root = folder.parent
    for name in (".job2.aa.making", ".job3.bb.deleting"):
        (root / name / "pending").mkdir(parents=True)
    old = (root / ".job2.aa.making").stat().st_mtime + layout._STALE_SECONDS + 1

    assert jobfolder.sweep(root) == []
    assert jobfolder.sweep(root, now=old + 60) == [".job2.aa.making", ".job3.bb.deleting"]
    assert names(root) == ["job1"]


def test_spec_of_other_owner_types_is_kept(data_dir):
    spec = JobSpec("j2", "42", "ascii", "3", weights="c" * 64, limits=jobfolder.Limits(5.0, 1, 2, 3))

    jobfolder.create(jobfolder.jobs_root(data_dir), spec, [])

    assert jobfolder.read_spec(jobfolder.job_dir(data_dir, "j2")) == spec


@pytest.mark.parametrize("on_its_way", [False, True])
def test_bytes_replace_a_file_at_once(tmp_path, on_its_way):
    path = tmp_path / "output" / "a.jpg"
    path.parent.mkdir()
    path.write_bytes(b"old")

    layout.write_bytes(path, b"new" * 300_000, on_its_way=on_its_way)

    assert path.read_bytes() == b"new" * 300_000
    assert names(path.parent) == ["a.jpg"]


def test_only_large_outputs_are_sent_to_the_disk_at_once(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(os, "posix_fadvise", lambda *arguments: told.append(arguments[1:]))

    layout.write_bytes(tmp_path / "small", b"x")
    layout.write_bytes(tmp_path / "large", b"x", on_its_way=True)

    assert told == [(0, 0, os.POSIX_FADV_DONTNEED)]
