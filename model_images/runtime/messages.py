"""Messages between a preview server and its workers: a JSON object and bytes, over a socket pair.

    12 bytes   how long the head and the body are: a 32-bit and a 64-bit number in the machine's order
    head       the object, as UTF-8
    body       a photo, or what was made of it

Large ones are read straight into the memory that they stay in: `multiprocessing` makes room for the whole of
what is missing at each of its reads, which takes longer for a photo of 4 MB than making it grey. Nothing is
read beyond a message, so that one which nobody asked for shows as something to read.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

MOST = 1 << 30  # bytes of a head or a body; who says more is none of ours
_LENGTHS = struct.Struct("=IQ")
Packed = tuple[bytes, bytes]


def pack(head: Mapping[str, Any], body: bytes = b"") -> Packed:
    """Ready to be sent. Raises ValueError for what is no JSON (NaN is not)."""
    text = json.dumps(head, ensure_ascii=False, allow_nan=False).encode()
    return _LENGTHS.pack(len(text), len(body)) + text, body


def send(pipe: Connection, message: Packed) -> None:
    """Raises OSError when nobody will read it."""
    rest = [memoryview(part) for part in message if part]
    while rest:
        written = os.writev(pipe.fileno(), rest)
        while rest and written >= len(rest[0]):
            written -= len(rest.pop(0))
        if written:
            rest[0] = rest[0][written:]


def receive(pipe: Connection) -> tuple[dict[str, Any], bytes]:
    """Waits for a whole message. Raises EOFError at its end, ValueError for what `pack` didn't make."""
    head_bytes, body_bytes = _LENGTHS.unpack(_read(pipe, _LENGTHS.size))
    if max(head_bytes, body_bytes) > MOST:
        raise ValueError("a message that long is none of ours")
    head = json.loads(_read(pipe, head_bytes))
    body = bytes(_read(pipe, body_bytes))
    if not isinstance(head, dict):
        raise ValueError("no JSON object")
    return head, body


def _read(pipe: Connection, length: int) -> bytearray:
    data = bytearray(length)
    rest = memoryview(data)
    while rest:
        count = os.readv(pipe.fileno(), [rest])
        if not count:
            raise EOFError
        rest = rest[count:]
    return data
