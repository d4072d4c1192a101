"""Results over REST: pages, filters, files, and events."""

from __future__ import annotations

import csv
import io
import json

import pytest

from apps.processing import event_stream, exports
from apps.processing.documents import store
from apps.processing.event_stream import HEARTBEAT, LONGEST, POLL, Stream
from apps.processing.models import Job
from marketplace.api import ApiError
from tests.processing.conftest import run_to_end

BASE = "/api/v1/jobs"


def found(*labels: str) -> dict:
    return {
        "detections": [
            {"label": label, "confidence": 0.9, "rgb": "red", "ryb": "red", "box": [1, 2, 30, 40]}
            for label in labels
        ]
    }


@pytest.fixture
def job(alice, submit, controller, engine) -> Job:
    return run_to_end(
        controller, engine, submit(alice, count=5), lambda image: "corrupt" if image.position == 3 else ""
    )


def add(job: Job, position: int, **changes) -> None:
    """One more document, as a detector would make it."""
    [doc] = store().page(job.id, after=0, limit=1)
    store().save_many([doc | {"image": f"i{position}", "position": position} | changes])


def items(api, job: Job, query: str = "") -> list[dict]:
    return api.get(f"{BASE}/{job.id}/results{query}").json()["items"]


def test_one_document_a_photo(alice_api, job):
    answer = alice_api.get(f"{BASE}/{job.id}/results").json()
    assert (answer["count"], answer["next"]) == (5, None)
    assert answer["counts"] == {"status": {"ok": 4, "failed": 1}, "labels": {}, "rgb": {}, "ryb": {}}
    assert [one["position"] for one in answer["items"]] == [0, 1, 2, 3, 4]
    assert answer["items"][3]["error"] == {"code": "corrupt", "message": "It is corrupt."}
    assert "path" not in answer["items"][0]["outputs"][0]


def test_pages(alice_api, job):
    first = alice_api.get(f"{BASE}/{job.id}/results?limit=2&status=ok").json()
    assert [one["position"] for one in first["items"]] == [0, 1]
    second = alice_api.get(first["next"]).json()
    assert [one["position"] for one in second["items"]] == [2, 4]
    assert second["next"] is None


def test_a_filtered_list_counts_what_it_holds(alice_api, job):
    for query, count in [("", 5), ("?status=ok", 4), ("?status=failed&limit=1", 1), ("?label=cat", 0)]:
        answer = alice_api.get(f"{BASE}/{job.id}/results{query}").json()
        assert (answer["count"], answer["counts"]["status"]) == (count, {"ok": 4, "failed": 1})


@pytest.mark.parametrize("name", ["", "/results", "/results.csv", "/log", "/events"])
@pytest.mark.parametrize("odd", ["a%00", "%00", "é", "a" * 23])
def test_what_can_be_no_id_is_not_there(alice_api, name, odd, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert alice_api.get(f"{BASE}/{odd}{name}").status_code == 404


def test_filters(alice_api, job):
    add(job, 10, data=found("boat"))
    add(job, 11, data=found("cat", "cat"))
    assert [one["position"] for one in items(alice_api, job, "?status=failed")] == [3]
    [both] = items(alice_api, job, "?label=cat&min_confidence=0.5&rgb=red")
    assert both["position"] == 11
    assert items(alice_api, job, "?label=cat&min_confidence=0.95") == []
    assert items(alice_api, job, "?label=%00") == items(alice_api, job)
    counts = alice_api.get(f"{BASE}/{job.id}/results").json()["counts"]
    assert counts["labels"] == {"cat": 2, "boat": 1}


@pytest.mark.parametrize("name", ["results", "results.csv", "results.jsonl", "coco.json", "yolo.zip"])
@pytest.mark.parametrize(
    "query", ["status=odd", "min_confidence=2", "min_confidence=nan", "min_confidence=x"]
)
def test_filters_that_make_no_sense(alice_api, job, name, query):
    response = alice_api.get(f"{BASE}/{job.id}/{name}?{query}")
    assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid")
    assert list(response.json()["error"]["fields"]) == [query.partition("=")[0]]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "after=-1", "after=99999999999999999999"]
)
def test_pages_that_make_no_sense(alice_api, job, query):
    response = alice_api.get(f"{BASE}/{job.id}/results?{query}")
    assert (response.status_code, list(response.json()["error"]["fields"])) == (
        422,
        [query.partition("=")[0]],
    )


def text(response) -> str:
    return b"".join(response.streaming_content).decode()


def test_csv_for_spreadsheets(alice_api, job):
    add(job, 10, name='=HYPERLINK("http://x")', data=found("boat"), node="@SUM(1)")
    response = alice_api.get(f"{BASE}/{job.id}/results.csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="Harbour Black & white.csv"'
    body = text(response)
    assert body.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(body[1:])))
    assert len(rows) == 6
    assert rows[5]["name"] == '\'=HYPERLINK("http://x")'
    assert rows[5]["node"] == "'@SUM(1)"
    assert (rows[5]["findings"], rows[0]["findings"]) == ("1", "")
    assert (rows[3]["status"], rows[3]["error_code"], rows[3]["output_image"]) == ("failed", "corrupt", "")
    assert rows[0]["seconds"] == "0.5"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "'="])
def test_no_cell_begins_like_a_formula(start):
    cell = exports.safe_cell(f"{start}cmd")
    assert not cell.lstrip(" \t\r\n").startswith(("=", "+", "-", "@"))


def test_numbers_stay_numbers():
    assert exports.safe_cell(-1.5) == -1.5


def test_json_lines(alice_api, job):
    body = text(alice_api.get(f"{BASE}/{job.id}/results.jsonl?status=ok"))
    assert [json.loads(line)["position"] for line in body.splitlines()] == [0, 1, 2, 4]


def test_an_export_reads_in_batches(alice_api, alice, job, django_assert_max_num_queries):
    for position in range(10, 60):
        add(job, position)
    with django_assert_max_num_queries(5):
        text(alice_api.get(f"{BASE}/{job.id}/results.csv"))


# --- events ---------------------------------------------------------------------------------------


class Script:
    """A clock that does something each time the stream sleeps."""

    def __init__(self, *steps) -> None:
        self.now = 0.0
        self.steps = list(steps)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.steps:
            self.steps.pop(0)()


def events(job: Job, script: Script) -> list[tuple[str, dict]]:
    body = b"".join(Stream(job, script.clock, script.sleep)).decode()
    found = []
    for block in body.split("\n\n"):
        lines = dict(line.partition(": ")[::2] for line in block.splitlines())
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_stream_tells_progress_and_states_and_ends_with_the_job(alice, submit, controller, engine):
    job = submit(alice, count=4)

    def work() -> None:
        controller.tick()
        engine.work(1)

    told = events(job, Script(*[work] * 20))

    assert [data["status"] for name, data in told if name == "state"] == ["queued", "running", "succeeded"]
    progress = [data for name, data in told if name == "progress"]
    assert progress[0]["queue_position"] == 1
    done = [data["done"] for data in progress]
    assert done == sorted(done)
    assert done[-1] == 4
    assert {worker["node"] for worker in progress[-1]["workers"]} == {"node-1", "node-2"}
    assert told[-1][1]["output_folder"] == Job.objects.get(id=job.id).output_folder_id


def test_a_stream_says_nothing_while_nothing_moves_but_a_heartbeat(alice, submit, controller):
    job = submit(alice, count=4)
    controller.tick()
    script = Script()
    lines = list(Stream(job, script.clock, script.sleep))
    assert lines.count(b": still here\n\n") == pytest.approx(LONGEST / HEARTBEAT, abs=1)
    assert sum(line.startswith(b"event: progress") for line in lines) == 1
    assert script.now == pytest.approx(LONGEST, abs=POLL)


def test_an_idle_stream_costs_one_query_a_look(alice, submit, controller, django_assert_num_queries):
    job = submit(alice, count=4)
    controller.tick()
    script = Script()
    stream = Stream(job, script.clock, script.sleep)
    for _ in range(3):
        next(stream)
    with django_assert_num_queries(int(HEARTBEAT / POLL)):
        assert next(stream) == b": still here\n\n"
    stream.close()


def test_a_stream_of_a_finished_job_ends_at_once(job):
    assert [name for name, _ in events(job, Script())] == ["progress", "state"]


def test_a_stream_of_a_removed_job_ends(alice, submit, controller):
    job = submit(alice)
    assert events(job, Script(job.delete))[-1][1]["status"] == "queued"


def test_streams_are_limited_and_give_their_place_back(alice, submit, monkeypatch):
    monkeypatch.setattr(event_stream, "MAX_STREAMS", 2)
    job = submit(alice)
    first, second = Stream(job), Stream(job)
    with pytest.raises(ApiError) as caught:
        Stream(job)
    assert (caught.value.status_code, caught.value.wait) == (429, 5)
    first.close()  # never begun
    first.close()  # and closed twice
    next(second)
    third = Stream(job)
    with pytest.raises(ApiError):
        Stream(job)
    second.close()
    third.close()
    assert not event_stream._open


def test_nobody_takes_the_streams_of_all(alice, bob, submit):
    job, other = submit(alice), submit(alice, name="Other")
    streams = [Stream(job), Stream(job), Stream(other)]
    with pytest.raises(ApiError) as caught:
        Stream(other)
    assert (caught.value.status_code, caught.value.wait) == (429, 5)
    streams.append(Stream(submit(bob)))
    streams.pop(0).close()
    streams.append(Stream(other))
    for stream in streams:
        stream.close()
    assert not event_stream._open


def test_events_over_http(alice_api, job):
    response = alice_api.get(f"{BASE}/{job.id}/events", headers={"Accept": "text/event-stream"})
    assert (response.status_code, response["Content-Type"]) == (200, "text/event-stream")
    assert response["Cache-Control"] == "no-cache, no-transform"
    assert "event: state" in text(response)


def test_too_many_streams_over_http(alice_api, job, monkeypatch):
    monkeypatch.setattr(event_stream, "MAX_STREAMS", 0)
    response = alice_api.get(f"{BASE}/{job.id}/events", headers={"Accept": "text/event-stream"})
    assert (response.status_code, response["Retry-After"]) == (429, "5")
    assert response.json()["error"]["code"] == "too_many"
