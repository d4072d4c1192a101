"""Runs a preview server: its socket, its presence on the volume, its end."""

from __future__ import annotations

import argparse
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType

import uvicorn

from jobfolder import EndpointHeartbeat, Limits, remove_endpoint, write_endpoint
from jobfolder.layout import check_name
from model_images.runtime import registry, settings
from model_images.runtime.naming import NameTaken, drop_name, take_name
from model_images.runtime.pool import Pool
from model_images.runtime.presence import Presence
from model_images.runtime.serve import ServerSettings, build

KEEP_ALIVE = 30  # seconds; longer than clients keep theirs, so that no request meets a closing connection

log = logging.getLogger(__name__)


def main(chosen: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; 1, with one line on stderr, when that can't be."""
    try:
        values = _settings(chosen)
        settings.pin(chosen.cores)
        lock = take_name(values.data_dir / "endpoints", values.name)
        listener = _listen(chosen.host, chosen.port)
    except (settings.BadSetting, NameTaken, OSError, ValueError) as error:
        sys.stderr.write(f"preview server {chosen.name or chosen.node}: {error}\n")
        return 1
    now, url = time.time(), chosen.url or _url(chosen.host, listener)
    beat = EndpointHeartbeat(
        values.node, url, values.slots, os.getpid(), now, now, values.name, chosen.family
    )
    try:
        _serve(values, listener, beat, chosen.linger)
    finally:
        listener.close()
        if values.name == values.node:
            os.close(lock)
        else:
            drop_name(values.data_dir / "endpoints", values.name, lock)
    return 0


def _settings(chosen: argparse.Namespace) -> ServerSettings:
    token = settings.secret("RUNTIME_TOKEN")
    if not token and not _is_loopback(chosen.host):
        rule = f"set when the server listens on {chosen.host}, where others can reach it"
        raise settings.BadSetting("RUNTIME_TOKEN", rule, "")
    limits = Limits(
        max_bytes=int(settings.number("MAX_IMAGE_BYTES", 25_000_000, low=1)),
        max_pixels=int(settings.number("MAX_IMAGE_PIXELS", 50_000_000, low=1)),
    )
    # Shorter than the web waits, so that its answer is why, and not only that, it took too long.
    seconds = 0.9 * settings.number("PREVIEW_SECONDS", 20, low=1)
    data_dir: Path = chosen.data.resolve()
    if chosen.slots < 1:
        raise ValueError("--slots must be 1 or more")
    if chosen.family:
        os.environ[registry.FAMILY] = chosen.family  # this process's, and those that it will start
    registry.families()
    node = check_name(chosen.node)
    name = check_name(chosen.name or node)
    return ServerSettings(data_dir, node, name, chosen.slots, seconds, token, limits)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise OSError(f"can't listen on {host} port {port}: {error.strerror}; choose another port") from None
    return listener


def _url(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _serve(values: ServerSettings, listener: socket.socket, beat: EndpointHeartbeat, linger: float) -> None:
    """Ends the process with uvicorn's code when it can't."""
    presence = Presence(
        lambda: write_endpoint(values.data_dir, replace(beat, time=time.time())),
        lambda: remove_endpoint(values.data_dir, beat.key, beat.pid),
    )
    app = build(values, Pool(values.data_dir, values.slots, values.seconds), presence)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=round(values.seconds) + 2,
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again once it has stopped in order
        signal.signal(number, lambda *_: None)
    log.info("preview server %s starts at %s, %s slots", beat.key, beat.url, values.slots)
    _Server(config, presence, linger).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Takes its heartbeat away before it stops listening: who has read it may still come for `linger`
    seconds. A second signal ends that."""

    def __init__(self, config: uvicorn.Config, presence: Presence, linger: float) -> None:
        super().__init__(config)
        self._presence = presence
        self._linger = linger
        self._leaving = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._leaving:
            super().handle_exit(sig, frame)
            return
        self._leaving = True
        threading.Thread(target=self._leave, args=(sig,), name="leaving", daemon=True).start()

    def _leave(self, sig: int) -> None:
        self._presence.stop()
        time.sleep(self._linger)
        super().handle_exit(sig, None)
