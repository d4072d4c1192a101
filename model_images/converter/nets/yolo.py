"""YOLOv5 networks, put together from a description (`yolo_config`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from model_images.converter.nets.yolo_config import Description, Row, Unsupported
from model_images.converter.nets.yolo_heads import AnchorHead, DflHead
from model_images.converter.nets.yolo_layers import C3, SPP, SPPF, Bottleneck, Concat, Conv, Focus

Head = AnchorHead | DflHead

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "SiLU": nn.SiLU,
    "ReLU": nn.ReLU,
    "LeakyReLU": lambda: nn.LeakyReLU(0.1),
    "Hardswish": nn.Hardswish,
    "Identity": nn.Identity,
}
PROBE = 256  # pixels: every stride of these networks divides it


class Network(nn.Module):
    """`(N, channels, height, width)` of values 0..1 to what its head gives. `model.<row>` in a state dict."""

    def __init__(self, description: Description, make_head: Callable[[Sequence[int]], Head]) -> None:
        super().__init__()
        self.description = description
        self.sources = [row.sources for row in description.rows]
        # Rows that a later one refers to, other than the next: only these are kept while running.
        self.kept = {s for i, row in enumerate(self.sources) for s in row if s != i - 1}
        layers: list[nn.Module] = []
        channels: list[int] = []
        for index, row in enumerate(description.rows):
            inputs = [description.channels if s < 0 else channels[s] for s in row.sources]
            if row.module == "Detect":
                if index != len(description.rows) - 1:
                    raise Unsupported("the head is not the last layer")
                layers.append(make_head(inputs))
                break
            layer, outputs = _layer(index, row, inputs)
            layers.append(layer)
            channels.append(outputs)
        else:
            raise Unsupported(f"the last layer is {description.rows[-1].module}, not Detect")
        self.model = nn.ModuleList(layers)

    @property
    def head(self) -> Head:
        head = self.model[-1]
        assert isinstance(head, AnchorHead | DflHead)  # noqa: S101 - __init__ saw to it; for the type
        return head

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The head's inputs."""
        kept: dict[int, torch.Tensor] = {}
        last = x
        for index, (sources, layer) in enumerate(zip(self.sources[:-1], self.model, strict=False)):
            taken = [last if s == index - 1 else kept[s] for s in sources]
            last = layer(taken if isinstance(layer, Concat) else taken[0])
            if index in self.kept:
                kept[index] = last
        end = len(self.sources) - 1
        return [last if s == end - 1 else kept[s] for s in self.sources[end]]

    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        return self.model[-1](self.features(x))

    def strides(self) -> list[int]:
        """Pixels of the input per cell, level by level; found by shape, so it costs nothing on "meta".
        Raises Unsupported where the layers don't fit together."""
        device = next(self.parameters()).device
        try:
            with torch.no_grad():
                maps = self.features(torch.zeros(1, self.description.channels, PROBE, PROBE, device=device))
        except RuntimeError as error:
            raise Unsupported("its layers don't fit together") from error
        return [PROBE // m.shape[3] for m in maps]


def _layer(index: int, row: Row, inputs: Sequence[int]) -> tuple[nn.Module, int]:
    """The module of a row and its output channels."""
    if row.module == "Concat":
        if row.args not in {(), (1,)}:
            raise Unsupported(f"layer {index} joins along another axis than the channels")
        return Concat(), sum(inputs)
    if len(inputs) != 1:
        raise Unsupported(f"layer {index} ({row.module}) has {len(inputs)} inputs")
    if row.module == "Upsample":
        return _upsample(index, row), inputs[0]
    if row.channels is None or row.module not in _MAKERS:
        raise Unsupported(f"layer {index} is a {row.module}; known are {', '.join(sorted(_MAKERS))}")
    try:
        return _MAKERS[row.module](inputs[0], row.channels, row.repeats, *row.args), row.channels
    except TypeError as error:
        raise Unsupported(f"layer {index} ({row.module}) has arguments {list(row.args)!r}") from error


def _upsample(index: int, row: Row) -> nn.Module:
    size, factor, mode = (*row.args, None, None, None)[:3]
    if size is not None or factor != 2 or mode not in {"nearest", None}:
        raise Unsupported(f"layer {index} enlarges by other means than doubling each pixel")
    return nn.Upsample(scale_factor=2.0, mode="nearest")


def _repeated(repeats: int, first: int, outputs: int, make: Callable[[int], nn.Module]) -> nn.Module:
    if repeats == 1:
        return make(first)
    return nn.Sequential(*(make(first if i == 0 else outputs) for i in range(repeats)))


def _small(value: Any, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 31:
        raise TypeError(value)
    return value


def _conv(kind: type[Conv] | type[Focus]) -> Callable[..., nn.Module]:
    def make(c1: int, c2: int, n: int, k: int = 1, s: int = 1, p: int | None = None) -> nn.Module:
        k, s, p = _small(k), _small(s), None if p is None else _small(p, 0)
        return _repeated(n, c1, c2, lambda c: kind(c, c2, k, s, p))

    return make


def _pyramid(c1: int, c2: int, n: int, kernels: Sequence[int] = (5, 9, 13)) -> nn.Module:
    kernels = [_small(k) for k in kernels]
    return _repeated(n, c1, c2, lambda c: SPP(c, c2, kernels))


_MAKERS: dict[str, Callable[..., nn.Module]] = {
    "Conv": _conv(Conv),
    "Focus": _conv(Focus),
    "Bottleneck": lambda c1, c2, n, add=True: _repeated(n, c1, c2, lambda c: Bottleneck(c, c2, bool(add))),
    "C3": lambda c1, c2, n, add=True: C3(c1, c2, n, bool(add)),
    "SPP": _pyramid,
    "SPPF": lambda c1, c2, n, k=5: _repeated(n, c1, c2, lambda c: SPPF(c, c2, _small(k))),
}


def adopt_form(network: Network, state: Mapping[str, Any], modules: Mapping[str, str]) -> None:
    """Make the network's form that of a checkpoint where a description leaves it open.

    state    where a convolution's normalisation was folded into it, it has a bias here and no `bn`
    modules  class names by dotted path, as pickled: which activation each convolution has (they changed
             between versions of the originals, and the state dict doesn't tell)
    """
    for path, conv in network.named_modules():
        if not isinstance(conv, Conv):
            continue
        if f"{path}.conv.bias" in state and f"{path}.bn.weight" not in state:
            conv.conv.bias = nn.Parameter(torch.empty_like(conv.conv.weight[:, 0, 0, 0]))
            conv.bn = nn.Identity()
        if f"{path}.act" in modules:
            name = modules[f"{path}.act"].rpartition(".")[2]
            if name not in ACTIVATIONS:
                raise Unsupported(f"activation {name}; known are {', '.join(sorted(ACTIVATIONS))}")
            conv.act = ACTIVATIONS[name]()
