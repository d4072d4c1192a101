"""One contract for both document stores: what goes in comes out, once, filtered and counted alike."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import mongomock
import pytest

from apps.processing.documents.base import Counts, Doc, Documents, Event, Filters, Span
from apps.processing.documents.mongo import MongoDocuments, connect
from apps.processing.documents.sql import SqlDocuments
from marketplace.ids import new_id

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


STORES = ["sql", "mongomock", *(["mongodb"] if os.environ.get("MONGODB_URL") else [])]


@pytest.fixture(params=STORES)
def documents(request, db) -> Documents:
    if request.param == "sql":
        return SqlDocuments()
    if request.param == "mongomock":
        return MongoDocuments(mongomock.MongoClient(tz_aware=True)["test"])
    database = connect(os.environ["MONGODB_URL"], f"pixelyard-test-{new_id()}")
    request.addfinalizer(lambda: database.client.drop_database(database.name))
    return MongoDocuments(database)


def doc(position: int, job: str = "j", **changes) -> Doc:
    return {
        "job": job,
        "image": f"i{position}",
        "position": position,
        "name": f"{position}.jpg",
        "attempt": 1,
        "status": "ok",
        "error": None,
        "node": "node-1",
        "worker": "w1",
        "started": 100.0 + position,
        "finished": 100.5 + position,
        "width": 10,
        "height": 20,
        "outputs": [{"kind": "image", "sha256": "a" * 64}],
        "data": None,
    } | changes


def found(*entries: tuple[str, float, str, str]) -> dict:
    keys = ("label", "confidence", "rgb", "ryb")
    return {"detections": [dict(zip(keys, entry, strict=True)) for entry in entries]}


def positions(docs: list[Doc]) -> list[int]:
    return [one["position"] for one in docs]


def test_a_document_comes_back_as_it_was(documents):
    one = doc(0, data={"nested": [1, {"é": None}], "number": 1.5})
    assert documents.save_many([one]) == [one]
    assert documents.page("j") == [one]
    assert documents.page("other") == []


def test_the_first_document_of_a_photo_counts(documents):
    first, second = doc(0, worker="w1"), doc(0, worker="w2", status="failed")
    assert documents.save_many([first]) == [first]
    assert documents.save_many([second, doc(1)]) == [doc(1)]
    assert documents.page("j") == [first, doc(1)]
    assert documents.status_counts("j") == (2, 0)


def test_twice_in_one_call_is_once(documents):
    assert documents.save_many([doc(0), doc(0, worker="w2")]) == [doc(0)]
    assert documents.page("j") == [doc(0)]


def test_saving_nothing(documents):
    assert documents.save_many([]) == []


def test_many_at_once(documents):
    saved = documents.save_many([doc(number) for number in range(503)])
    assert len(saved) == 503
    assert documents.status_counts("j") == (503, 0)


def test_findings_of_a_document_that_was_there_are_not_counted_again(documents):
    one = doc(0, data=found(("boat", 0.9, "red", "red")))
    documents.save_many([one])
    documents.save_many([one])
    assert documents.counts("j").labels == {"boat": 1}


def test_known_photos(documents):
    documents.save_many([doc(0), doc(1), doc(2, job="other")])
    assert documents.known("j") == {"i0", "i1"}
    assert documents.known("j", ["i1", "i2", "i9"]) == {"i1"}
    assert documents.known("j", []) == set()


def test_the_document_before_a_position(documents):
    documents.save_many([doc(0, data=found(("cat", 0.9, "", ""))), doc(1), doc(2, status="failed"), doc(4)])
    documents.save_many([doc(3, job="other")])
    every = Filters()
    assert documents.before("j", every, 4)["position"] == 2
    assert documents.before("j", every, 99)["position"] == 4
    assert documents.before("j", Filters(status="ok"), 4)["position"] == 1
    assert documents.before("j", Filters(label="cat", min_confidence=0.5), 4)["position"] == 0
    assert documents.before("j", every, 0) is None


def test_pages_go_by_position(documents):
    documents.save_many([doc(number) for number in (3, 1, 4, 0, 2)])
    assert positions(documents.page("j", limit=2)) == [0, 1]
    assert positions(documents.page("j", after=1, limit=2)) == [2, 3]
    assert positions(documents.page("j", after=3)) == [4]
    assert documents.page("j", after=4) == []
    assert documents.page("nobody") == []


def test_filter_by_status(documents):
    documents.save_many([doc(0), doc(1, status="failed"), doc(2)])
    assert positions(documents.page("j", Filters(status="failed"))) == [1]
    assert positions(documents.page("j", Filters(status="ok"), after=0)) == [2]
    assert documents.matching("j", Filters(status="failed")) == 1
    assert documents.matching("j", Filters()) == 3
    assert documents.matching("other", Filters()) == 0


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(label="boat"), [0, 1]),
        (Filters(label="cat"), [1]),
        (Filters(label="dog"), []),
        (Filters(min_confidence=0.8), [0, 2]),
        (Filters(min_confidence=0.9), [0]),
        (Filters(label="boat", min_confidence=0.5), [0]),
        (Filters(rgb="blue"), [1]),
        (Filters(ryb="yellow", label="tree"), [2]),
        # One finding must match all: photo 1 has a boat, and something blue, and it is not the boat.
        (Filters(label="boat", rgb="blue"), []),
        (Filters(min_confidence=0.0), [0, 1, 2]),
        (Filters(status="failed", label="boat"), []),
    ],
)
def test_filter_by_findings(documents, filters, expected):
    documents.save_many(
        [
            doc(0, data=found(("boat", 0.9, "red", "red"))),
            doc(1, data=found(("boat", 0.3, "red", "red"), ("cat", 0.4, "blue", "blue"))),
            doc(
                2, data={"classes": [{"label": "tree", "confidence": 0.85, "rgb": "green", "ryb": "yellow"}]}
            ),
            doc(3),
            doc(4, data={"detections": "junk", "classes": [1, {"confidence": 1}]}),
        ]
    )
    assert positions(documents.page("j", filters)) == expected
    assert documents.matching("j", filters) == len(expected)


def test_counts(documents):
    documents.save_many(
        [
            doc(0, data=found(("boat", 0.9, "red", "red"), ("boat", 0.8, "blue", "blue"))),
            doc(1, data=found(("cat", 0.4, "blue", ""))),
            doc(2, status="failed"),
            doc(3, job="other", data=found(("cat", 0.4, "blue", "blue"))),
        ]
    )
    assert documents.counts("j") == Counts(
        ok=2, failed=1, labels={"boat": 2, "cat": 1}, rgb={"blue": 2, "red": 1}, ryb={"blue": 1, "red": 1}
    )
    assert list(documents.counts("j").rgb) == ["blue", "red"]
    assert documents.counts("nobody") == Counts()


def test_by_worker_and_spans(documents):
    documents.save_many([doc(1), doc(0), doc(2, node="node-2", worker="w2", status="failed")])
    assert documents.by_worker("j") == {("node-1", "w1"): 2, ("node-2", "w2"): 1}
    assert documents.spans("j") == [
        Span("node-1", "w1", 100.0, 100.5, "ok", "0.jpg"),
        Span("node-1", "w1", 101.0, 101.5, "ok", "1.jpg"),
        Span("node-2", "w2", 102.0, 102.5, "failed", "2.jpg"),
    ]


def test_export_goes_through_all_in_batches(documents):
    documents.save_many([doc(number) for number in range(7)])
    assert positions(list(documents.export("j", batch=3))) == list(range(7))
    assert positions(list(documents.export("j", batch=7))) == list(range(7))
    assert list(documents.export("j", Filters(status="failed"))) == []


def test_delete_by_status_and_attempt(documents):
    documents.save_many(
        [
            doc(0),
            doc(1, status="failed"),
            doc(2, status="failed", attempt=2, data=found(("boat", 1.0, "", ""))),
            doc(1, job="other", status="failed"),
        ]
    )
    assert documents.delete("j", status="failed", before_attempt=2) == 1
    assert documents.known("j") == {"i0", "i2"}
    assert documents.delete("j") == 2
    assert documents.counts("j") == Counts()
    assert documents.known("other") == {"i1"}


def event(key: str, minutes: int = 0, job: str = "j", **changes) -> Event:
    return Event(job, "state", key, NOON + timedelta(minutes=minutes), "alice@example.org", **changes)


def test_events_are_kept_once_and_come_oldest_first(documents):
    late, early = event("b", 2, reason="Why.", data={"node": "node-1"}), event("a", 1)
    assert documents.record(late) is True
    assert documents.record(early) is True
    assert documents.record(event("b", 5, reason="Again.")) is False
    assert documents.events("j") == [early, late]
    assert documents.events("j", limit=1) == [late]
    assert documents.events("other") == []
    assert documents.record(event("b", job="other")) is True


def test_forget_takes_everything_of_one_job(documents):
    documents.save_many([doc(0), doc(0, job="other")])
    documents.record(event("a"))
    documents.record(event("a", job="other"))
    documents.forget("j")
    assert (documents.known("j"), documents.events("j")) == (set(), [])
    assert (documents.known("other"), len(documents.events("other"))) == ({"i0"}, 1)
