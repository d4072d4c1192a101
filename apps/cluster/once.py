"""Things that a process has one of, made when first needed: not at import, so that a forked process makes its
own connections."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class once(Generic[T]):
    """What the decorated function makes, made by the first call and the same ever after. Threads that come
    first together get the same; functools.cache would let each of them make one."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[T] = []

    def __call__(self) -> T:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]

    def forget(self) -> T | None:
        """Give up what was made, for tests; the next call makes another."""
        with self._lock:
            return self._made.pop() if self._made else None
