"""From an upload to weights that can be run; and what stops on the way."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from django.utils import timezone

import jobfolder
from apps.catalog import storage, tasks
from apps.catalog.converter import Answer, ConverterError
from apps.catalog.models import Version
from apps.catalog.services import intake
from apps.catalog.services.leases import Lease
from tests.catalog.doubles import CARD, FakeConverter


def steps(version: Version) -> dict[str, str]:
    return dict(version.steps.values_list("name", "status"))


def weights(settings) -> list[str]:
    root = settings.DATA_DIR / "weights"
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


def test_upload_becomes_weights_that_can_be_run(draft, upload_version, converter, settings):
    version = upload_version(b"tensors", labels=("a", "b"), architecture="yolov5n")
    assert (version.number, version.status) == (1, "uploaded")

    intake.run(version.pk, converter)

    version.refresh_from_db()
    assert (version.status, version.code, version.reason) == ("ready", "", "")
    assert steps(version) == dict.fromkeys(("uploaded", "converting", "checking", "measuring"), "done")
    assert all(step.started and step.finished for step in version.steps.all())
    path = jobfolder.weights_path(settings.DATA_DIR, version.weights_sha256)
    assert path.read_bytes() == b"onnx of tensors"
    assert path.stat().st_mode & 0o777 == 0o444
    assert version.card["classes"] == CARD["classes"]
    assert version.card["sha256"] == version.weights_sha256
    assert version.card["samples"] == [{"number": 1, "source": "cat.jpg"}]
    assert storage.sample_path(version.pk, 1).exists()
    draft.refresh_from_db()
    assert draft.current_version == version
    order = converter.orders[0][1]
    assert (order.name, order.family, order.architecture, list(order.labels)) == (
        "shapes.onnx",
        "yolov5",
        "yolov5n",
        ["a", "b"],
    )
    assert not storage.upload_path(version.upload_id).exists()
    assert list(storage.intake_dir().iterdir()) == []


def test_again_changes_nothing(ready, converter):
    version = ready()
    before = Version.objects.filter(pk=version.pk).values().get()
    converter.orders.clear()

    intake.run(version.pk, converter)
    intake.run("nothing", converter)

    assert converter.orders == []
    assert Version.objects.filter(pk=version.pk).values().get() == before


@pytest.mark.parametrize(
    ("step", "name"), [("convert", "converting"), ("check", "checking"), ("measure", "measuring")]
)
def test_refusal_is_told_at_its_step(draft, upload_version, converter, settings, step, name):
    version = upload_version()
    converter.answers[step] = Answer(
        "custom_domain", "It uses an operator of the domain “evil”. Export it again."
    )

    intake.run(version.pk, converter)

    version.refresh_from_db()
    assert (version.status, version.code) == ("rejected", "custom_domain")
    assert version.reason == "It uses an operator of the domain “evil”. Export it again."
    assert version.finished is not None
    failed = version.steps.get(name=name)
    assert (failed.status, failed.reason) == ("failed", version.reason)
    assert weights(settings) == []
    draft.refresh_from_db()
    assert draft.current_version is None
    assert not storage.upload_path(version.upload_id).exists()


def test_crash_rejects_and_keeps_its_log_for_staff(upload_version, converter):
    version = upload_version()
    converter.raises["convert"] = ConverterError("converter_crashed", "It ended.", "Segmentation fault")

    intake.run(version.pk, converter)

    version.refresh_from_db()
    assert (version.status, version.code, version.log) == (
        "rejected",
        "converter_crashed",
        "Segmentation fault",
    )
    assert "upload that" in version.reason
    assert "Segmentation" not in version.reason


def test_too_slow_rejects(upload_version, converter):
    version = upload_version()
    converter.raises["measure"] = ConverterError("too_slow", "600 s")

    intake.run(version.pk, converter)

    version.refresh_from_db()
    assert (version.status, version.code) == ("rejected", "too_slow")


def test_missing_converter_waits_and_goes_on_by_itself(upload_version, converter, queued):
    version = upload_version()
    converter.answers["convert"] = Answer("converter_missing", "torch is not installed")
    for _ in range(5):  # waiting is no failed try
        intake.run(version.pk, converter)
    version.refresh_from_db()
    assert (version.status, version.code) == ("converting", "converter_missing")
    assert "not installed" in version.reason
    queued.clear()
    assert tasks.resume() == 0
    Version.objects.update(leased_until=timezone.now() - timedelta(seconds=1))

    assert tasks.resume() == 1

    assert queued == [version.pk]
    converter.answers.clear()
    intake.run(version.pk, converter)
    version.refresh_from_db()
    assert (version.status, version.code, version.reason) == ("ready", "", "")


def test_two_at_once_do_it_once(upload_version, converter):
    version = upload_version()
    other = FakeConverter()
    converter.during["convert"] = lambda order, beat: intake.run(version.pk, other)

    intake.run(version.pk, converter)

    assert other.orders == []
    version.refresh_from_db()
    assert (version.status, version.attempts) == ("ready", 1)


def _expire(version: Version) -> None:
    Version.objects.filter(pk=version.pk).update(leased_until=timezone.now() - timedelta(seconds=1))


def test_task_that_lost_its_lease_changes_nothing_more(upload_version, converter):
    """It hung so long that another one took over; then it wakes up."""
    version = upload_version()
    second = FakeConverter(card=CARD | {"opset": 99})

    def hang(order, beat):
        _expire(version)
        intake.run(version.pk, second)

    converter.during["measure"] = hang
    intake.run(version.pk, converter)

    version.refresh_from_db()
    assert (version.status, version.attempts) == ("ready", 2)
    assert version.card["opset"] == 99
    assert steps(version)["measuring"] == "done"


class Killed(BaseException):
    """As if the process had ended at this line."""


@pytest.mark.parametrize("step", ["convert", "check", "measure"])
def test_killed_task_is_taken_up_again(upload_version, converter, queued, step):
    version = upload_version()
    converter.raises[step] = Killed()
    with pytest.raises(Killed):
        intake.run(version.pk, converter)
    queued.clear()
    assert tasks.resume() == 0  # it still holds its lease
    _expire(version)

    assert tasks.resume() == 1
    converter.raises.clear()
    intake.run(queued[0], converter)

    version.refresh_from_db()
    assert (version.status, version.attempts) == ("ready", 2)
    assert steps(version) == dict.fromkeys(("uploaded", "converting", "checking", "measuring"), "done")


@pytest.mark.parametrize("line", ["keep_weights", "keep_sample", "_card"])
def test_killed_while_keeping_is_taken_up_again(upload_version, converter, monkeypatch, settings, line):
    version = upload_version()
    owner = intake if line == "_card" else storage
    real = getattr(owner, line)

    def die(*args, **kwargs):
        real(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(owner, line, die)
    with pytest.raises(Killed):
        intake.run(version.pk, converter)
    monkeypatch.setattr(owner, line, real)
    _expire(version)

    intake.run(version.pk, converter)

    version.refresh_from_db()
    assert version.status == "ready"
    assert weights(settings) == [f"{version.weights_sha256}.onnx"]


def test_file_that_kills_its_task_again_and_again_is_rejected(upload_version, converter):
    version = upload_version()
    converter.raises["convert"] = Killed()
    for _ in range(intake.MAX_ATTEMPTS):
        with pytest.raises(Killed):
            intake.run(version.pk, converter)
        _expire(version)

    intake.run(version.pk, converter)

    version.refresh_from_db()
    assert (version.status, version.code) == ("rejected", "cut_off")


def test_full_disk_is_not_the_files_fault(upload_version, converter):
    version = upload_version()
    converter.raises["check"] = OSError(28, "No space left on device")
    for _ in range(5):
        with pytest.raises(OSError, match="No space"):
            intake.run(version.pk, converter)
    converter.raises.clear()

    intake.run(version.pk, converter)

    version.refresh_from_db()
    assert version.status == "ready"


def test_lost_upload_says_what_to_do(upload_version, converter):
    version = upload_version()
    storage.drop_upload(version.upload_id)

    intake.run(version.pk, converter)

    version.refresh_from_db()
    assert (version.status, version.code) == ("rejected", "upload_gone")
    assert "Upload it again" in version.reason


def test_links_in_the_converters_folder_are_not_followed(upload_version, converter, settings, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the server's key")
    version = upload_version()

    def swap(order, beat):
        (order.out / "weights.onnx").unlink()
        (order.out / "weights.onnx").symlink_to(secret)

    converter.during["measure"] = swap
    intake.run(version.pk, converter)

    version.refresh_from_db()
    assert (version.status, version.code) == ("rejected", "converter_crashed")
    assert weights(settings) == []


@pytest.mark.parametrize("card", ["[]", "{", "", "{" + '"a":' * 5])
def test_broken_card_is_a_crash(upload_version, converter, card, settings):
    version = upload_version()
    real = converter.measure

    class Broken(FakeConverter):
        def measure(self, order, beat):
            answer = real(order, beat)
            (order.out / "card.json").write_text(card)
            return answer

    intake.run(version.pk, Broken())

    version.refresh_from_db()
    assert (version.status, version.code) == ("rejected", "converter_crashed")
    assert weights(settings) == []


def test_newest_ready_version_is_the_current_one(draft, upload_version, ready, converter):
    first, late = ready(b"1"), upload_version(b"2")
    third = ready(b"3")
    draft.refresh_from_db()
    assert (draft.current_version, third.number) == (third, 3)

    intake.run(late.pk, converter)  # an older one that is ready only now

    draft.refresh_from_db()
    assert draft.current_version == third
    assert first.number == 1
    rejected = upload_version(b"4")
    converter.answers["check"] = Answer("bad", "It is bad.")
    intake.run(rejected.pk, converter)
    draft.refresh_from_db()
    assert draft.current_version == third


def test_lease_renews_and_refuses_the_finished(upload_version):
    version = upload_version()
    lease, other = Lease(version.pk), Lease(version.pk)
    assert lease.take()
    assert not other.take()
    lease.renew()
    os.sched_yield()
    Version.objects.filter(pk=version.pk).update(status="rejected", reason="x")
    with pytest.raises(Exception, match=version.pk):
        lease.renew()
