"""Several requests of one owner at the same time, on a database that several threads share."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection

from apps.accounts.models import User
from apps.drive import storage
from apps.drive.models import Folder, Image
from apps.drive.services import folders, images, ingest, purge, quota
from apps.drive.services.ingest import Adopted
from marketplace.api import ApiError
from tests.drive import photos

# Naming the apps lets the clean-up truncate with CASCADE: a package's replaced table refers to the users.
pytestmark = pytest.mark.django_db(
    transaction=True, available_apps=[app.name for app in apps.get_app_configs()]
)


def at_once(work: list[Callable[[], object]]) -> list[object]:
    """Run all of them at the same time; an ApiError is an answer too."""
    gate = threading.Barrier(len(work))

    def run(one: Callable[[], object]) -> object:
        gate.wait()
        try:
            return one()
        except ApiError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))


@pytest.fixture
def alice(shared_database) -> User:
    return User.objects.create_user("alice@example.org")


def adding(alice: User, folder: Folder, name: str, seed: int) -> Callable[[], object]:
    data = photos.photo(seed)
    return lambda: images.add(alice, folder, name, io.BytesIO(data)).name


def test_uploads_of_one_name_get_numbers(alice):
    holiday = folders.create(alice, "Holiday")

    made = at_once([adding(alice, holiday, "cat.jpg", n) for n in range(6)])

    assert sorted(made) == [
        "cat (2).jpg",
        "cat (3).jpg",
        "cat (4).jpg",
        "cat (5).jpg",
        "cat (6).jpg",
        "cat.jpg",
    ]


def test_uploads_of_the_same_bytes_make_one_row(alice):
    holiday = folders.create(alice, "Holiday")

    at_once([adding(alice, holiday, f"{n}.jpg", 7) for n in range(6)])

    assert Image.objects.count() == 1


def test_uploads_together_can_not_exceed_the_quota(alice):
    holiday = folders.create(alice, "Holiday")
    sizes = {len(photos.photo(n)) for n in range(6)}
    alice.quota_bytes = 3 * max(sizes)
    alice.save()

    made = at_once([adding(alice, holiday, f"{n}.jpg", n) for n in range(6)])

    assert made.count("quota_exceeded") == 3
    assert quota.usage(alice).used <= alice.quota_bytes
    assert Image.objects.count() == 3


def test_a_name_taken_behind_the_lock_still_gets_a_number(alice, monkeypatch):
    """The constraint is the last word: looking finds no row of that name, writing does."""
    holiday = folders.create(alice, "Holiday")
    photos.add(alice, holiday, "cat.jpg", seed=1)
    real = images._live
    looks = []

    def blind_once(folder):
        looks.append(folder)
        return real(folder).none() if len(looks) == 2 else real(folder)

    monkeypatch.setattr(images, "_live", blind_once)

    assert adding(alice, holiday, "cat.jpg", 2)() == "cat (2).jpg"
    assert len(looks) > 2


def test_one_folder_for_all(alice):
    made = at_once([lambda: folders.ensure(alice, "Photos")[0].pk for _ in range(6)])

    assert len(set(made)) == 1
    assert Folder.objects.count() == 1


def test_two_moves_can_not_make_a_loop(alice):
    a, b = folders.create(alice, "a"), folders.create(alice, "b")

    made = at_once([lambda: folders.move(a, b) and "moved", lambda: folders.move(b, a) and "moved"])

    assert sorted(made) == ["moved", "moved_into_itself"]


def test_results_handed_over_twice_at_once(alice):
    holiday = folders.create(alice, "Holiday")
    items = []
    for number in range(5):
        path = settings.DATA_DIR / f"out-{number}"
        path.write_bytes(photos.photo(number))
        items.append(
            Adopted(
                path, f"{number}.jpg", f"{number:064d}", "jpeg", path.stat().st_size, 64, 48, f"job:{number}"
            )
        )

    made = at_once([lambda: [image.pk for image in ingest.adopt(alice.pk, holiday, items)] for _ in range(4)])

    assert len({tuple(ids) for ids in made}) == 1
    assert Image.objects.count() == 5


def test_purge_never_takes_bytes_that_an_upload_has_found(alice):
    """The same photo, deleted and uploaded again and again, while everything unnamed is swept away."""
    holiday = folders.create(alice, "Holiday")
    data = photos.photo(3)
    stop = threading.Event()

    def sweep() -> int:
        swept = 0
        while not stop.is_set():
            swept += purge.blobs(grace=0)
        return swept

    def upload() -> list[bool]:
        there = []
        try:
            for _ in range(25):
                image = images.add(alice, holiday, "cat.jpg", io.BytesIO(data))
                there.append(storage.blob_path(alice.pk, image.sha256).exists())
                image.delete()
        finally:
            stop.set()
        return there

    swept, there = at_once([sweep, upload])

    assert all(there)
    assert swept > 0
