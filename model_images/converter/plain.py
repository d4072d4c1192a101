"""Plain values out of an unpickled tree: None, booleans, numbers, text, lists and dicts of them."""

from __future__ import annotations

from itertools import islice
from typing import Any

import torch

from model_images.converter.standins import Inert

MAX_VALUES = 200_000  # in one tree: lists that share lists unfold into far more than the file holds
_DEPTH, _ITEMS, _TEXT, _TENSOR = 12, 5000, 20_000, 1000


class Plain:
    """One budget for all values of a checkpoint; what comes beyond it becomes None."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def of(self, value: Any, depth: int = 0) -> Any:
        """Small tensors become lists of float, paths text, namespaces dicts; anything else None."""
        self._left -= 1
        if depth > _DEPTH or self._left < 0:
            return None
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, str):
            return value[:_TEXT]
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if isinstance(value, dict):
            items = islice(value.items(), _ITEMS)
            return {k: self.of(v, depth + 1) for k, v in items if isinstance(k, (str, int))}
        if isinstance(value, (list, tuple, set)):
            return [self.of(v, depth + 1) for v in islice(value, _ITEMS)]
        return self._inert(value, depth) if isinstance(value, Inert) else None

    def _tensor(self, value: torch.Tensor) -> Any:
        if value.numel() > _TENSOR or value.device.type != "cpu" or value.layout != torch.strided:
            return None
        self._left -= value.numel()
        return None if value.is_complex() or value.is_quantized else value.detach().to(torch.float64).tolist()

    def _inert(self, value: Inert, depth: int) -> Any:
        if value.asked.startswith("pathlib."):
            return "/".join(str(part)[:_TEXT] for part in value.args[:50])
        return self.of(value.state, depth + 1) if value.asked.endswith("Namespace") else None
