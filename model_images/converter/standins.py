"""Inert stand-ins for the few classes that pickled YOLOv5 models name. Unpickling makes these instead: they
keep what they are given and do nothing.

The list is of what checkpoints of the original repository (v5 to v7) and of ultralytics contain. A name that
is not listed is refused, although a stand-in for it would be as inert: a checkpoint that asks for more is not
what it says it is.
"""

from __future__ import annotations

import re
from typing import Any, Literal

Origin = Literal["state_dict", "yolov5", "ultralytics"]

_CLASS = r"[A-Z]\w*"
_YOLOV5 = rf"models\.(?:yolo|common|experimental)\.{_CLASS}"
_ULTRALYTICS = "|".join(
    (
        rf"ultralytics\.nn\.tasks\.{_CLASS}",
        rf"ultralytics\.nn\.modules\.(?:\w+\.)?{_CLASS}",
        r"ultralytics\.(?:yolo\.)?utils\.IterableSimpleNamespace",
        rf"ultralytics\.(?:yolo\.)?utils\.(?:loss|tal)\.{_CLASS}",
    )
)
_TORCH = "|".join(
    (
        rf"torch\.nn\.modules\.(?:activation|batchnorm|container|conv|dropout|flatten|linear|loss|normalization|"
        rf"padding|pixelshuffle|pooling|upsampling|module)\.{_CLASS}",
        rf"torch\.nn\.backends\.thnn\.{_CLASS}",
    )
)
_VALUES = "|".join(
    (
        r"numpy(?:\._core|\.core)?\.multiarray\.(?:scalar|_reconstruct)",
        r"numpy\.(?:dtype|ndarray|float32|float64|int32|int64)",
        r"numpy\.dtypes\.\w+DType",
        r"pathlib\.(?:_local\.)?(?:Pure)?(?:Posix|Windows)?Path",
        r"argparse\.Namespace",
        r"collections\.defaultdict",
        r"builtins\.(?:dict|list|int|float|str)",
    )
)
_ALLOWED = re.compile(rf"(?:{_YOLOV5}|{_ULTRALYTICS}|{_TORCH}|{_VALUES})")


class Inert:
    """`args` as it was called with, `state` as a pickle set it. `asked` is the name it stands for."""

    asked = ""
    __slots__ = ("args", "state")
    args: tuple[Any, ...]
    state: dict[Any, Any]

    def __new__(cls, *args: Any, **_: Any) -> Inert:
        made = super().__new__(cls)
        made.args = args
        made.state = {}
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        """Nothing: `__new__` did it, and pickles may skip this."""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) == 2:  # attributes, and those in slots
            state = state[0] if isinstance(state[0], dict) else state[1]
        self.state = state if isinstance(state, dict) else {"": state}


def stand_in(name: str) -> type[Inert] | None:
    """A class of its own for a `module.name`; None where the name isn't allowed."""
    if not _ALLOWED.fullmatch(name):
        return None
    return type(name.rpartition(".")[2], (Inert,), {"asked": name, "__slots__": ()})


def origin(names: set[str]) -> Origin:
    """Whose pickled model it is, by the names it asks for."""
    if any(name.startswith("ultralytics.") for name in names):
        return "ultralytics"
    if any(re.fullmatch(_YOLOV5, name) for name in names):
        return "yolov5"
    return "state_dict"
