"""What a preview server and its workers say to each other, whole, cut short and made up."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import pytest

from model_images.runtime.messages import MOST, pack, receive, send

Ends = tuple[Connection, Connection]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = Pipe()
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("body", [b"", b"\0body", os.urandom(3_000_000)])
def test_a_message_arrives_as_it_was_sent(ends, body):
    ours, theirs = ends
    sender = threading.Thread(target=send, args=(ours, pack({"a": "ü" * 9}, body)))
    sender.start()

    assert receive(theirs) == ({"a": "ü" * 9}, body)
    sender.join()
    assert not theirs.poll(0)


def test_messages_come_one_after_the_other(ends):
    ours, theirs = ends
    for number in range(3):
        send(ours, pack({"number": number}, b"x" * number))

    assert [receive(theirs) for _ in range(2)] == [({"number": 0}, b""), ({"number": 1}, b"x")]
    assert theirs.poll(0), "one that nobody asked for can be seen"


@pytest.mark.parametrize("kept", [0, 5, 12, 20, 27])
def test_a_message_that_ends_early(ends, kept):
    ours, theirs = ends
    head, body = pack({"a": 1}, b"12345678")
    os.write(ours.fileno(), (head + body)[:kept])
    ours.close()

    with pytest.raises(EOFError):
        receive(theirs)


@pytest.mark.parametrize(
    "wrong",
    [
        struct.pack("=IQ", 4, 0) + b"true",
        struct.pack("=IQ", 2, 0) + b"[]",
        struct.pack("=IQ", 1, 0) + b"\xff",
        struct.pack("=IQ", 0, 0),
        struct.pack("=IQ", MOST + 1, 0),
        struct.pack("=IQ", 2, MOST + 1) + b"{}",
    ],
)
def test_what_is_no_message(ends, wrong):
    ours, theirs = ends
    os.write(ours.fileno(), wrong)

    with pytest.raises(ValueError, match=r".+"):
        receive(theirs)


def test_what_is_no_json_is_not_sent():
    with pytest.raises(ValueError, match=r".+"):
        pack({"a": float("nan")})


def test_nobody_reads(ends):
    ours, theirs = ends
    theirs.close()

    with pytest.raises(BrokenPipeError):
        send(ours, pack({}, b"photo"))
