"""The cluster, and a platform on it. Both are started once a session; a cluster that runs already is used and
left running."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_client import Api
from tests.cluster.scripts import NoCluster, Scripts, folder
from tests.cluster.site import Site
from tests.kill.photos import photo

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A test that fails shows what the platform's processes said."""
    report = yield
    site = getattr(item, "funcargs", {}).get("site")
    if report.failed and site:
        report.sections.append(("the platform's output", site.output()))
    return report


@pytest.fixture(scope="session")
def cluster() -> Iterator[Scripts]:
    try:
        scripts = Scripts(folder())
        started = not scripts.is_there()
        if started:
            scripts.up()
    except NoCluster as error:
        pytest.skip(f"no test cluster: {error}")
    yield scripts
    if started:
        scripts.down()


@pytest.fixture(scope="session")
def site(cluster: Scripts) -> Iterator[Site]:
    """One for all tests."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    site = Site(cluster)
    try:
        site.start()
        yield site
    except BaseException:
        sys.stdout.write(site.output())
        raise
    finally:
        site.stop()


@pytest.fixture(scope="session")
def api(site: Site) -> Api:
    return site.api("buyer")


@pytest.fixture(scope="session")
def forty(api: Api) -> str:
    """A folder of forty photos, all different. Its id."""
    return upload(api, "Forty", 40)


def upload(api: Api, name: str, count: int, first: int = 0) -> str:
    folder: str = api.post("/folders", json={"name": name})["id"]
    photos = [(f"{n:03}.jpg", photo(first + n, 320, 240)) for n in range(count)]
    for start in range(0, count, 50):
        api.upload(folder, photos[start : start + 50])
    return folder
