"""Weights that are the same everywhere: each tensor a sine wave, so that goldens need no files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch


def filled(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Values of the size that training would leave, by each tensor's name and shape alone."""
    return {name: _values(name, tensor) for name, tensor in state.items()}


def _values(name: str, tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point():
        return torch.zeros(tensor.shape, dtype=tensor.dtype)
    start = int(hashlib.sha256(name.encode()).hexdigest()[:4], 16)
    wave = torch.sin(torch.arange(tensor.numel(), dtype=torch.float64) * 1.7 + start).reshape(tensor.shape)
    if name.endswith("running_var"):
        wave = 1 + 0.5 * wave
    elif tensor.ndim > 1:
        wave = wave * (3.0 / max(1, tensor[0].numel())) ** 0.5
    elif name.endswith("weight"):  # of a norm
        wave = 1 + 0.2 * wave
    else:
        wave = 0.1 * wave
    return wave.float()


def picture(channels: int, height: int, width: int) -> torch.Tensor:
    """`(1, channels, height, width)` in -1..1."""
    count = channels * height * width
    return (
        torch.sin(torch.arange(count, dtype=torch.float64) * 0.013)
        .reshape(1, channels, height, width)
        .float()
    )


def fingerprint(state: Mapping[str, torch.Tensor]) -> str:
    """Of names and shapes."""
    text = "\n".join(f"{name} {tuple(tensor.shape)}" for name, tensor in sorted(state.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
