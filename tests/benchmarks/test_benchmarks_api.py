"""`/api/v1/benchmarks`: everyone who is logged in reads, staff start, cancel and delete."""

from __future__ import annotations

import pytest

from apps.benchmarks.models import BenchmarkCell, BenchmarkRun
from apps.benchmarks.services import cells
from tests.benchmarks.conftest import CELLS, SMALL, finish

pytestmark = pytest.mark.django_db
URL = "/api/v1/benchmarks"


def post(api, path=URL, **body):
    headers = body.pop("headers", {})
    return api.post(path, body, format="json", headers=headers)


def test_staff_start_a_run_and_read_what_came_out(
    staff_api, alice_api, queued, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        answer = post(staff_api, title="Two to one", config=SMALL)

    assert answer.status_code == 201
    made = answer.json()
    assert (made["title"], made["kind"], made["status"]) == ("Two to one", "simulated", "queued")
    assert made["progress"] == {"done": 0, "total": CELLS}
    assert (made["rows"], made["lower_bound"], made["started_by"]) == ([], None, "Staff")
    assert [(node["name"], node["speed"]) for node in made["nodes"]] == [("node-1", 2.0), ("node-2", 1.0)]
    assert queued == [made["id"]]

    finish(BenchmarkRun.objects.get(pk=made["id"]))
    read = alice_api.get(f"{URL}/{made['id']}").json()
    assert read["status"] == "succeeded"
    assert read["headline"]["best"] == "pull"
    assert [row["policy"] for row in read["rows"]] == ["pull", "round_robin"]
    best = read["rows"][0]
    assert best["seeds"] == 2
    assert best["images"] == 40
    assert best["measures"]["makespan"]["mean"] >= read["lower_bound"]["mean"] > 0
    assert best["measures"]["saved_slowest"]["mean"] > 50
    assert set(best["utilisation"]) == {"node-1", "node-2"}


def test_everything_has_a_default(staff_api):
    made = post(staff_api).json()

    assert made["title"] == "Nodes 2:1, a folder of 200, uniform sizes"
    assert made["config"]["seeds"] == 5
    assert len(made["config"]["policies"]) >= 8


@pytest.mark.parametrize(
    ("config", "field", "says"),
    [
        ({"nodes": "4:fast"}, "nodes", "4:2:1"),
        ({"nodes": "2000x1"}, "nodes", "1,000"),
        ({"nodes": ""}, "nodes", "4:2:1"),
        ({"nodes": "2:0"}, "nodes", "no speed"),
        ({"images": 0}, "images", "greater than or equal to 1"),
        ({"images": 100_000, "seeds": 30}, "seeds", "fewer"),
        ({"arrivals": "open", "jobs": 5_000, "images": 100}, "jobs", "fewer"),
        ({"load": float("inf")}, "load", ""),
        ({"sizes": "huge"}, "sizes", "huge"),
        ({"policies": ["best"]}, "policies", "best"),
        ({"speed": 3}, "speed", "not known"),
    ],
)
def test_what_cant_be_compared_is_refused_with_the_field(staff_api, config, field, says):
    if config.get("load"):  # JSON has no infinity; a program may send it all the same
        answer = staff_api.post(URL, '{"config": {"load": 1e999}}', content_type="application/json")
    else:
        answer = post(staff_api, config=SMALL | config)

    assert answer.status_code == 422
    fields = answer.json()["error"]["fields"]
    assert [name for name in fields if field in name], fields
    assert says in str(fields)
    assert BenchmarkRun.objects.count() == 0


def test_same_key_starts_one_run(staff_api):
    headers = {"Idempotency-Key": "once"}
    first = post(staff_api, config=SMALL, headers=headers)
    second = post(staff_api, config=SMALL, headers=headers)
    other = post(staff_api, config=SMALL | {"seeds": 3}, headers=headers)

    assert first.json()["id"] == second.json()["id"]
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_reused")
    assert BenchmarkRun.objects.count() == 1


def test_too_many_waiting_are_refused(staff_api, start, monkeypatch):
    monkeypatch.setattr("apps.benchmarks.services.runs.MAX_QUEUED", 1)
    start()

    answer = post(staff_api, config=SMALL)

    assert answer.status_code == 429
    assert answer.headers["Retry-After"]
    assert BenchmarkRun.objects.count() == 1


def test_cancel_keeps_what_is_measured(staff_api, start):
    run = start()
    cells.advance(run.pk, budget=0)

    answer = post(staff_api, f"{URL}/{run.pk}/cancel")

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert post(staff_api, f"{URL}/{run.pk}/cancel").status_code == 200
    assert BenchmarkCell.objects.filter(status="succeeded").count() == 1


def test_finished_run_cant_be_cancelled_and_active_one_cant_be_deleted(staff_api, start):
    done, waiting = finish(start()), start()

    cancelled = post(staff_api, f"{URL}/{done.pk}/cancel")
    deleted = staff_api.delete(f"{URL}/{waiting.pk}")

    assert (cancelled.status_code, cancelled.json()["error"]["code"]) == (409, "finished")
    assert (deleted.status_code, deleted.json()["error"]["code"]) == (409, "not_finished")
    assert BenchmarkRun.objects.count() == 2
    assert staff_api.delete(f"{URL}/{done.pk}").status_code == 204
    assert list(BenchmarkRun.objects.all()) == [waiting]
    assert not BenchmarkCell.objects.filter(run=done.pk).exists()


@pytest.mark.parametrize(("who", "status"), [("alice_api", 403), ("charlie_api", 401)])
def test_others_change_nothing(who, status, start, request):
    api = request.getfixturevalue(who)
    run = finish(start())
    waiting = start()
    before = list(BenchmarkRun.objects.values())

    answers = [
        post(api, config=SMALL),
        post(api, f"{URL}/{waiting.pk}/cancel"),
        api.delete(f"{URL}/{run.pk}"),
    ]

    assert [answer.status_code for answer in answers] == [status] * 3
    assert list(BenchmarkRun.objects.values()) == before


def test_only_who_is_logged_in_reads(charlie_api, bob_api, start):
    run = start()

    assert charlie_api.get(URL).status_code == charlie_api.get(f"{URL}/{run.pk}").status_code == 401
    assert bob_api.get(URL).json()["count"] == 1
    assert bob_api.get(f"{URL}/{run.pk}").status_code == 200
    assert bob_api.get(f"{URL}/nothing").status_code == 404


def test_list_filters_and_takes_two_queries(alice_api, start, django_assert_num_queries):
    for number in range(12):
        start(images=10 + number)
    finish(BenchmarkRun.objects.earliest("created"))

    with django_assert_num_queries(2):  # how many; the page with who started each
        found = alice_api.get(URL).json()

    assert found["count"] == 12
    assert found["items"][0]["config"]["images"] == 21  # the newest
    assert alice_api.get(f"{URL}?status=succeeded").json()["count"] == 1
    assert alice_api.get(f"{URL}?kind=real").json()["count"] == 0
    assert alice_api.get(f"{URL}?q=folder+of+15").json()["count"] == 1


def test_real_run_without_nodes_is_refused(staff_api):
    answer = post(staff_api, kind="real", config=SMALL)

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_nodes")
    assert BenchmarkRun.objects.count() == 0
