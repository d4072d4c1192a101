"""The supervisor with small real processes: it starts, tells, restarts, stops, and leaves nothing."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from marketplace.embedded import supervisor as module
from marketplace.embedded.child import Service
from marketplace.embedded.log import Log
from marketplace.embedded.supervisor import Interrupted, Supervisor


def _python(name: str, code: str, **env: str) -> Service:
    return Service(name, [sys.executable, "-S", "-c", code], {"PYTHONUNBUFFERED": "1", **env})


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def supervisor(tmp_path, out):
    """With the signal handlers of the test process put back afterwards."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
    before = {number: signal.getsignal(number) for number in numbers}
    pids: dict[str, int] = {}

    def note(now: dict[str, int]) -> None:
        pids.clear()
        pids.update(now)

    log = Log(tmp_path / "log", out)
    with Supervisor(log, tmp_path, on_change=note) as made:
        made.running = pids
        yield made
    log.close()
    for number, handler in before.items():
        signal.signal(number, handler)


def _until(supervisor: Supervisor, check, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        supervisor.turn(0.05)


def test_output_comes_line_by_line_under_the_services_name(supervisor, out):
    supervisor.start([_python("web", "print('up'); print('and running'); import time; time.sleep(60)")])

    _until(supervisor, lambda: "and running" in out.getvalue())

    assert [line.partition(" ")[2] for line in out.getvalue().splitlines()] == [
        "web        | up",
        "web        | and running",
    ]


def test_service_gets_its_own_environment_and_nothing_else(supervisor, out, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "of the platform")

    supervisor.run_step(_python("node-1", "import os; print(sorted(os.environ))", NODE_NAME="node-1"))

    assert "SECRET_KEY" not in out.getvalue()
    assert "NODE_NAME" in out.getvalue()


def test_step_tells_its_exit_status(supervisor):
    assert supervisor.run_step(_python("good", "pass")) == 0
    assert supervisor.run_step(_python("bad", "raise SystemExit(3)")) == 3
    assert supervisor.names() == []


def test_what_runs_once_beside_the_others_tells_how_it_ended(supervisor):
    told: list[int] = []
    supervisor.start([_python("long", "import time; time.sleep(60)")])

    supervisor.start_once(_python("good", "pass"), told.append)
    supervisor.start_once(_python("bad", "raise SystemExit(7)"), told.append)
    _until(supervisor, lambda: len(told) == 2)

    assert sorted(told) == [0, 7]
    assert supervisor.names() == ["long"]


def test_what_runs_once_is_stopped_with_the_others_and_says_nothing(supervisor):
    told: list[int] = []
    supervisor.start_once(_python("once", "import time; time.sleep(60)"), told.append)

    supervisor.stop(["once"])

    assert (told, supervisor.names()) == ([], [])


def test_command_that_is_not_there_is_told_in_words(supervisor, out):
    status = supervisor.run_step(Service("redis", ["/nowhere/redis-server"], {}))

    assert status == 1
    assert "/nowhere/redis-server can't be started: No such file or directory" in out.getvalue()


def test_dead_service_is_started_again(supervisor, out):
    supervisor.start([_python("web", "import time; print('up'); time.sleep(60)")])
    _until(supervisor, lambda: "up" in out.getvalue())
    first = supervisor.running["web"]

    os.kill(first, signal.SIGKILL)
    _until(supervisor, lambda: out.getvalue().count("| up") == 2)

    assert supervisor.running["web"] != first
    assert "web        | killed by SIGKILL after" in out.getvalue()


def test_what_a_dead_service_started_is_killed_before_the_restart(supervisor, out):
    code = (
        "import subprocess, sys, time; "
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)']); "
        "print('grandchild', child.pid); time.sleep(60)"
    )
    supervisor.start([_python("node-1", code)])
    _until(supervisor, lambda: "grandchild" in out.getvalue())
    grandchild = int(out.getvalue().split()[-1])

    os.kill(supervisor.running["node-1"], signal.SIGKILL)
    _until(supervisor, lambda: out.getvalue().count("grandchild") == 2)

    assert not _alive(grandchild)


def test_waits_grow_while_it_keeps_dying(supervisor, out, monkeypatch):
    monkeypatch.setattr(module, "BACKOFF", (0.01, 0.02, 0.03))

    supervisor.start([_python("web", "raise SystemExit(1)")])
    _until(supervisor, lambda: out.getvalue().count("exited with 1") == 4)

    waits = [line.split()[-2] for line in out.getvalue().splitlines() if "exited with 1" in line]
    assert waits == ["0.01", "0.02", "0.03", "0.03"]


def test_long_life_resets_the_wait(supervisor, out, monkeypatch):
    monkeypatch.setattr(module, "STEADY", 0)
    monkeypatch.setattr(module, "BACKOFF", (0.01, 99))

    supervisor.start([_python("web", "raise SystemExit(1)")])
    _until(supervisor, lambda: out.getvalue().count("exited with 1") == 3)

    assert "99" not in out.getvalue()


def test_stop_asks_first_and_does_not_restart(supervisor, out):
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye'), sys.exit(0)))\n"
        "print('up'); time.sleep(60)"
    )
    supervisor.start([_python("web", code)])
    _until(supervisor, lambda: "up" in out.getvalue())
    pid = supervisor.running["web"]

    supervisor.stop(["web"])

    assert "web        | bye" in out.getvalue()
    assert not _alive(pid)
    assert supervisor.names() == []


def test_stop_kills_what_does_not_listen(supervisor, out):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)"
    supervisor.start([_python("web", code)])
    _until(supervisor, lambda: "up" in out.getvalue())
    pid = supervisor.running["web"]

    supervisor.stop(["web"], grace=0.2)

    assert "web did not stop in time and will be killed" in out.getvalue()
    assert not _alive(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_ask_to_stop(supervisor, number):
    os.kill(os.getpid(), number)

    with pytest.raises(Interrupted):
        supervisor.turn(5)


def test_output_that_steers_terminals_is_made_harmless(supervisor, out):
    supervisor.run_step(_python("web", r"print('\x1b[31mred\x1b[0m \x07bell')"))

    assert out.getvalue().endswith("web        | red \N{REPLACEMENT CHARACTER}bell\n")


KILLED = """
import sys
from pathlib import Path
from marketplace.embedded.child import Service
from marketplace.embedded.log import Log
from marketplace.embedded.supervisor import Supervisor
code = '''
import subprocess, sys, time, os
deaf = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
print(os.getpid(), deaf.pid, flush=True)
time.sleep(60)
'''
folder = Path(sys.argv[1])
with Supervisor(Log(folder / "log"), folder) as supervisor:
    supervisor.start([Service("web", [sys.executable, "-S", "-c", code], {})])
    while True:
        supervisor.turn()
"""


def test_kill_9_of_the_supervisor_takes_children_and_grandchildren_along(tmp_path):
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as process:
        pids = [int(word) for word in process.stdout.readline().split()[-2:]]
        assert all(map(_alive, pids))

        process.kill()

    end = time.monotonic() + 5
    while any(map(_alive, pids)):
        assert time.monotonic() < end, pids
        time.sleep(0.02)


def test_second_signal_cuts_the_wait_short_but_an_echo_does_not(supervisor, out, monkeypatch):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)"
    supervisor.start([_python("web", code)])
    _until(supervisor, lambda: "up" in out.getvalue())
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    assert supervisor._signals == 1
    monkeypatch.setattr(module, "REPEAT", -1)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()

    began = time.monotonic()
    supervisor.stop(["web"], grace=30)
    timer.join()

    assert time.monotonic() - began < 5
