"""The test cluster: a folder of scripts that start real Kubernetes on this machine.

TEST_CLUSTER names the folder; by default it is looked for beside the repository. What must be in it:

    up [--nodes N]             start what is not running; down: stop it all
    image TAG FILE CONTEXT     build an image and put it on every node; load TAG: only put it there
    kill-node N, start-node N  pull a node's plug, and put it back
    lib.sh                     for a shell: KUBECONFIG, and for each process of the control plane a file
                               $RUN/<name>.pid
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODES = 3
NEEDED = ("up", "down", "image", "load", "kill-node", "start-node", "lib.sh")
UP_SECONDS = 900  # the first time it builds Kubernetes


class NoCluster(Exception):
    """There is no cluster to be had; the message says what is missing."""


def folder() -> Path:
    """Where the scripts are. Raises NoCluster."""
    named = os.environ.get("TEST_CLUSTER")
    found = Path(named) if named else ROOT.parent / "shared" / "cluster"
    missing = [name for name in NEEDED if not (found / name).is_file()]
    if missing:
        why = "is not the folder of a test cluster" if named else "and there is none beside the repository"
        raise NoCluster(f"TEST_CLUSTER {named or 'is not set'} {why}: {', '.join(missing)} missing")
    return found.resolve()


class Scripts:
    """Runs them. Output of a script that fails is in the error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = Path(tempfile.gettempdir()) / "cluster.lock"

    def run(self, name: str, *arguments: str, seconds: float = 120) -> str:
        return self._call([str(self.folder / name), *arguments], seconds)

    def ask(self, shell: str, seconds: float = 30) -> str:
        """What a line of shell prints that knows the names of lib.sh."""
        return self._call(["bash", "-c", f'. "$0/lib.sh"; {shell}', str(self.folder)], seconds).strip()

    def _call(self, command: list[str], seconds: float) -> str:
        # Scripts leave daemons behind, which would hold a pipe open: so a file it is.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                check=False,
            )
            output.seek(0)
            text = output.read().decode(errors="replace")
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{text[-4000:]}")
        return text

    @cached_property
    def kubeconfig(self) -> Path:
        return Path(os.environ.get("KUBECONFIG") or self.ask('echo "$KUBECONFIG"'))

    def is_there(self) -> bool:
        """Whether somebody has started it, even if its API server hangs just now: who asks this to know
        whether to stop it in the end must not take another one's drill for an empty machine."""
        with self.alone():
            return self.kubeconfig.is_file() and bool(self.ask('cat "$RUN"/*.pid 2>/dev/null || true'))

    def up(self) -> None:
        """Raises NoCluster where the machine can't host one."""
        try:
            self.run("up", "--nodes", str(NODES), seconds=UP_SECONDS)
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            raise NoCluster(f"the test cluster does not start: {error}") from error

    def down(self) -> None:
        self.run("down")

    # --- Disruption ---------------------------------------------------------------------------------

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One disruption at a time, should several sessions share the cluster."""
        with self._lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def node_down(self, node: str) -> Iterator[None]:
        """Its plug is pulled at the start, and it is back at the end."""
        with self.alone():
            self.run("kill-node", node)
            try:
                yield
            finally:
                self.run("start-node", node)

    @contextmanager
    def api_frozen(self) -> Iterator[None]:
        """The API server accepts connections and answers none: worse than refusing them."""
        with self.alone():
            pid = int(self.ask('cat "$RUN/kube-apiserver.pid"'))
            os.kill(pid, signal.SIGSTOP)
            try:
                yield
            finally:
                os.kill(pid, signal.SIGCONT)

    @contextmanager
    def api_killed(self) -> Iterator[None]:
        """The API server is dead; `up` starts it again at the end."""
        with self.alone():
            self.ask("stop kube-apiserver")
            try:
                yield
            finally:
                self.up()
