"""Looks at every part of an installation and says what to do about what is wrong.

An embedded platform may be stopped: then what needs it running is not judged. Whether it runs tells the
lock that it holds on DATA_DIR.
"""

from __future__ import annotations

import fcntl
import io
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import httpx
from django.conf import settings
from django.core.checks import run_checks
from django.core.mail import get_connection
from PIL import Image
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from apps.cluster.endpoints import send_preview
from apps.cluster.engines import EngineError
from apps.cluster.kube import rights
from apps.cluster.kube.api import Api, NoCluster
from apps.cluster.kube.client import Client
from marketplace import site_checks
from marketplace.api import ApiError
from marketplace.site_checks import Problem

Level = Literal["ok", "warn", "fail"]
PATIENCE = 5  # seconds for a server to answer
LITTLE, TIGHT = 2_000_000_000, 300_000_000  # free bytes


@dataclass(frozen=True)
class Finding:
    part: str
    level: Level
    text: str


def findings() -> Iterator[Finding]:
    """One for each part, in the order in which to repair them."""
    stopped = _embedded_is_stopped()
    yield from _settings()
    yield _storage()
    yield _disk()
    yield _plain("database", site_checks.database, _database_name(), "check DATABASE_URL and its server")
    yield _plain("migrations", site_checks.migrations, "all applied", "make run applies them too")
    yield _documents()
    yield _mail()
    if stopped:
        what = "stopped: make run starts it; Redis, nodes and previews were not judged"
        yield Finding("platform", "warn", what)
        return
    yield _plain(
        "redis", site_checks.cache_server, "keeps what it is given", "check REDIS_URL and its server"
    )
    yield _plain("controller", site_checks.controller, "at work", "start manage.py controller")
    start = "start python -m model_images.runtime node"
    if settings.ENGINE == "kubernetes":
        yield _cluster(Client(settings.KUBE_NAMESPACE))
        start = "kubectl get nodes, and the controller's log"
    yield _plain("nodes", site_checks.nodes, "alive", start)
    yield from _libraries()
    yield _preview()


def _cluster(api: Api) -> Finding:
    """The API server, and what this process may do there. Only the controller has to do with it."""
    try:
        version, lacking = api.version(), rights.missing(api)
    except NoCluster as error:
        return Finding("cluster", "warn", f"not judged: {error}. The controller needs it, pages don't")
    except EngineError as error:
        return Finding("cluster", "fail", f"{error} – check KUBECONFIG, the network and the API server")
    if lacking:
        text = f"Kubernetes {version}; no right in {api.namespace} to {', '.join(lacking)}"
        return Finding("cluster", "fail", f"{text} – apply k8s/base, or ask whoever runs the cluster")
    return Finding("cluster", "ok", f"Kubernetes {version}; all rights in {api.namespace} are there")


def _libraries() -> Iterator[Finding]:
    """Black & white drops a JPEG's colour without decoding it where a node has TurboJPEG. The same photo must
    not come out in different bytes depending on the node."""
    nodes = site_checks.live_nodes()
    without = sorted(beat.node for beat in nodes if "turbojpeg" not in beat.libraries)
    remedy = "install it (Debian, Ubuntu: libturbojpeg0) on all nodes and restart them"
    if not nodes:
        return
    if not without:
        yield Finding("libraries", "ok", "every node has TurboJPEG")
    elif len(without) == len(nodes):
        yield Finding("libraries", "warn", f"no node has TurboJPEG: black & white is slower – {remedy}")
    else:
        text = f"{', '.join(without)} without TurboJPEG, others with it: black & white differs in bytes"
        yield Finding("libraries", "warn", f"{text} – {remedy}")


def _embedded_is_stopped() -> bool:
    """False where there is no embedded platform at all: then everything should be there."""
    try:
        with (settings.DATA_DIR / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return False
    return (settings.DATA_DIR / "lock").stat().st_size > 0


def _plain(part: str, check: Callable[[], None], good: str, remedy: str) -> Finding:
    try:
        check()
    except Problem as problem:
        return Finding(part, "fail", f"{problem} – {remedy}")
    return Finding(part, "ok", good)


def _settings() -> Iterator[Finding]:
    wrong = [found for found in run_checks() if found.is_serious() and not found.is_silenced()]
    for message in wrong:
        yield Finding("settings", "fail", f"{message.msg} {message.hint or ''}".strip())
    if settings.DEBUG:
        yield Finding("settings", "warn", "DEBUG is true: never where others can reach it")
    elif not wrong:
        yield Finding("settings", "ok", f"Pixelyard {settings.VERSION}")


def _storage() -> Finding:
    """Write, sync, rename, read and delete a file as the drive does."""
    folder = settings.DATA_DIR / "drive" / ".incoming"
    draft, final = (folder / f"doctor-{secrets.token_hex(8)}{end}" for end in (".draft", ""))
    sent = os.urandom(65536)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with draft.open("xb") as file:
            file.write(sent)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(final)
        same = final.read_bytes() == sent
    except OSError as error:
        text = (
            f"{settings.DATA_DIR} can't be used ({error.strerror}) – check its owner, its mount and its space"
        )
        return Finding("storage", "fail", text)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
            final.unlink(missing_ok=True)
    if not same:
        return Finding("storage", "fail", f"{settings.DATA_DIR} gives back other bytes – check the disk")
    return Finding("storage", "ok", f"{settings.DATA_DIR} keeps what it is given")


def _disk() -> Finding:
    free = shutil.disk_usage(settings.DATA_DIR).free
    text = f"{free / 1e9:.1f} GB free"
    if free < TIGHT:
        return Finding("disk", "fail", f"{text} – make room: uploads and jobs fail when it is full")
    return Finding("disk", "warn" if free < LITTLE else "ok", text)


def _database_name() -> str:
    engine: str = settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]
    return f"{engine} answers"


def _documents() -> Finding:
    if not settings.MONGODB_URL:
        return Finding("documents", "ok", "in the database; MONGODB_URL would move them to MongoDB")
    try:
        with MongoClient(settings.MONGODB_URL, serverSelectionTimeoutMS=PATIENCE * 1000) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        return Finding("documents", "fail", f"MongoDB does not answer: {error} – check MONGODB_URL")
    return Finding("documents", "ok", f"MongoDB answers, database {settings.MONGODB_NAME}")


def _mail() -> Finding:
    backend: str = settings.EMAIL_BACKEND
    if not backend.endswith("smtp.EmailBackend"):
        where = "into the log" if "console" in backend else f"to {backend}"
        return Finding("mail", "warn", f"goes {where}: set EMAIL_BACKEND and EMAIL_HOST to send it")
    try:
        connection = get_connection(timeout=PATIENCE)
        connection.open()
        connection.close()
    except OSError as error:
        server = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
        return Finding("mail", "fail", f"{server} takes none ({error}) – check EMAIL_HOST and its password")
    return Finding("mail", "ok", f"{settings.EMAIL_HOST} takes it")


def _preview() -> Finding:
    """A small photo there and back through a preview server, as the studio sends it."""
    photo = io.BytesIO()
    Image.new("RGB", (8, 8), "orange").save(photo, "PNG")
    files = {"file": ("doctor.png", photo.getvalue(), "image/png")}
    remedy = "start python -m model_images.runtime serve, with the same RUNTIME_TOKEN"
    try:
        answer = send_preview("blackwhite", {"params": "{}"}, files, "image/*", 10, "filters")
    except ApiError as error:
        if error.code == "waking_up":
            return Finding("previews", "warn", "asleep until just now – ask again in some seconds")
        return Finding("previews", "fail", f"{error.message} – {remedy}")
    if answer.status_code != httpx.codes.OK:
        return Finding("previews", "fail", f"a preview server answers {answer.status_code} – {remedy}")
    return Finding("previews", "ok", "a photo went there and back")
