"""A converter that works in memory, and can be told how to fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from apps.catalog.converter import Answer, Beat, Order
from tests.drive.photos import photo

CARD = {
    "family": "yolov5",
    "task": "detection",
    "architecture": "yolov5n",
    "input": {"width": 160, "height": 160, "channels": 3},
    "classes": ["circle", "square", "triangle"],
    "parameters": 1_765_270,
    "bytes": 3,
    "opset": 17,
    "sha256": "0" * 64,
    "latency_ms": {"1": 12.5, "2": 8.25},
    "compared": {"max_difference": 0.0001, "image": "cat.jpg"},
    "scan": [{"check": "operators", "result": "ok", "detail": "61 operators, all of ONNX itself"}],
    "license": "Apache-2.0",
    "source": "ONNX",
    "quality": {"mAP50": 0.94},
    "samples": [{"source": "cat.jpg", "file": "cat.jpg"}],
}


@dataclass
class FakeConverter:
    """`answers` replaces the answer of a step, `raises` its end; `during` is called within a step."""

    answers: dict[str, Answer] = field(default_factory=dict)
    raises: dict[str, Exception] = field(default_factory=dict)
    during: dict[str, Callable[[Order, Beat], None]] = field(default_factory=dict)
    card: dict = field(default_factory=lambda: dict(CARD))
    orders: list[tuple[str, Order]] = field(default_factory=list)

    def convert(self, order: Order, beat: Beat) -> Answer:
        return self._step("convert", order, beat)

    def check(self, order: Order, beat: Beat) -> Answer:
        return self._step("check", order, beat)

    def measure(self, order: Order, beat: Beat) -> Answer:
        return self._step("measure", order, beat)

    def _step(self, name: str, order: Order, beat: Beat) -> Answer:
        self.orders.append((name, order))
        if name in self.during:
            self.during[name](order, beat)
        if name in self.raises:
            raise self.raises[name]
        if name in self.answers:
            return self.answers[name]
        if name == "check":
            (order.out / "weights.onnx").write_bytes(b"onnx of " + order.upload.read_bytes())
        if name == "measure":
            (order.out / "samples").mkdir()
            for sample in self.card.get("samples", []):
                (order.out / "samples" / sample["file"]).write_bytes(photo())
            (order.out / "card.json").write_text(json.dumps(self.card))
        return Answer()
