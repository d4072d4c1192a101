"""Checkpoints that try to run something, or to be more than they are. Each is refused with its reason, and
the canary that they would leave is not there."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from model_images.converter import archives, contents
from model_images.converter.architecture import Rejected
from tests.converter.command import run

torch = pytest.importorskip("torch")

from model_images.converter import loading  # noqa: E402 - needs torch


class Calls:
    """Pickles to a call of `function` when it is opened."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.fixture
def canary(tmp_path) -> Any:
    path = tmp_path / "canary"
    yield path
    assert not path.exists(), "the file was run"


def touch(canary: Path) -> str:
    return f"touch {canary}"


def opened(path: Path) -> Any:
    return loading.load(path, contents.kind_of(path))


def refusal(path: Path) -> Rejected:
    with pytest.raises(Rejected) as caught:
        opened(path)
    return caught.value


def evil_calls(canary: Path) -> dict[str, tuple[Any, str]]:
    """Payload, and the name that it asks for."""
    inner = pickle.dumps(Calls(os.system, touch(canary)))
    code = f"__import__('os').system({touch(canary)!r})"
    return {
        "os.system": (Calls(os.system, touch(canary)), "posix.system"),
        "eval": (Calls(builtins.eval, code), "builtins.eval"),
        "exec": (Calls(builtins.exec, code), "builtins.exec"),
        "getattr": (Calls(builtins.getattr, "text", "upper"), "builtins.getattr"),
        "import": (Calls(builtins.__import__, "os"), "builtins.__import__"),
        "open": (Calls(io.open, str(canary), "w"), "io.open"),
        "torch.load": (Calls(torch.load, "/etc/passwd"), "torch.serialization.load"),
        "nested pickle": (Calls(pickle.loads, inner), "pickle.loads"),
        "torch.hub": (Calls(torch.hub.load, "a/b", "c"), "torch.hub.load"),
        "compile": (Calls(torch.jit.load, "x"), "torch.jit._serialization.load"),
    }


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("which", list(evil_calls(Path("x"))))
def test_call_hidden_in_a_checkpoint_is_refused_by_its_name(tmp_path, canary, which, zipped):
    payload, asked = evil_calls(canary)[which]
    path = tmp_path / "a.pt"
    held = {"model": {"weight": torch.zeros(2)}, "extra": payload}
    torch.save(held, path, _use_new_zipfile_serialization=zipped)

    refused = refusal(path)

    assert refused.code == "forbidden_global"
    assert asked in refused.message


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["model.onnx", "model.pt", "model.safetensors"])
def test_bare_pickle_is_refused_whatever_it_is_called(tmp_path, canary, protocol, name):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Calls(os.system, touch(canary)), protocol=protocol))

    with pytest.raises(Rejected) as caught:
        contents.kind_of(path)

    assert caught.value.code == "forbidden_global"
    assert "posix.system" in caught.value.message


def test_harmless_bare_pickle_is_refused_as_a_pickle(tmp_path):
    path = tmp_path / "weights.onnx"
    path.write_bytes(pickle.dumps({"weight": [1.0, 2.0]}))

    with pytest.raises(Rejected) as caught:
        contents.kind_of(path)

    assert caught.value.code == "pickle"


def by_hand(path: Path, data: bytes) -> Path:
    """A checkpoint around a hand-written pickle."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/version", "3\n")
    return path


def test_attributes_set_on_a_stand_in_stay_data(tmp_path, canary):
    """BUILD with names that would matter on a real object."""
    state = b"}(X\x0c\x00\x00\x00__setstate__cmodels.common\nConv\n"
    state += b"X\x09\x00\x00\x00__class__cmodels.yolo\nDetect\nu"
    path = by_hand(tmp_path / "a.pt", b"\x80\x02cmodels.yolo\nModel\n)\x81" + state + b"b.")

    assert refusal(path).code == "no_weights"


@pytest.mark.parametrize(
    "name",
    [
        "models.yolo\nModel.__init__", "models.common\nos", "torch.nn.modules.module\n_global_forward_hooks",
        "ultralytics.utils\nsubprocess", "ultralytics.nn.tasks\n__builtins__", "builtins\nset.__init__",
        "torchvision.models.resnet\nResNet", "__main__\nNet", "sys\nexit", "nt\nsystem",
    ],
)  # fmt: skip
def test_name_beside_the_list_is_refused(tmp_path, name):
    path = by_hand(tmp_path / "a.pt", f"\x80\x02c{name}\n)R.".encode("latin-1"))

    refused = refusal(path)

    assert refused.code == "forbidden_global"
    assert name.replace("\n", ".") in refused.message


def test_stack_global_of_newer_protocols_is_named(tmp_path, canary):
    path = by_hand(tmp_path / "a.pt", pickle.dumps(Calls(os.system, touch(canary)), protocol=4))

    refused = refusal(path)

    assert (refused.code, "posix.system" in refused.message) == ("forbidden_global", True)


def test_result_of_a_call_is_not_called(tmp_path, canary):
    """A stand-in called, and what comes out called again."""
    path = by_hand(tmp_path / "a.pt", b"\x80\x02cmodels.yolo\nModel\n)R)R.")

    assert refusal(path).code == "forbidden_global"


@pytest.mark.parametrize(
    "data", [b"", b"\x80\x02", b"\x80\x02q", b"\x80\x02.", b"\x80\x02h\x05.", b"\x80\x02\xff."]
)
def test_broken_pickle_is_corrupt(tmp_path, data):
    assert refusal(by_hand(tmp_path / "a.pt", data)).code == "corrupt"


def test_lists_that_unfold_without_end_stay_bounded(tmp_path):
    """A billion laughs: thirty lists, each holding the one before twenty times."""
    laughs = (
        b"}(K\x00]q\x00"
        + b"".join(
            b"K" + bytes([i + 1]) + b"](" + (b"h" + bytes([i])) * 20 + b"eq" + bytes([i + 1])
            for i in range(30)
        )
        + b"u"
    )
    path = tmp_path / "a.pt"
    torch.save({"w": torch.zeros(1)}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    root = next(name for name in entries if name.endswith("data.pkl"))
    module = b"\x80\x02}(X\x05\x00\x00\x00modelcmodels.yolo\nModel\n)\x81}(X\x04\x00\x00\x00yaml" + laughs
    entries[root] = module + b"X\x08\x00\x00\x00_modules}ubu."
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)

    assert refusal(path).code == "no_weights"


def test_module_that_holds_itself_is_refused(tmp_path):
    data = b"\x80\x02}(X\x05\x00\x00\x00modelcmodels.yolo\nModel\n)\x81q\x00"
    data += b"}X\x08\x00\x00\x00_modules}X\x01\x00\x00\x000h\x00ssbu."

    assert refusal(by_hand(tmp_path / "a.pt", data)).code == "corrupt"


# --- Tensors --------------------------------------------------------------------------------------


def test_huge_tensor_on_one_value_is_refused(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"w": torch.zeros(1).expand(100_000, 100_000)}, path)
    assert path.stat().st_size < 10_000

    assert refusal(path).code == "huge_tensor"


def test_tensor_beyond_its_storage_is_refused(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"w": torch.zeros(4)}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    root = next(name for name in entries if name.endswith("data.pkl"))
    shape = b"K\x04\x85"
    assert entries[root].count(shape) == 1
    entries[root] = entries[root].replace(shape, b"J" + struct.pack("<i", 2**30) + b"\x85")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)

    assert refusal(path).code in {"corrupt", "huge_tensor"}


@pytest.mark.parametrize(
    ("tensor", "code"),
    [
        (torch.tensor([1.0, float("nan")]), "not_finite"),
        (torch.tensor([1.0, float("inf")]), "not_finite"),
        (torch.zeros(2, dtype=torch.complex64), "bad_tensor"),
        (torch.eye(3).to_sparse(), "bad_tensor"),
        (torch.zeros(3, device="meta"), "bad_tensor"),
    ],
)
def test_tensor_that_is_no_plain_numbers_is_refused(tmp_path, tensor, code):
    path = tmp_path / "a.pt"
    torch.save({"w": tensor}, path)

    assert refusal(path).code == code


def test_checkpoint_without_tensors_is_refused(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"epoch": 3, "state_dict": {}}, path)

    assert refusal(path).code == "no_weights"


# --- Archives -------------------------------------------------------------------------------------


def saved(tmp_path: Path) -> Path:
    path = tmp_path / "a.pt"
    torch.save({"w": torch.zeros(1000)}, path)
    return path


def test_zip_bomb_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))

    assert refusal(path).code == "zip_bomb"


def test_entries_that_share_their_bytes_are_refused(tmp_path):
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", bytes(100_000))
        info = archive.infolist()[0]
        for number in range(50):
            twin = zipfile.ZipInfo(f"archive/data/{number}")
            twin.header_offset, twin.file_size, twin.compress_size, twin.CRC = (
                0,
                info.file_size,
                info.file_size,
                info.CRC,
            )
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin

    assert refusal(path).code == "zip_bomb"


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/passwd", "archive/../../x", "a\\..\\x"])
def test_path_that_leaves_the_archive_is_refused(tmp_path, name):
    path = saved(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")

    assert refusal(path).code == "bad_archive"


def test_too_many_entries_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_ENTRIES", 10)
    path = saved(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(10):
            archive.writestr(f"a/{number}", b"")

    assert refusal(path).code == "zip_bomb"


def test_second_object_tree_is_refused(tmp_path):
    path = saved(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b/data.pkl", b"\x80\x02N.")

    assert refusal(path).code == "unsupported_type"


def test_torchscript_is_refused_as_code(tmp_path):
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02N.")
        archive.writestr("a/constants.pkl", b"\x80\x02).")

    assert refusal(path).code == "torchscript"


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
def test_truncated_checkpoint_is_told_to_be(tmp_path, part):
    path = saved(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])

    assert refusal(path).code == "truncated"


@pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
def test_truncated_legacy_checkpoint_is_corrupt(tmp_path, part):
    path = tmp_path / "a.pt"
    torch.save({"w": torch.zeros(1000)}, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])

    assert refusal(path).code == "corrupt"


@pytest.mark.parametrize("cut", [4, 20, 200])
def test_truncated_safetensors_is_refused(tmp_path, cut):
    from safetensors.torch import save_file

    path = tmp_path / "a.safetensors"
    save_file({"w": torch.zeros(100)}, path)
    path.write_bytes(path.read_bytes()[:-cut])

    assert refusal(path).code in {"corrupt", "truncated"}


# --- The whole way --------------------------------------------------------------------------------


def test_command_refuses_a_hostile_checkpoint_and_writes_nothing(tmp_path, canary):
    path = tmp_path / "model.onnx"
    torch.save({"model": Calls(os.system, touch(canary))}, path)
    out = tmp_path / "out"

    answer = run("convert", out, "--upload", path, "--family", "yolov5")

    assert (answer["code"], "posix.system" in answer["message"]) == ("forbidden_global", True)
    assert list(out.iterdir()) == []
