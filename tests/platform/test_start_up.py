"""What happens before anything runs: checks, kept secrets and ports, the plan, the log."""

from __future__ import annotations

import errno
import io
import os
import socket
import stat
from collections import namedtuple
from datetime import UTC, datetime
from pathlib import Path

import pytest

from marketplace import env
from marketplace.embedded import keep, options, plan, preflight, static
from marketplace.embedded.log import Lines, Log
from marketplace.embedded.options import cores_of
from marketplace.embedded.preflight import Refused

# --- Checks -------------------------------------------------------------------------------------------


def test_folder_is_made_and_left_empty(tmp_path):
    preflight.check_folder(tmp_path / "a" / "b")

    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_folder_that_can_not_be_made_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(Refused) as refusal:
        preflight.check_folder(tmp_path / "file" / "data")

    assert str(refusal.value) == (
        f"DATA_DIR {tmp_path}/file/data can't be written to (Not a directory): "
        "change its owner, or set DATA_DIR to a folder of yours."
    )


def test_full_disk_is_told_as_such(tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(Refused, match="has 0 MB free and 300 MB are needed: free some, or set DATA_DIR"):
        preflight.check_folder(tmp_path)


def test_too_little_space_is_refused(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda _: usage(10**9, 9 * 10**8, 12_000_000))

    with pytest.raises(Refused, match="has 12 MB free and 300 MB are needed"):
        preflight.check_space(tmp_path)


def test_taken_port_names_another(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(Refused, match=f"Port {port} is taken .* PORT={port + 1} make run"):
            preflight.check_port("127.0.0.1", port)

    preflight.check_port("127.0.0.1", port)


def test_address_of_another_machine_is_refused():
    with pytest.raises(Refused, match=r"HOST 192\.0\.2\.1 PORT 8000 can't be used"):
        preflight.check_port("192.0.2.1", 8000)


def test_second_lock_is_refused_and_the_first_stays(tmp_path):
    with preflight.lock(tmp_path):
        with pytest.raises(Refused, match=f"already \\(process {os.getpid()}\\)"):
            preflight.lock(tmp_path)
        with pytest.raises(Refused):
            preflight.lock(tmp_path)

    preflight.lock(tmp_path).close()


def test_no_redis_server_anywhere_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Refused, match="apt-get install redis-server"):
        preflight.redis_server(tmp_path)


def test_redis_of_the_environment_is_used_where_the_system_has_none(tmp_path, monkeypatch):
    server = tmp_path / "redis-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")

    assert preflight.redis_server(tmp_path) == server


# --- What is kept -------------------------------------------------------------------------------------


def test_secret_is_made_once_and_for_its_owner_alone(tmp_path):
    first = keep.secret(tmp_path, "secret_key")
    path = tmp_path / "secrets" / "secret_key"

    assert keep.secret(tmp_path, "secret_key") == first
    assert len(first) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert keep.secret(tmp_path, "other") != first


def test_empty_secret_of_an_interrupted_start_is_made_anew(tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "secret_key").write_text("\n")

    assert len(keep.secret(tmp_path, "secret_key")) == 64


def test_private_file_leaves_no_draft(tmp_path):
    file = tmp_path / "run" / "a.json"
    keep.write_private(file, "{}")
    keep.write_private(file, "[]")

    assert [path.name for path in file.parent.iterdir()] == ["a.json"]
    assert file.read_text() == "[]"


def test_port_is_kept_while_it_is_free(tmp_path):
    first = keep.port(tmp_path, "redis")

    assert keep.port(tmp_path, "redis") == first
    with socket.create_server(("127.0.0.1", first)):
        second = keep.port(tmp_path, "redis")
    assert second != first
    assert keep.port(tmp_path, "redis") == second
    assert keep.port(tmp_path, "redis", avoid=[second]) != second


def test_damaged_list_of_ports_is_no_obstacle(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "ports.json").write_text("{")

    assert 1024 <= keep.port(tmp_path, "redis") <= 65535


# --- Options and plan -----------------------------------------------------------------------------------


@pytest.fixture
def chosen(tmp_path, monkeypatch) -> options.Options:
    for name in ("PORT", "HOST", "NODES", "BASE_URL", "WEB_WORKERS", "WEB_THREADS", "DEMO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    return options.read()


KEPT = plan.Kept(
    secret_key="the-secret-key", runtime_token="the-token", redis_url="redis://:pw@127.0.0.1:1/0"
)


def test_defaults_are_those_of_the_start_up_contract(chosen, tmp_path):
    assert (chosen.host, chosen.port, chosen.nodes, chosen.data_dir) == ("127.0.0.1", 8000, 2, tmp_path)
    assert chosen.url == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "eighty", "PORT must be a whole number, not 'eighty'"),
        ("PORT", "70000", "PORT must be between 1 and 65535, not '70000'"),
        ("NODES", "0", "NODES must be between 1 and 64, not '0'"),
        ("DEMO", "yes", "DEMO must be true or false, not 'yes'"),
    ],
)
def test_value_that_can_not_be_used_ends_it_in_one_line(monkeypatch, name, value, words):
    monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as end:
        options.read()

    assert str(end.value) == words


@pytest.mark.parametrize(
    ("nodes", "cores", "shares"),
    [
        (2, [0, 1], [[0], [1]]),
        (2, [0, 1, 2, 3, 4], [[0, 1], [2, 3, 4]]),
        (3, [4, 5, 6, 7], [[4], [5], [6, 7]]),
        (4, [0, 1], [[0, 1]] * 4),
        (1, [0, 1, 2], [[0, 1, 2]]),
    ],
)
def test_cores_are_shared_out(nodes, cores, shares):
    assert cores_of(nodes, cores) == shares


def test_nodes_see_nothing_of_the_platforms_secrets(chosen, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    monkeypatch.setenv("EMAIL_HOST_PASSWORD", "secret")

    services = plan.nodes(chosen, KEPT, [[0], [1]])

    assert [service.name for service in services] == ["node-1", "preview-1", "node-2", "preview-2"]
    for service in services:
        assert not {"DATABASE_URL", "EMAIL_HOST_PASSWORD", "SECRET_KEY", "REDIS_URL"} & set(service.env)
        assert "the-secret-key" not in str(service.env.values())
    worker, preview = services[2:]
    assert (worker.env["NODE_NAME"], worker.env["NODE_CORES"], worker.env["NODE_SLOTS"]) == (
        "node-2",
        "1",
        "1",
    )
    assert "RUNTIME_TOKEN" not in worker.env
    assert "BROKER_URL" not in preview.env
    assert "the-token" not in preview.command


def test_redis_listens_on_loopback_with_a_password_and_an_append_only_file(chosen):
    service, config = plan.redis(chosen, Path("/usr/bin/redis-server"), 7001, "pw")

    assert {"bind 127.0.0.1", "port 7001", "requirepass pw", "appendonly yes", 'save ""'} <= set(
        config.splitlines()
    )
    assert "pw" not in " ".join(service.command)


def test_web_listens_where_it_is_told(chosen, tmp_path):
    service = plan.web(chosen, plan.platform_env(chosen, KEPT))

    assert service.command[service.command.index("--bind") + 1] == "127.0.0.1:8000"
    assert service.env["SECRET_KEY"] == "the-secret-key"
    assert service.env["BASE_URL"] == "http://127.0.0.1:8000"
    assert service.env["PROMETHEUS_MULTIPROC_DIR"] == str(tmp_path / "run" / "metrics")


# --- Static files -------------------------------------------------------------------------------------


def test_static_files_are_collected_again_when_one_changes(tmp_path):
    for name in ("requirements.lock", "marketplace/settings.py", "marketplace/static/a.css"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    collected = tmp_path / "collected"
    collected.mkdir()
    before = static.signature(tmp_path)
    assert not static.is_current(collected, before)
    static.mark(collected, before)
    assert static.is_current(collected, static.signature(tmp_path))

    (tmp_path / "marketplace/static/a.css").write_text("22")

    assert not static.is_current(collected, static.signature(tmp_path))


# --- The log ------------------------------------------------------------------------------------------


def test_line_has_time_name_and_text(tmp_path):
    out = io.StringIO()
    log = Log(tmp_path, out, clock=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))

    log.line("node-1", "is ready")
    log.plain("a password")
    log.close()

    assert out.getvalue() == "03:04:05 node-1     | is ready\na password\n"
    assert (tmp_path / "platform.log").read_text() == "03:04:05 node-1     | is ready\n"


def test_log_goes_on_when_its_terminal_is_gone(tmp_path):
    out = io.StringIO()
    log = Log(tmp_path, out)
    out.close()

    log.say("one")
    log.say("two")
    log.close()

    assert (tmp_path / "platform.log").read_text().count("\n") == 2


def test_log_turns_over(tmp_path, monkeypatch):
    monkeypatch.setattr("marketplace.embedded.log.ROTATE", 100)
    folder = tmp_path / "log"
    log = Log(folder, io.StringIO())

    for _ in range(5):
        log.say("x" * 60)
    log.close()

    assert {path.name for path in folder.iterdir()} == {"platform.log", "platform.1.log"}
    assert (folder / "platform.log").stat().st_size < 300


def test_lines_are_cut_where_they_end_however_they_arrive():
    lines = Lines()

    assert lines.feed(b"on") == []
    assert lines.feed(b"e\n\ntwo\nth") == ["one", "two"]
    assert lines.end() == ["th"]
    assert lines.end() == []
    assert lines.feed(b"x" * 9000) == ["x" * 8000]


# --- Variables ----------------------------------------------------------------------------------------


def test_env_file_gives_way_to_the_environment(tmp_path, monkeypatch):
    file = tmp_path / ".env"
    file.write_text("# a comment\n\nPXY_A=from the file\nPXY_B = 'quoted = value'\nPXY_C=\n")
    monkeypatch.setenv("PXY_A", "set before")
    for name in ("PXY_B", "PXY_C"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    env.load(file)

    assert (env.text("PXY_A"), env.text("PXY_B"), env.text("PXY_C")) == ("set before", "quoted = value", "")


def test_env_file_with_nonsense_names_the_line(tmp_path):
    (tmp_path / ".env").write_text("GOOD=1\nnot a setting\n")

    with pytest.raises(env.BadSetting, match="line 2 must be NAME=value, not 'not a setting'"):
        env.load(tmp_path / ".env")


def test_missing_env_file_is_no_error(tmp_path):
    env.load(tmp_path / ".env")


def test_secret_may_lie_in_a_file(tmp_path, monkeypatch):
    (tmp_path / "key").write_text("from the file\n")
    monkeypatch.setenv("PXY_KEY_FILE", str(tmp_path / "key"))

    assert env.secret("PXY_KEY") == "from the file"
    monkeypatch.setenv("PXY_KEY_FILE", str(tmp_path / "missing"))
    with pytest.raises(env.BadSetting, match="PXY_KEY_FILE must be a readable file"):
        env.secret("PXY_KEY")
