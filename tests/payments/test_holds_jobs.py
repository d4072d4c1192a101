"""Jobs and previews with a price: held, charged for each good result, the rest given back."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from apps.drive.models import Image
from apps.payments import ledger
from apps.payments.models import Account, Hold, Transaction
from apps.payments.services import holds
from apps.payments.services.purchases import purchase
from apps.processing import catalog
from apps.processing.models import Job
from apps.processing.services import charging, jobs, previews
from apps.processing.services.jobs import JobRequest
from marketplace.api import ApiError
from tests.payments.conftest import credit, make_listing
from tests.processing.conftest import (  # noqa: F401 - fixtures
    SCHEMA,
    _quiet_bell,
    apps,
    clock,
    controller,
    engine,
    photos,
    run_to_end,
)

PRICE = 7


@pytest.fixture
def listing(apps, alice, bob):  # noqa: F811
    """Bought by alice; a processor for its family is in the catalogue."""
    data = json.loads(apps.read_text())
    detector = {
        **data["processors"][0],
        "name": "yolov5",
        "title": "Detector",
        "kind": "detection",
        "weights": True,
        "family": "yolov5",
        "route": "detect",
        "outputs": ["data"],
        "params_schema": SCHEMA,
    }
    apps.write_text(json.dumps({"processors": [*data["processors"], detector]}))
    row = make_listing(bob, 0, price_per_image=PRICE)
    purchase(alice, row.pk)
    return row


@pytest.fixture
def request_of(photos, alice, listing):  # noqa: F811
    def make(count: int) -> JobRequest:
        return JobRequest(app=listing.pk, folder=photos(alice, count).id)

    return make


def _balances(user) -> tuple[int, int]:
    return ledger.balance("wallet", user), ledger.balance("held", user)


def _prices(job) -> tuple[int, int]:
    return Job.objects.values_list("price_held", "price_charged").get(pk=job.pk)


def test_a_job_holds_its_price_and_pays_for_good_results(alice, bob, request_of, controller, engine):  # noqa: F811
    credit(alice, 100)
    job = jobs.submit(alice, request_of(4))
    assert _balances(alice) == (72, 28)
    assert _prices(job) == (28, 0)

    job = run_to_end(controller, engine, job, lambda image: "broken" if image.name == "0001.jpg" else "")

    ok = job.done - job.failed
    assert _balances(alice) == (100 - ok * PRICE, 0)
    assert _prices(job) == (0, ok * PRICE)
    fee = ok * PRICE * 15 // 100
    assert ledger.balance("earnings", bob) == ok * PRICE - fee
    assert Account.objects.get(code="fees").balance == fee


def test_without_enough_credits_nothing_is_queued(alice, request_of):
    credit(alice, 27)
    with pytest.raises(ApiError) as refusal:
        jobs.submit(alice, request_of(4))
    assert refusal.value.code == "insufficient_credits"
    assert refusal.value.fields == {"price": ["28"], "balance": ["27"], "missing": ["1"]}
    assert Job.objects.count() == Hold.objects.count() == 0
    assert _balances(alice) == (27, 0)


def test_cancelling_a_queued_job_gives_everything_back(alice, request_of):
    credit(alice, 50)
    job = jobs.submit(alice, request_of(4))
    jobs.cancel(alice, job.pk)
    assert _balances(alice) == (50, 0)
    assert _prices(job) == (0, 0)


def test_the_same_key_holds_once(alice, request_of):
    credit(alice, 50)
    request = request_of(2)
    jobs.submit(alice, request, "k")
    jobs.submit(alice, request, "k")
    assert _balances(alice) == (36, 14)


def test_settling_twice_charges_once_and_closing_twice_gives_back_once(alice, request_of):
    credit(alice, 50)
    job = jobs.submit(alice, request_of(4))
    for good in (1, 1, 3, 2, 3):
        charging.settle(Job.objects.get(pk=job.pk), good)
    assert _prices(job) == (7, 21)
    for _ in range(2):
        holds.close(f"job:{job.pk}:1")
    assert _balances(alice) == (29, 0)


def test_a_retry_holds_only_what_is_left(alice, request_of, controller, engine):  # noqa: F811
    credit(alice, 100)
    job = run_to_end(controller, engine, jobs.submit(alice, request_of(4)), lambda image: "broken")
    assert _balances(alice) == (100, 0)
    Job.objects.filter(pk=job.pk).update(status="failed")

    jobs.retry(alice, job.pk)

    assert _balances(alice) == (72, 28)
    job.refresh_from_db()
    job = run_to_end(controller, engine, job)
    assert _prices(job) == (0, 28)
    assert _balances(alice) == (72, 0)


def test_a_retry_keeps_the_fee_of_the_submit(alice, request_of, controller, engine, settings):  # noqa: F811
    credit(alice, 100)
    settings.PLATFORM_FEE_PERCENT = 10
    job = run_to_end(controller, engine, jobs.submit(alice, request_of(4)), lambda image: "broken")

    settings.PLATFORM_FEE_PERCENT = 50
    jobs.retry(alice, job.pk)

    assert [*Hold.objects.order_by("pk").values_list("fee_percent", flat=True)] == [10, 10]


def test_a_retry_without_credits_changes_nothing(alice, bob, request_of, controller, engine):  # noqa: F811
    credit(alice, 28)
    job = run_to_end(controller, engine, jobs.submit(alice, request_of(4)), lambda image: "broken")
    purchase(alice, make_listing(bob, 28, title="Everything").pk)

    with pytest.raises(ApiError) as refusal:
        jobs.retry(alice, job.pk)

    assert refusal.value.code == "insufficient_credits"
    job.refresh_from_db()
    assert (job.status, job.attempt) == ("failed", 1)


def test_a_process_that_died_before_giving_back_is_made_up_for(alice, request_of):
    credit(alice, 50)
    job = jobs.submit(alice, request_of(2))
    Job.objects.filter(pk=job.pk).update(status="cancelled")  # and then it died
    charging.sweep()
    assert _balances(alice) == (50, 0)


def test_the_price_of_a_job_stays_what_it_was(alice, listing, request_of, controller, engine):  # noqa: F811
    credit(alice, 100)
    job = jobs.submit(alice, request_of(2))
    listing.price_per_image = 5000
    listing.save()
    job = run_to_end(controller, engine, job)
    assert _prices(job) == (0, 14)


def test_the_seller_runs_it_free(bob, listing, photos):  # noqa: F811
    job = jobs.submit(bob, JobRequest(app=listing.pk, folder=photos(bob, 2).id))
    assert _prices(job) == (0, 0)
    assert Hold.objects.count() == 0


def test_a_built_in_app_touches_no_money(alice, photos):  # noqa: F811
    jobs.submit(alice, JobRequest(app="bw", folder=photos(alice, 2).id))
    assert Transaction.objects.count() == 0


# --- Previews ------------------------------------------------------------------------------------------


@pytest.fixture
def server(monkeypatch):
    """What the preview server answers next."""
    answer = SimpleNamespace(status_code=200, headers={"Content-Type": "application/json"}, content=b"{}")
    answer.json = lambda: {}
    monkeypatch.setattr(previews, "send_preview", lambda *args: answer)
    return answer


def _preview(user, listing, photos, key=None, **params):  # noqa: F811
    image = photos(user, 1).images.get() if "image" not in params else params.pop("image")
    app = catalog.app_for(user, listing.pk)
    previews.preview(user, app, image=image.pk, params=params, accept="application/json", key=key)
    return image


def test_a_preview_costs_the_price_of_a_photo(alice, bob, listing, photos, server):  # noqa: F811
    credit(alice, 20)
    _preview(alice, listing, photos)
    assert _balances(alice) == (13, 0)
    assert ledger.balance("earnings", bob) == 6


def test_a_preview_that_fails_costs_nothing(alice, listing, photos, server):  # noqa: F811
    credit(alice, 20)
    server.status_code = 500
    with pytest.raises(ApiError):
        _preview(alice, listing, photos)
    assert _balances(alice) == (20, 0)


def test_a_preview_without_credits_is_not_made(alice, listing, photos, monkeypatch):  # noqa: F811
    monkeypatch.setattr(previews, "send_preview", lambda *args: pytest.fail("it was asked"))
    with pytest.raises(ApiError) as refusal:
        _preview(alice, listing, photos)
    assert refusal.value.code == "insufficient_credits"


def test_a_key_is_charged_once_and_stands_for_one_preview(alice, listing, photos, server):  # noqa: F811
    credit(alice, 50)
    server.status_code = 500
    with pytest.raises(ApiError):
        _preview(alice, listing, photos, key="k")
    server.status_code = 200
    image = Image.objects.get()

    for _ in range(2):
        _preview(alice, listing, photos, key="k", image=image)
    assert _balances(alice) == (43, 0)

    with pytest.raises(ApiError) as refusal:
        _preview(alice, listing, photos, key="k", image=image, contrast=0.5)
    assert refusal.value.code == "idempotency_key_reused"
    assert _balances(alice) == (43, 0)


def test_a_preview_whose_process_died_is_given_back(alice, listing):
    credit(alice, 20)
    holds.open_hold(alice, reference="preview:x", units=1, unit_price=7, seller=None)
    holds.close_forgotten_previews()
    assert _balances(alice) == (13, 7)
    Hold.objects.update(created="2026-01-01T00:00:00Z")
    holds.close_forgotten_previews()
    assert _balances(alice) == (20, 0)
