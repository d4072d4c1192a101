"""`make run`, for real: start, stop, start again, and every way in which it must refuse."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import time
from pathlib import Path

import httpx
import pytest

from tests.api_client import wait_until
from tests.platform_fixture import Platform, free_port, leftovers, wait_for_none_left

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Platform:
    """One that was started once, stopped by SIGTERM, and runs again on the same folder."""
    site = Platform(tmp_path_factory.mktemp("run") / "data", nodes=1)
    yield site
    site.stop()


def _is_ready(site: Platform) -> bool:
    try:
        return httpx.get(f"{site.base_url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_first_start_is_ready_and_tells_the_demo_logins(site):
    site.start()

    demo = json.loads((site.data_dir / "demo.json").read_text())
    states = httpx.get(f"{site.base_url}/readyz")
    assert (states.status_code, set(states.json().values())) == (200, {"ok"})
    assert demo["base_url"] == site.base_url
    assert [user["role"] for user in demo["users"]] == ["buyer", "seller", "admin"]
    assert all(set(user) == {"role", "email", "password", "token"} for user in demo["users"])
    for user in demo["users"]:
        assert user["password"] in site.output()
        me = httpx.get(f"{site.base_url}/api/v1/me", headers={"Authorization": f"Bearer {user['token']}"})
        assert me.json()["email"] == user["email"]
        by_password = {"email": user["email"], "password": user["password"]}
        assert httpx.post(f"{site.base_url}/api/v1/token", json=by_password).status_code == 201


def test_demo_photos_are_there(site):
    folders = site.api().get("/folders")["items"]

    assert {folder["name"]: folder["image_count"] for folder in folders} == {"Demo photos": 7, "Textures": 3}


def test_secrets_are_for_the_owner_alone(site):
    files = [*(site.data_dir / "secrets").iterdir(), site.data_dir / "demo.json"]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}

    assert {"secret_key", "runtime_token", "redis_password", "redis_url", "demo_users.json"} <= set(modes)
    assert set(modes.values()) == {0o600}
    assert site.users["buyer"].password not in (site.data_dir / "log" / "platform.log").read_text()


def test_nodes_and_preview_servers_get_no_secret_of_the_platform(site):
    secret = (site.data_dir / "secrets" / "secret_key").read_bytes().strip()

    for name in ("node-1", "preview-1"):
        environment = Path(f"/proc/{site.pid(name)}/environ").read_bytes()
        assert secret not in environment
        assert b"DATABASE_URL" not in environment


@pytest.mark.parametrize("name", ["web", "worker", "controller", "node-1", "preview-1"])
def test_a_killed_service_is_back_at_once(site, name):
    before = site.pid(name)

    site.kill(name)

    wait_until(lambda: site.pid(name) != before, 10, f"{name} was not started again")
    assert f"{name:<10} | killed by SIGKILL after" in site.output()
    wait_until(lambda: _is_ready(site), 30, "not ready again")


def test_second_platform_on_the_same_folder_is_refused_in_one_line(site):
    second = Platform(site.data_dir, nodes=1)
    second._log = site.data_dir.with_name("second.out")

    assert second.launch().wait(30) == 1
    lines = second.output().splitlines()
    assert len(lines) == 1
    assert f"is running on {site.data_dir} already (process {site.process.pid})" in lines[0]
    assert (site.data_dir / "demo.json").exists()


def test_sigterm_stops_everything_it_started(site):
    assert site.stop() == 0

    assert leftovers(site.data_dir) == []
    assert not (site.data_dir / "demo.json").exists()
    assert "stopped; the data is kept" in site.output()


def test_second_start_keeps_people_photos_and_tokens(site):
    before = json.loads((site.data_dir / "secrets" / "demo_users.json").read_text())

    began = time.monotonic()
    site.start()

    assert time.monotonic() - began < 60
    assert [vars(user) for user in site.users.values()] == before
    assert {folder["name"] for folder in site.api().get("/folders")["items"]} == {"Demo photos", "Textures"}


def test_kill_9_of_the_supervisor_leaves_nothing_running(site):
    os.kill(site.process.pid, signal.SIGKILL)
    site.process.wait(5)

    wait_for_none_left(site.data_dir)


def test_taken_port_is_refused_in_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        site = Platform(tmp_path / "data", port=port)
        assert site.launch().wait(30) == 1

    assert site.output() == (
        f"Port {port} is taken by another program: stop it, or choose another one, "
        f"for example PORT={port + 1} make run.\n"
    )


def test_ctrl_c_during_the_start_stops_it(tmp_path):
    site = Platform(tmp_path / "data", port=free_port(), nodes=1)
    process = site.launch()
    wait_until(lambda: site._log.exists() and "prepare" in site.output(), 30, "no preparation", pause=0.05)

    process.send_signal(signal.SIGINT)

    assert process.wait(20) == 0
    wait_for_none_left(site.data_dir)
