"""REST of apps, quotes and jobs: answers, refusals, whose it is, and how many queries."""

from __future__ import annotations

import pytest

from apps.drive.models import Folder
from apps.processing.models import Job
from apps.processing.services import jobs
from tests.processing.conftest import run_to_end

BASE = "/api/v1"


@pytest.fixture
def body(alice, photos):
    return {"app": "bw", "folder": photos(alice, 2).id}


def error(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_apps_are_listed(alice_api):
    answer = alice_api.get(f"{BASE}/apps").json()
    assert (answer["next"], answer["count"]) == (None, 2)
    first = answer["items"][0]
    assert set(first) == {
        *("id", "title", "summary", "kind", "source", "version", "outputs", "price_per_image"),
        "params_schema",
    }
    assert (first["id"], first["source"], first["price_per_image"]) == ("bw", "builtin", 0)
    assert alice_api.get(f"{BASE}/apps/bw").json() == first
    assert error(alice_api.get(f"{BASE}/apps/none")) == (404, "not_found")


def test_a_quote(alice_api, body, engine):
    engine.sync_nodes()
    response = alice_api.post(f"{BASE}/quotes", body, format="json")
    assert response.status_code == 200
    assert response.json() == {
        "images": 2,
        "price": 0,
        "balance": None,
        "eta_seconds": 0.025,
        "queue_position": 1,
    }
    assert not Job.objects.exists()


def test_a_new_job_has_every_field(alice_api, body):
    response = alice_api.post(f"{BASE}/jobs", body, format="json")
    assert response.status_code == 201
    job = response.json()
    assert {name: job[name] for name in job if name not in {"id", "created"}} == {
        "app": "bw",
        "app_title": "Black & white",
        "params": {"mode": "grayscale", "contrast": 0, "tile_folder": None},
        "folder": body["folder"],
        "status": "queued",
        "reason": "No node is alive: the job starts as soon as one is.",
        "queue_position": 1,
        "eta_seconds": None,
        "total": 2,
        "done": 0,
        "failed": 0,
        "attempt": 1,
        "policy": "pull",
        "parallelism": 0,
        "workers": [],
        "price": {"held": 0, "charged": 0},
        "started": None,
        "finished": None,
        "output_folder": None,
    }
    assert alice_api.get(f"{BASE}/jobs/{job['id']}").json() == job


def test_a_finished_job(alice, alice_api, submit, controller, engine):
    job = run_to_end(controller, engine, submit(alice, count=4, parallelism=1))
    answer = alice_api.get(f"{BASE}/jobs/{job.id}").json()
    assert (answer["status"], answer["done"], answer["eta_seconds"]) == ("succeeded", 4, None)
    [worker] = answer["workers"]
    assert (worker["status"], worker["done"]) == ("exited", 4)
    assert answer["output_folder"] == Folder.objects.get(origin=f"job:{job.id}").id
    assert answer["started"].endswith("Z")
    assert answer["finished"].endswith("Z")


def test_the_reason_while_queued_says_who_is_ahead(
    alice, bob, alice_api, submit, controller, engine, settings
):
    settings.MAX_RUNNING_JOBS = 1
    engine.slots = {"node-1": 1}
    submit(bob, count=20)
    controller.tick()
    job = submit(alice, count=2)
    answer = alice_api.get(f"{BASE}/jobs/{job.id}").json()
    assert answer["reason"] == "Waiting: 1 node is busy with 1 job ahead."
    assert (answer["queue_position"], answer["eta_seconds"]) == (1, pytest.approx(20 * 0.025 + 0.05, abs=0.1))


def test_the_same_idempotency_key_gives_the_same_answer(alice_api, body):
    first = alice_api.post(f"{BASE}/jobs", body, format="json", headers={"Idempotency-Key": "k"})
    second = alice_api.post(f"{BASE}/jobs", body, format="json", headers={"Idempotency-Key": "k"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    other = alice_api.post(
        f"{BASE}/jobs", body | {"parallelism": 1}, format="json", headers={"Idempotency-Key": "k"}
    )
    assert error(other) == (409, "idempotency_key_reused")
    assert Job.objects.count() == 1


def test_a_full_drive_and_a_full_queue_are_answers(alice, alice_api, body, settings):
    settings.MAX_QUEUED_JOBS = 1
    alice_api.post(f"{BASE}/jobs", body, format="json")
    for path in ("jobs", "quotes"):
        response = alice_api.post(f"{BASE}/{path}", body, format="json")
        assert (error(response), response["Retry-After"]) == ((429, "too_many"), "30")
    settings.QUOTA_BYTES = 1
    for path in ("jobs", "quotes"):
        assert error(alice_api.post(f"{BASE}/{path}", body, format="json")) == (413, "quota_exceeded")
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "status", "code", "fields"),
    [
        ({"app": "none"}, 404, "not_found", []),
        ({"folder": "none"}, 404, "not_found", []),
        ({"app": None}, 422, "invalid", ["app"]),
        ({"params": []}, 422, "invalid", ["params"]),
        ({"params": {"contrast": 5}}, 422, "invalid", ["contrast"]),
        ({"image_params": {"x": 1}}, 422, "invalid", ["image_params.x"]),
        ({"parallelism": -1}, 422, "invalid", ["parallelism"]),
        ({"parallelism": "many"}, 422, "invalid", ["parallelism"]),
        ({"policy": "best"}, 422, "invalid", ["policy"]),
    ],
)
@pytest.mark.parametrize("path", ["jobs", "quotes"])
def test_refusals(alice_api, body, path, changes, status, code, fields):
    response = alice_api.post(f"{BASE}/{path}", body | changes, format="json")
    assert error(response) == (status, code)
    assert list(response.json()["error"]["fields"]) == fields
    assert not Job.objects.exists()


def test_a_broken_body_and_one_of_the_wrong_kind(alice_api):
    response = alice_api.post(f"{BASE}/jobs", "{", content_type="application/json")
    assert error(response) == (422, "malformed")
    response = alice_api.post(f"{BASE}/jobs", "[]", content_type="application/json")
    assert error(response) == (422, "invalid")
    response = alice_api.post(f"{BASE}/jobs", "x", content_type="text/csv")
    assert error(response) == (415, "unsupported_media_type")


def test_the_list_can_be_searched_filtered_and_ordered(alice, alice_api, submit):
    first = submit(alice, name="Harbour")
    second = submit(alice, name="Market hall", app="ascii")
    Job.objects.filter(id=first.id).update(status="failed")

    def ids(query: str) -> list[str]:
        return [job["id"] for job in alice_api.get(f"{BASE}/jobs{query}").json()["items"]]

    assert ids("") == [second.id, first.id]
    assert ids("?order=created") == [first.id, second.id]
    assert ids("?q=market") == [second.id]
    assert ids("?q=black") == [first.id]
    assert ids(f"?q={first.id}") == [first.id]
    assert ids("?q=%00") == [second.id, first.id]
    assert ids("?status=failed") == [first.id]
    assert ids("?status=nonsense&order=nonsense") == [second.id, first.id]
    page = alice_api.get(f"{BASE}/jobs?page_size=1").json()
    assert (page["count"], len(page["items"])) == (2, 1)
    assert page["next"].endswith("?page=2&page_size=1")


def test_the_list_costs_the_same_for_one_job_and_for_many(
    alice, alice_api, submit, controller, engine, django_assert_num_queries
):
    def cost() -> int:
        with django_assert_num_queries(6):  # count, page, placements; sums, places in the queue, nodes
            return alice_api.get(f"{BASE}/jobs").json()["count"]

    submit(alice, count=1)
    assert cost() == 1
    for number in range(6):
        run_to_end(controller, engine, submit(alice, count=2, name=f"Folder {number}"))
    submit(alice, count=1, name="Last")
    assert cost() == 8


def test_cancel_retry_and_delete(alice, alice_api, submit, controller, engine):
    job = submit(alice, count=2)
    url = f"{BASE}/jobs/{job.id}"
    assert error(alice_api.post(f"{url}/retry")) == (409, "not_finished")
    assert error(alice_api.delete(url)) == (409, "not_finished")
    response = alice_api.post(f"{url}/cancel")
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    response = alice_api.post(f"{url}/retry", headers={"Idempotency-Key": "r"})
    assert (response.status_code, response.json()["status"]) == (200, "queued")
    assert alice_api.post(f"{url}/retry", headers={"Idempotency-Key": "r"}).status_code == 200
    run_to_end(controller, engine, job)
    assert error(alice_api.post(f"{url}/cancel")) == (409, "finished")
    assert error(alice_api.post(f"{url}/retry")) == (409, "nothing_to_retry")
    assert alice_api.delete(url).status_code == 204
    assert error(alice_api.get(url)) == (404, "not_found")


def test_the_log_tells_what_happened(alice, alice_api, submit):
    job = submit(alice)
    jobs.cancel(alice, job.id)
    answer = alice_api.get(f"{BASE}/jobs/{job.id}/log").json()
    assert [(one["kind"], one["data"]["status"], one["actor"]) for one in answer["items"]] == [
        ("state", "queued", "alice@example.org"),
        ("state", "cancelled", "alice@example.org"),
    ]


CALLS = [
    ("get", ""),
    ("delete", ""),
    ("post", "/cancel"),
    ("post", "/retry"),
    ("get", "/events"),
    ("get", "/log"),
    ("get", "/results"),
    ("get", "/results.csv"),
    ("get", "/results.jsonl"),
    ("get", "/coco.json"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_anothers_job_is_not_there(alice, bob_api, staff_api, submit, method, path):
    job = submit(alice)
    for api in (bob_api, staff_api):
        assert error(getattr(api, method)(f"{BASE}/jobs/{job.id}{path}")) == (404, "not_found")
    assert list(Job.objects.values_list("id", "status")) == [(job.id, "queued")]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_without_logging_in_nothing_is_told(alice, charlie_api, submit, method, path):
    job = submit(alice)
    response = getattr(charlie_api, method)(f"{BASE}/jobs/{job.id}{path}")
    assert error(response) == (401, "not_authenticated")
    assert list(Job.objects.values_list("id", "status")) == [(job.id, "queued")]


@pytest.mark.parametrize("call", ["get apps", "get jobs", "post jobs", "post quotes"])
def test_lists_need_a_login_too(charlie_api, call):
    method, path = call.split()
    assert error(getattr(charlie_api, method)(f"{BASE}/{path}")) == (401, "not_authenticated")


def test_anothers_folder_cant_be_processed(bob_api, body):
    for path in ("jobs", "quotes"):
        assert error(bob_api.post(f"{BASE}/{path}", body, format="json")) == (404, "not_found")
    assert not Job.objects.exists()


def test_jobs_of_others_are_not_in_the_list(alice, bob_api, submit):
    submit(alice)
    assert bob_api.get(f"{BASE}/jobs").json() == {"items": [], "next": None, "count": 0}
