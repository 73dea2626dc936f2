"""Services as processes: detached, known again, ended with all their children."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tongban.kernel.errors import StackBroken
from tongban.local.processes import Processes, Service, wait_until

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('up', flush=True); time.sleep(60)"
)
# A child that leaves the session, so that a kill of the group alone would miss it.
PARENT = (
    "import subprocess, sys, time; "
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], "
    "start_new_session=True); print('up', flush=True); time.sleep(60)"
)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Give the processes of a home with a space in its path; nothing survives the test."""
    home = Processes(tmp_path / "my home")
    yield home
    home.stop(["one", "two"], grace_s=0.1)
    assert [] == home.orphans()


def service(code: str, name: str = "one") -> Service:
    """Give a service that runs a line of Python."""
    return Service(name, [sys.executable, "-c", code], {"PATH": os.defpath}, Path("/"))


def await_word(processes: Processes, name: str = "one") -> None:
    """Wait until the service has printed something."""
    wait_until(
        {name: lambda: "up" in processes.log_tail(name)}, processes, timeout_s=10, step_s=0.02
    )


def test_service_runs_in_its_own_session_with_a_log(processes: Processes) -> None:
    """Ctrl-C in our terminal does not reach it, and what it prints is kept."""
    started = processes.start(service(SLEEPER))
    await_word(processes)

    assert started.pid == os.getsid(started.pid)
    assert "up\n" == processes.log_file("one").read_text()


def test_starting_a_running_service_gives_the_same_process(processes: Processes) -> None:
    """`start` twice is one process."""
    first = processes.start(service(SLEEPER))

    assert first.pid == processes.start(service(SLEEPER)).pid


def test_changed_stamp_restarts_the_service(processes: Processes) -> None:
    """New code or settings take effect on the next `up`."""
    first = processes.start(service(SLEEPER))
    changed = dataclasses.replace(service(SLEEPER), stamp="new")

    second = processes.start(changed)

    assert first.pid != second.pid
    assert second.pid == processes.start(changed).pid


def test_another_instance_finds_the_service_again(processes: Processes) -> None:
    """What one command started, the next command knows."""
    first = processes.start(service(SLEEPER))

    found = Processes(processes.home).find("one")

    assert found is not None
    assert first.pid == found.pid


def test_stop_ends_politely(processes: Processes) -> None:
    """SIGTERM is enough for a service that obeys."""
    started = processes.start(service(SLEEPER))
    await_word(processes)

    assert ["one"] == processes.stop(["one", "two"])
    assert not psutil.pid_exists(started.pid)


def test_stop_kills_what_ignores_the_polite_signal(processes: Processes) -> None:
    """A hanging service does not stop `down`."""
    started = processes.start(service(STUBBORN))
    await_word(processes)
    before = time.monotonic()

    processes.stop(["one"], grace_s=0.2)

    assert not psutil.pid_exists(started.pid)
    assert time.monotonic() - before < 5


def test_stop_finds_a_grandchild_that_left_the_group(processes: Processes) -> None:
    """No orphan is left behind, even one in a session of its own."""
    processes.start(service(PARENT))
    await_word(processes)
    assert 2 == len(processes.orphans())

    processes.stop(["one"])

    assert [] == processes.orphans()


def test_start_ends_the_leftovers_of_a_killed_service(processes: Processes) -> None:
    """After kill -9 of the parent its orphan would hold ports and files; it goes first."""
    parent = processes.start(service(PARENT))
    await_word(processes)
    parent.kill()
    parent.wait(5)
    (orphan,) = [p for p in processes.orphans() if p.pid != parent.pid]

    processes.start(service(SLEEPER))

    assert not orphan.is_running()


def test_recycled_process_id_is_never_ended(processes: Processes, tmp_path: Path) -> None:
    """A pid file may outlive a reboot; its number then belongs to somebody else."""
    with subprocess.Popen([sys.executable, "-c", SLEEPER]) as stranger:
        run = tmp_path / "my home" / "run"
        run.mkdir(parents=True)
        noted = {"pid": stranger.pid, "created": psutil.Process(stranger.pid).create_time() - 100}
        (run / "one.json").write_text(json.dumps(noted))

        stopped = processes.stop(["one"])
        alive = stranger.poll() is None
        stranger.kill()

    assert [] == stopped
    assert alive


def test_broken_pid_file_means_not_running(processes: Processes, tmp_path: Path) -> None:
    """A half-written file is no reason to fail."""
    run = tmp_path / "my home" / "run"
    run.mkdir(parents=True)
    (run / "one.json").write_text("{")

    assert processes.find("one") is None


def test_service_that_dies_while_starting_is_reported_with_its_last_words(
    processes: Processes,
) -> None:
    """The reader learns the reason without opening the log."""
    processes.start(service("raise SystemExit('port 1 is taken')"))

    with pytest.raises(StackBroken, match=r"one ended while starting; .*port 1 is taken"):
        wait_until({"one": lambda: False}, processes, timeout_s=10)


def test_service_that_is_never_ready_is_reported(processes: Processes) -> None:
    """Waiting has an end."""
    processes.start(service(SLEEPER))

    with pytest.raises(StackBroken, match="one not ready after 0 s"):
        wait_until({"one": lambda: False}, processes, timeout_s=0.3)


def test_missing_program_is_an_error_of_ours(processes: Processes) -> None:
    """No foreign exception leaks out."""
    missing = Service("one", ["/no/such/program"], {}, Path("/"))

    with pytest.raises(StackBroken, match="/no/such/program cannot be run"):
        processes.start(missing)


def test_environment_is_not_shown(processes: Processes) -> None:
    """Secrets travel in the environment; a repr must not show them."""
    shown = repr(Service("one", ["true"], {"SECRET": "canary"}, Path("/")))

    assert "canary" not in shown
    assert processes.find("one") is None
