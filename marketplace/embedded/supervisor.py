"""Keeps services running: starts, watches, restarts and stops them. One thread, one loop.

Every process is started from the main thread (the kernel's parent-death signal follows the thread that
forked); output, exits and signals are waited for in one `select`. Nothing is left behind: a service that is
told to stop has some seconds, then its whole group is killed, and so is what a dead service leaves.
"""

from __future__ import annotations

import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marketplace.embedded.child import Child, Service, describe
from marketplace.embedded.log import Log

GUARD = Path(__file__).with_name("guard.py")
BACKOFF = (0.2, 0.5, 1, 2, 4)  # seconds before the first, second, … restart in a row
STEADY = 10  # seconds: a life this long was a good one, and the count starts anew
REPEAT = 0.5  # seconds within which signals count as one
GRACE = 8  # seconds between the signal to stop and the kill


class Interrupted(Exception):
    """A signal asks the platform to stop."""


@dataclass
class Post:
    """Where a service stands: at work (`child`), or waiting for its next start (`due`)."""

    service: Service
    restart: bool = True
    then: Callable[[int], None] | None = None  # for what runs once: gets its exit status
    child: Child | None = None
    born: float = 0.0
    falls: int = 0
    due: float | None = None


class Supervisor:
    """Used as a context manager: leaving it stops everything."""

    def __init__(
        self,
        log: Log,
        cwd: Path,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[dict[str, int]], None] = lambda _: None,
    ) -> None:
        """`on_change` gets every running service's process number whenever one starts or ends."""
        self._log = log
        self._on_change = on_change
        self._cwd = cwd
        self._clock = clock
        self._posts: dict[str, Post] = {}
        self._signals = 0
        self._asked_at = float("-inf")
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._awake, self._waker = socket.socketpair()
        self._awake.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._awake, selectors.EVENT_READ)
        self._guard = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-S", "-E", str(GUARD)],
            stdin=subprocess.PIPE,
            start_new_session=True,
            env={},
            cwd="/",
        )
        if self._guard.stdin is None:
            raise RuntimeError("no pipe")
        self._guard_pipe = self._guard.stdin

    def __enter__(self) -> Supervisor:
        """From here on SIGINT, SIGTERM and SIGHUP ask to stop, and a second one to stop at once."""
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # an exit wakes the loop
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(list(self._posts))
        self._guard_pipe.close()
        self._guard.wait()
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._awake.close()
        self._waker.close()

    def _asked_to_stop(self, *_: Any) -> None:
        now = self._clock()
        # One Ctrl-C in `make run` may come twice: from the terminal and from make.
        if now - self._asked_at > REPEAT:
            self._signals += 1
        self._asked_at = now

    # --- Running ----------------------------------------------------------------------------------

    def start(self, services: Iterable[Service]) -> None:
        for service in services:
            post = self._posts[service.name] = Post(service)
            self._spawn(post)

    def run_step(self, service: Service) -> int:
        """Run it to its end; its exit status. Raises Interrupted."""
        post = self._posts[service.name] = Post(service, restart=False)
        self._spawn(post)
        try:
            while post.child is not None and not post.child.ended():
                self.turn(0.2)
            return self._bury(post) if post.child else 1
        finally:
            self._bury(post)
            del self._posts[service.name]

    def start_once(self, service: Service, then: Callable[[int], None]) -> None:
        """Run it beside the others to its end, and call `then` with its exit status. It is stopped with
        them."""
        post = self._posts[service.name] = Post(service, restart=False, then=then)
        self._spawn(post)

    def turn(self, seconds: float = 1.0) -> None:
        """Wait for something to happen, at most so long, and see to it. Raises Interrupted."""
        now = self._clock()
        due = [post.due - now for post in self._posts.values() if post.due is not None]
        self._pump(max(0.0, min([seconds, *due])))
        for post in list(self._posts.values()):
            self._look_after(post)
        if self._signals:
            raise Interrupted

    def turns(self, seconds: float) -> None:
        """See to everything for that long. Raises Interrupted."""
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0:
            self.turn(left)

    def names(self) -> list[str]:
        return list(self._posts)

    def _spawn(self, post: Post) -> None:
        post.due = None
        post.born = self._clock()
        try:
            post.child = Child(post.service, self._guard_pipe.fileno(), self._cwd)
        except OSError as error:  # no memory, no more processes
            self._fell(post, f"can't be started ({error.strerror})")
            return
        self._selector.register(post.child.pipe, selectors.EVENT_READ, post)
        self._tell()

    def _tell(self) -> None:
        self._on_change({name: post.child.pid for name, post in self._posts.items() if post.child})

    def _look_after(self, post: Post) -> None:
        if post.then and (post.child is None or post.child.ended()):
            status = self._bury(post) if post.child else 1
            self._posts.pop(post.service.name, None)
            post.then(status)
        if not post.restart:
            return
        if post.child and post.child.ended():
            self._fell(post, describe(self._bury(post)))
        if post.due is not None and self._clock() >= post.due:
            self._spawn(post)

    def _fell(self, post: Post, how: str) -> None:
        lived = self._clock() - post.born
        post.falls = 1 if lived >= STEADY else post.falls + 1
        wait = BACKOFF[min(post.falls, len(BACKOFF)) - 1]
        post.due = self._clock() + wait
        self._log.line(post.service.name, f"{how} after {lived:.1f} s; starting again in {wait:g} s")

    def _bury(self, post: Post) -> int:
        child, post.child = post.child, None
        if child is None:
            return 0
        status = child.bury()
        self._forget(child.pid)
        if child.pipe.fileno() in self._selector.get_map():
            self._selector.unregister(child.pipe)
        for line in child.close():
            self._log.line(post.service.name, line)
        self._tell()
        return status

    def _forget(self, group: int) -> None:
        with suppress(BrokenPipeError):  # somebody killed the guard: parent-death signals remain
            self._guard_pipe.write(f"-{group}\n".encode())
            self._guard_pipe.flush()

    def _pump(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                self._drain_wakeups()
                continue
            post: Post = key.data
            lines = post.child.read() if post.child else None
            if lines is None:
                self._selector.unregister(key.fileobj)
            for line in lines or ():
                self._log.line(post.service.name, line)

    def _drain_wakeups(self) -> None:
        with suppress(BlockingIOError):
            while self._awake.recv(4096):
                pass

    # --- Stopping ---------------------------------------------------------------------------------

    def stop(self, names: Sequence[str], grace: float = GRACE) -> None:
        """Ask all of them to end, wait, and kill what has not. Another signal cuts the wait short."""
        posts = [self._posts[name] for name in names if name in self._posts]
        for post in posts:
            post.restart = False
            post.then = None
            post.due = None
            if post.child:
                post.child.signal(post.service.stop_signal)
        signals, deadline = self._signals, self._clock() + grace
        while waiting := [post for post in posts if post.child and not post.child.ended()]:
            if self._clock() >= deadline or self._signals > signals:
                slow = ", ".join(post.service.name for post in waiting)
                self._log.say(f"{slow} did not stop in time and will be killed")
                break
            self._pump(min(0.2, deadline - self._clock()))
        for post in posts:
            self._bury(post)
            self._posts.pop(post.service.name, None)
