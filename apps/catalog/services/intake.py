"""From an upload to weights that can be run: convert, check, measure, keep.

A task may be killed at any line and may run twice at once. A lease (see `leases`) makes one act at a time;
should it be lost, every change is refused. Each try has a folder of its own and begins anew; what it keeps
(weights under their hash, samples under the version's id) is the same whoever keeps it. The version becomes
ready in the same transaction in which its listing gets it as the current one.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.catalog import storage
from apps.catalog.converter import MISSING, Answer, Beat, Converter, ConverterError, Order, get_converter
from apps.catalog.models import Listing, Version, VersionStep
from apps.catalog.services import leases, search
from apps.catalog.services.leases import Lease, Lost

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3  # tries that ended without an answer; then it is the file that kills the converter
MISSING_AGAIN = 60.0  # seconds until a version that waits for the converter is tried again
FAILED_AGAIN = 20.0
MAX_SAMPLES = 12
_MAX_CARD_BYTES = 256_000

S = Version.Status
Step = VersionStep.Status
CRASHED = (
    "The converter could not cope with this file and was stopped. The upload was not kept. Save the weights "
    "again as ONNX or as a plain state dict and upload that; if it happens again, staff can see why."
)
TOO_SLOW = (
    "Converting or measuring these weights took longer than the {seconds:g} s allowed for a step. The upload "
    "was not kept. Upload a smaller network, or the same one exported to ONNX with a smaller input."
)
MISSING_TEXT = (
    "This file needs the converter, which is not installed on this server yet. It stays in the queue and "
    "goes on by itself; an ONNX export of the same weights would not need it."
)
GONE = "The uploaded file is gone from the server. Upload it again as a new version."
CUT_OFF = (
    "Looking at this file was cut off several times: it needs more memory than is allowed. The upload was "
    "not kept. Upload a smaller network."
)


class _Refused(Exception):
    def __init__(self, code: str, reason: str, log: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason, self.log = code, reason, log


def run(version_id: str, converter: Converter | None = None) -> None:
    """Bring a version as far as it can get. Nothing, if there is nothing to do or another does it."""
    lease = Lease(version_id)
    if not lease.take():
        return
    version = Version.objects.select_related("listing").get(pk=version_id)
    try:
        if version.attempts > MAX_ATTEMPTS:
            raise _Refused("cut_off", CUT_OFF)
        with storage.work_dir(version_id) as folder:
            _stages(version, lease, converter or get_converter(), folder)
    except _Refused as refusal:
        _reject(version, lease, refusal)
    except Lost:
        log.info("version %s is in other hands", version_id)
    except Exception:  # a full disk, a broken volume: not the file's fault
        log.exception("the intake of version %s failed", version_id)
        _try_again(lease)
        raise


def _try_again(lease: Lease) -> None:
    try:
        lease.give_back(FAILED_AGAIN, attempts=0)
    except Lost:
        log.info("version %s is in other hands", lease.version_id)


def _stages(version: Version, lease: Lease, converter: Converter, folder: Path) -> None:
    upload = storage.upload_path(version.upload_id)
    if not upload.is_file():
        raise _Refused("upload_gone", GONE)
    out = folder / "out"
    out.mkdir()
    order = Order(
        upload=upload,
        name=version.file_name,
        family=version.listing.family,
        out=out,
        architecture=version.architecture,
        labels=version.labels or (),
    )
    beat = _beat(lease)
    begun = (
        ("converting", converter.convert),
        ("checking", converter.check),
        ("measuring", converter.measure),
    )
    _reset_steps(version)
    for name, step in begun:
        if not _step(lease, name, step, order, beat):
            return
    _keep(version, lease, out)


def _beat(lease: Lease) -> Beat:
    last = time.monotonic()

    def beat() -> None:
        nonlocal last
        if time.monotonic() - last >= leases.RENEW:
            lease.renew()
            last = time.monotonic()

    return beat


def _reset_steps(version: Version) -> None:
    """What an earlier try left half done begins anew."""
    steps = VersionStep.objects.filter(version=version).exclude(name=VersionStep.Name.UPLOADED)
    steps.update(status=Step.WAITING, started=None, finished=None, reason="")


def _step(
    lease: Lease, name: str, run_step: Callable[[Order, Beat], Answer], order: Order, beat: Beat
) -> bool:
    """False: the version has to wait. Raises _Refused, Lost."""
    steps = VersionStep.objects.filter(version_id=lease.version_id, name=name)
    lease.update(status=name, code="", reason="", leased_until=leases.until(leases.SECONDS))
    steps.update(status=Step.RUNNING, started=timezone.now(), finished=None, reason="")
    try:
        answer = run_step(order, beat)
    except ConverterError as error:
        if error.code == "too_slow":
            reason = TOO_SLOW.format(seconds=settings.INTAKE_SECONDS)
            raise _Refused("too_slow", reason, error.log) from error
        if error.code == "converter_unavailable":
            log.error("the converter can't be started: %s", error.message)
            answer = Answer(MISSING, error.message)
        else:
            raise _Refused(error.code, CRASHED, error.log) from error
    lease.renew()
    if answer.ok:
        steps.update(status=Step.DONE, finished=timezone.now())
        return True
    if answer.code == MISSING:
        steps.update(status=Step.WAITING, started=None, reason=MISSING_TEXT)
        lease.give_back(MISSING_AGAIN, code=MISSING, reason=MISSING_TEXT, attempts=0)
        return False
    raise _Refused(answer.code, answer.message or "These weights can't be used.")


def _reject(version: Version, lease: Lease, refusal: _Refused) -> None:
    now = timezone.now()
    try:
        with transaction.atomic():
            lease.update(
                status=S.REJECTED,
                code=refusal.code,
                reason=refusal.reason[:600],
                log=refusal.log,
                finished=now,
                leased_by="",
                leased_until=None,
            )
            steps = VersionStep.objects.filter(version=version)
            failed = steps.filter(status=Step.RUNNING).first() or steps.filter(status=Step.WAITING).first()
            if failed:
                steps.filter(pk=failed.pk).update(
                    status=Step.FAILED,
                    started=failed.started or now,
                    finished=now,
                    reason=refusal.reason[:600],
                )
    except Lost:
        log.info("version %s is in other hands", version.pk)
        return
    log.info("version %s rejected: %s", version.pk, refusal.code)
    storage.drop_upload(version.upload_id)


def _keep(version: Version, lease: Lease, out: Path) -> None:
    """Everything went well: weights, samples and card to their places, then the version is ready."""
    try:
        card = _card(out)
        sha256, size = storage.keep_weights(out / "weights.onnx", settings.MAX_WEIGHTS_BYTES)
        card["samples"] = _samples(version, card.get("samples"), out)
    except storage.NotThere as error:
        raise _Refused("converter_crashed", CRASHED, str(error)) from error
    card |= {"sha256": sha256, "bytes": size}
    lease.renew()
    with transaction.atomic():
        listing = Listing.objects.select_for_update().get(pk=version.listing_id)
        lease.update(
            status=S.READY,
            code="",
            reason="",
            card=card,
            weights_sha256=sha256,
            weights_bytes=size,
            finished=timezone.now(),
            leased_by="",
            leased_until=None,
        )
        listing.current_version = listing.versions.filter(status=S.READY).order_by("-number").first()
        listing.save(update_fields=["current_version", "updated"])
        search.index(listing.pk)
    log.info("version %s is ready: %s", version.pk, sha256)
    storage.drop_upload(version.upload_id)


def _card(out: Path) -> dict[str, Any]:
    with storage.open_made(out / "card.json", _MAX_CARD_BYTES) as file:
        text = file.read(_MAX_CARD_BYTES)
    try:
        card = json.loads(text)
    except (ValueError, RecursionError):
        raise storage.NotThere("card.json is no JSON") from None
    if not isinstance(card, dict):
        raise storage.NotThere("card.json is no object")
    return card


def _samples(version: Version, told: Any, out: Path) -> list[dict[str, Any]]:
    """The sample outputs, renumbered; `source` says which stock photo each was made from."""
    kept = []
    for entry in told if isinstance(told, list) else []:
        if not isinstance(entry, dict) or len(kept) >= MAX_SAMPLES:
            continue
        name = Path(str(entry.get("file", ""))).name
        storage.keep_sample(version.pk, len(kept) + 1, out / "samples" / name)
        kept.append({"number": len(kept) + 1, "source": str(entry.get("source", ""))[:120]})
    return kept
