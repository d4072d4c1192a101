"""nginx in front of web processes, for a benchmark: a configuration of its own, on the loopback only."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

METHODS = {"round_robin": "", "least_conn": "least_conn;"}

_CONFIG = """\
{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream web {{
    {method}
{servers}
    keepalive 32;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://web;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      add_header X-Upstream $upstream_addr always;
    }}
  }}
}}
"""


class NoNginx(Exception):
    """nginx is not installed; the message says what to do."""


def find() -> str:
    """Raises NoNginx."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise NoNginx("nginx was not found: install it (apt-get install nginx) to measure the web tier.")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def config(folder: Path, ports: Sequence[int], method: str, port: int) -> str:
    """Raises KeyError for an unknown method."""
    # A server that is slow must stay in: that is what is compared.
    servers = "\n".join(f"    server 127.0.0.1:{one} max_fails=0;" for one in ports)
    user = "user root;\n" if os.geteuid() == 0 else ""
    return _CONFIG.format(folder=folder, method=METHODS[method], servers=servers, port=port, user=user)


@contextmanager
def nginx(folder: Path, ports: Sequence[int], method: str) -> Iterator[str]:
    """Running in front of those ports; its URL. `X-Upstream` in an answer says which of them gave it."""
    port, path = free_port(), folder / "nginx.conf"
    path.write_text(config(folder, ports, method, port))
    command = [find(), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(path)]
    process = subprocess.Popen(command)
    try:
        _wait(process, port, folder)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    end = time.monotonic() + 10
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"nginx did not start: {(folder / 'error.log').read_text()[-500:]}")
        time.sleep(0.05)
