"""Test money exists with DEBUG, or under a supervisor that only this machine can reach; nowhere else."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.checks import run_checks

from marketplace import sandbox_gate
from marketplace.embedded import options
from marketplace.embedded.preflight import lock

ROOT = Path(__file__).resolve().parents[2]
READ = "from marketplace import settings; print(settings.PAYMENTS)"


@pytest.fixture
def supervised(tmp_path) -> Iterator[Path]:
    with lock(tmp_path):
        yield tmp_path


def _payments(data_dir: Path, **variables: str) -> tuple[int, str]:
    """What a fresh process with these variables decides: exit status, and the provider or the refusal."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    env = {**kept, "SECRET_KEY": "x" * 50, "DATA_DIR": str(data_dir), **variables}
    done = subprocess.run([sys.executable, "-c", READ], cwd=ROOT, env=env, capture_output=True, text=True)
    return done.returncode, (done.stdout or done.stderr).strip()


def test_the_gate_is_open_while_text_file_and_lock_agree(supervised):
    text = sandbox_gate.open_it(supervised)

    assert sandbox_gate.is_open(supervised, text)
    assert (supervised / "run" / "sandbox").stat().st_mode & 0o777 == 0o600
    assert not sandbox_gate.is_open(supervised, text + "x")
    assert not sandbox_gate.is_open(supervised, "")
    sandbox_gate.close(supervised)
    assert not sandbox_gate.is_open(supervised, text)


def test_a_copied_folder_and_environment_open_nothing(tmp_path):
    text = sandbox_gate.open_it(tmp_path)  # as if the supervisor had died without closing it

    assert not sandbox_gate.is_open(tmp_path, text)
    (tmp_path / "lock").write_text("1\n")
    assert not sandbox_gate.is_open(tmp_path, text)
    with (tmp_path / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert sandbox_gate.is_open(tmp_path, text)


def test_production_has_no_payments_without_keys(tmp_path):
    assert _payments(tmp_path) == (0, "off")


def test_sandbox_in_production_ends_the_process(tmp_path):
    status, said = _payments(tmp_path, PAYMENTS="sandbox", SANDBOX_GATE="anything")
    assert status == 1
    assert said == "PAYMENTS must be stripe or off: the sandbox needs DEBUG, or make run, not 'sandbox'"


def test_the_supervisor_opens_it_for_its_own_processes(supervised):
    text = sandbox_gate.open_it(supervised)
    assert _payments(supervised, SANDBOX_GATE=text) == (0, "sandbox")
    assert _payments(supervised) == (0, "off")
    assert _payments(supervised, SANDBOX_GATE=text, STRIPE_SECRET_KEY="sk_test_1") == (0, "stripe")


@pytest.mark.parametrize(
    ("variables", "local"),
    [
        ({}, True),
        ({"HOST": "::1"}, True),
        ({"BASE_URL": "http://localhost:8000"}, True),
        ({"ALLOWED_HOSTS": "localhost,[::1]"}, True),
        ({"HOST": "::"}, False),
        ({"HOST": "192.168.1.5"}, False),
        ({"BASE_URL": "https://photos.example.org"}, False),
        ({"ALLOWED_HOSTS": "localhost,photos.example.org"}, False),
        ({"ALLOWED_HOSTS": "*"}, False),
    ],
)
def test_what_counts_as_this_machine_alone(monkeypatch, variables, local):
    for name in ("HOST", "BASE_URL", "ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert options.read().is_local is local


def _codes() -> list[str]:
    return [found.id for found in run_checks() if (found.id or "").startswith("payments.")]


def test_checks_refuse_what_would_be_a_danger(settings):
    assert _codes() == []
    settings.SANDBOX_ALLOWED = False
    assert _codes() == ["payments.E002"]
    settings.PAYMENTS, settings.DEBUG = "stripe", True
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_live_1", "whsec_1"
    assert _codes() == ["payments.E004"]
    settings.DEBUG = False
    assert _codes() == []
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "pk_live_1", ""
    assert _codes() == ["payments.E003", "payments.E005"]


def test_a_switched_off_sandbox_takes_no_event(db, settings, send, open_topup):
    from apps.payments.providers import sandbox

    event = sandbox.session_event(open_topup)
    settings.SANDBOX_ALLOWED = False
    assert send(event).status_code == 409


def test_its_page_answers_this_machine_only(alice_web, open_topup, settings):
    settings.ALLOWED_HOSTS, settings.DEBUG = ["*"], False
    url = f"/wallet/sandbox/{open_topup.pk}/"
    assert alice_web.get(url, headers={"host": "localhost:8000"}).status_code == 200
    assert alice_web.get(url, headers={"host": "photos.example.org"}).status_code == 404
    settings.SANDBOX_ALLOWED = False
    assert alice_web.get(url, headers={"host": "localhost:8000"}).status_code == 404
