"""Documents: read as they grow, torn lines, hostile files."""

from __future__ import annotations

import json
import os

import pytest

import jobfolder
from jobfolder import BadJobFolder, results
from jobfolder.results import Writer


def names(documents):
    return [document["image"] for document in documents]


def test_tail_gives_each_document_once(folder):
    with Writer(folder, "1-0001", "w1") as writer:
        writer.append({"image": "a"})
        first, offsets = jobfolder.tail_results(folder, {})
        writer.append({"image": "b", "name": "ü\n.jpg"})
        with Writer(folder, "1-0002", "w2") as other:
            other.append({"image": "c"})
        second, offsets = jobfolder.tail_results(folder, offsets)
        third, _ = jobfolder.tail_results(folder, offsets)

    assert (names(first), names(second), third) == (["a"], ["b", "c"], [])
    assert second[0]["name"] == "ü\n.jpg"


def test_waiting_counts_what_tail_would_give(folder):
    path = folder / "results" / "1-0001@w1.jsonl"
    path.write_text('{"image": "a"}\n{"image": "b"}\n{"image": "c", "na')
    (folder / "results" / "1-0002@w1.jsonl").symlink_to("/etc/passwd")
    assert jobfolder.waiting_results(folder, {}) == 2

    _, offsets = jobfolder.tail_results(folder, {}, limit=1)
    assert jobfolder.waiting_results(folder, offsets) == 1

    _, offsets = jobfolder.tail_results(folder, offsets)
    assert jobfolder.waiting_results(folder, offsets) == 0
    assert jobfolder.waiting_results(folder / "gone", {}) == 0


def test_waiting_reads_each_line_once_for_who_looks_again(folder, monkeypatch):
    path, other = (folder / "results" / f"1-000{n}@w1.jsonl" for n in (1, 2))
    path.write_text('{"image": "a"}\n{"image": "b", "na')
    opened = []
    really = results._open
    monkeypatch.setattr(results, "_open", lambda path: opened.append(path.name) or really(path))
    counted = {}

    assert [jobfolder.waiting_results(folder, {}, counted) for _ in range(3)] == [1, 1, 1]
    assert opened == [path.name]

    with path.open("a") as more:
        more.write('me": "b"}\n')
    other.write_text('{"image": "c"}\n{"image": "d"}\n')
    assert [jobfolder.waiting_results(folder, {}, counted) for _ in range(2)] == [4, 4]
    assert jobfolder.waiting_results(folder, {}) == 4
    assert len(opened) == 5

    _, offsets = jobfolder.tail_results(folder, {})
    assert jobfolder.waiting_results(folder, offsets, {}) == 0


def test_a_write_that_fails_half_way_is_taken_back(folder, monkeypatch):
    with Writer(folder, "1-0001", "w1") as writer:
        writer.append({"image": "a"})
        whole = writer.path.read_bytes()
        real, calls = os.write, []

        def half(fd, data):
            calls.append(1)
            if len(calls) > 1:
                raise OSError(28, "full")
            return real(fd, bytes(data)[:5])

        monkeypatch.setattr(results.os, "write", half)
        with pytest.raises(OSError, match="full"):
            writer.append({"image": "b"})
        monkeypatch.undo()
        assert writer.path.read_bytes() == whole
        writer.append({"image": "c"})
    assert names(jobfolder.tail_results(folder, {})[0]) == ["a", "c"]


def test_tail_stops_at_the_limit_and_goes_on_there(folder):
    for chunk in ("1-0001", "1-0002"):
        with Writer(folder, chunk, "w1") as writer:
            for n in range(5):
                writer.append({"image": f"{chunk}.{n}"})
    seen, offsets = [], {}
    for expected in (3, 3, 3, 1, 0):
        documents, offsets = jobfolder.tail_results(folder, offsets, limit=3)
        assert len(documents) == expected
        seen += names(documents)

    assert seen == [f"{chunk}.{n}" for chunk in ("1-0001", "1-0002") for n in range(5)]


def test_torn_line_is_left_alone_then_cut_off_by_the_next_writer(folder):
    path = folder / "results" / "1-0001@w1.jsonl"
    path.write_text('{"image": "a"}\n{"image": "b", "na')

    documents, offsets = jobfolder.tail_results(folder, {})
    assert names(documents) == ["a"]
    assert results.finished_images(folder, "1-0001") == {"a"}
    with Writer(folder, "1-0001", "w1") as writer:
        writer.append({"image": "b"})
    documents, _ = jobfolder.tail_results(folder, offsets)
    assert names(documents) == ["b"]
    assert path.read_text() == '{"image": "a"}\n{"image":"b"}\n'


def test_file_of_only_a_torn_line(folder):
    path = folder / "results" / "1-0001@w1.jsonl"
    path.write_text('{"ima')
    with Writer(folder, "1-0001", "w1") as writer:
        writer.append({"image": "a"})

    assert names(jobfolder.tail_results(folder, {})[0]) == ["a"]


def test_lines_that_are_no_documents_are_skipped(folder, monkeypatch):
    monkeypatch.setattr(results, "MAX_LINE", 100)
    path = folder / "results" / "1-0001@w1.jsonl"
    long = json.dumps({"image": "x" * 250})
    path.write_text(f'not json\n[1]\n\xff\n{long}\n{{"image": "a"}}\n', encoding="latin-1")

    assert names(jobfolder.tail_results(folder, {})[0]) == ["a"]


def test_finished_images_counts_every_worker_of_the_chunk_only(folder):
    for chunk, worker, image in (("1-0001", "w1", "a"), ("1-0001", "w2", "b"), ("1-0011", "w1", "c")):
        with Writer(folder, chunk, worker) as writer:
            writer.append({"image": image})

    assert results.finished_images(folder, "1-0001") == {"a", "b"}


def test_what_is_no_json_is_refused_and_leaves_no_trace(folder):
    with Writer(folder, "1-0001", "w1") as writer:
        with pytest.raises(ValueError, match="JSON"):
            writer.append({"image": "a", "data": float("nan")})
        writer.append({"image": "b"})

    assert names(jobfolder.tail_results(folder, {})[0]) == ["b"]


def test_full_disk_takes_the_half_line_back(folder, monkeypatch):
    written = os.write
    with Writer(folder, "1-0001", "w1") as writer:
        writer.append({"image": "a"})
        calls = iter([lambda fd, data: written(fd, data[:5])])

        def full(fd, data):
            for call in calls:
                return call(fd, data)
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(results.os, "write", full)
        with pytest.raises(OSError, match="No space"):
            writer.append({"image": "b"})
        monkeypatch.undo()
        writer.append({"image": "c"})

    assert writer.path.read_text() == '{"image":"a"}\n{"image":"c"}\n'


def test_links_among_the_results_are_not_followed(folder, tmp_path):
    secret = tmp_path / "secret.jsonl"
    secret.write_text('{"image": "secret"}\n')
    (folder / "results" / "1-0001@w1.jsonl").symlink_to(secret)
    (folder / "results" / "1-0001@w2.jsonl").mkdir()
    os.mkfifo(folder / "results" / "1-0001@w3.jsonl")

    assert results.finished_images(folder, "1-0001") == set()
    assert jobfolder.tail_results(folder, {})[0] == []


# --- Files that documents name --------------------------------------------------------------------


def test_output_file(folder):
    (folder / "output" / "a.jpg").write_bytes(b"1234")

    path = jobfolder.output_file(folder, {"path": "output/a.jpg", "bytes": 4})

    assert path == folder / "output" / "a.jpg"


@pytest.mark.parametrize(
    "path",
    ["output/../job.json", "/etc/passwd", "../x", "output/.hidden", "output/", "", None, "a.jpg",
     "results/a.jpg", "output/sub/a.jpg", "output/missing.jpg", "output/link.jpg", "output/hard.jpg",
     "output/folder", "output/short.jpg"],
)  # fmt: skip
def test_output_file_refuses_what_a_hostile_worker_could_name(folder, tmp_path, path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"1234")
    (folder / "output" / "link.jpg").symlink_to(secret)
    (folder / "output" / "hard.jpg").hardlink_to(secret)
    (folder / "output" / "folder").mkdir()
    (folder / "output" / "short.jpg").write_bytes(b"12")

    with pytest.raises(BadJobFolder):
        jobfolder.output_file(folder, {"path": path, "bytes": 4})
