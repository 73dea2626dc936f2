"""Processes: start programs that outlive us, know them again, and end them without an orphan.

A service runs in a session of its own with a log file and a pid file. It is known again by process
id *and* start time, and by two variables in its environment, which its descendants inherit: a
recycled process id is never mistaken for it, and a descendant that left the group is still found.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tongban.kernel.errors import StackBroken

HOME_VARIABLE = "TONGBAN_STACK_HOME"
SERVICE_VARIABLE = "TONGBAN_STACK_SERVICE"
LOG_LIMIT_BYTES = 20_000_000
SAME_START_S = 1.0  # the kernel counts start times in ticks; psutil adds the boot time

_children: list[subprocess.Popen[bytes]] = []  # kept so that an ended service of ours is reaped


@dataclass(frozen=True, slots=True)
class Service:
    """One program of the stack.

    Attributes:
        name: Name of its pid file and its log.
        command: Program and arguments.
        environment: All variables of its environment; never shown.
        cwd: Folder it runs in.
        stamp: Stands for its code and settings; a running service with another one is restarted.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    cwd: Path
    stamp: str = ""


class Processes:
    """The running services of one home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self._run = self.home / "run"
        self._logs = self.home / "logs"

    def log_file(self, name: str) -> Path:
        """Give where a service writes what it prints."""
        return self._logs / f"{name}.log"

    def find(self, name: str) -> psutil.Process | None:
        """Give the running service's process, or None."""
        try:
            noted = self._noted(name)
            process = psutil.Process(int(noted["pid"]))
            same = abs(process.create_time() - float(noted["created"])) < SAME_START_S
            alive = same and process.status() != psutil.STATUS_ZOMBIE
        except (ValueError, KeyError, psutil.Error):
            return None
        return process if alive else None

    def start(self, service: Service) -> psutil.Process:
        """Start a service detached from us; do nothing if it runs with the same stamp.

        Leftovers of an earlier life (its parent was killed hard) are ended first.

        Raises:
            StackBroken: The program cannot be run at all.
        """
        if (running := self.find(service.name)) is not None:
            if not self.is_outdated(service):
                return running
            self.stop([service.name])
        self._end_hard(self._leftovers({service.name}))
        for folder in (self._run, self._logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = self.log_file(service.name)
        if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".log.1"))
        marks = {HOME_VARIABLE: str(self.home), SERVICE_VARIABLE: service.name}
        with log.open("ab") as output:
            try:
                child = subprocess.Popen(
                    list(service.command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=service.cwd,
                    env={**service.environment, **marks},
                    start_new_session=True,
                    umask=0o077,
                )
            except OSError as exc:
                raise StackBroken(
                    f"{service.name}: {service.command[0]} cannot be run ({exc.strerror}); "
                    "run bin/tongban once to repair the installation"
                ) from exc
        _children.append(child)
        self._note(service, child.pid)
        return psutil.Process(child.pid)

    def is_outdated(self, service: Service) -> bool:
        """Tell if the service runs with another stamp than the given one."""
        is_running = self.find(service.name) is not None
        return is_running and self._noted(service.name).get("stamp") != service.stamp

    def demand_alive(self, name: str) -> None:
        """Pass if the service still runs.

        Raises:
            StackBroken: It ended; the message has the last lines of its log.
        """
        if self.find(name) is None:
            raise StackBroken(
                f"{name} ended while starting; {self.log_file(name)} ends: {self.log_tail(name)}"
            )

    def log_tail(self, name: str, lines: int = 4) -> str:
        """Give the last non-empty lines of a service's log in one line."""
        with contextlib.suppress(OSError), self.log_file(name).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 8_192))
            text = file.read().decode("utf-8", errors="replace")
            kept = [line.strip() for line in text.splitlines() if line.strip()]
            return " | ".join(kept[-lines:])
        return "(no log)"

    def stop(
        self, names: Iterable[str], *, grace_s: float = 20.0, insist_s: float | None = None
    ) -> list[str]:
        """End services together: SIGTERM, then SIGKILL for what is left after `grace_s`.

        Args:
            names: Services to end; those that do not run are passed over.
            grace_s: How long they may take.
            insist_s: When to send SIGTERM again, which Airflow understands as "do not wait".

        Returns:
            Names that were running.
        """
        wanted = list(names)
        leaders = {name: found for name in wanted if (found := self.find(name)) is not None}
        family = {child.pid: child for found in leaders.values() for child in _descendants(found)}
        alive = list(leaders.values())
        for pause_s in (grace_s,) if insist_s is None else (insist_s, grace_s - insist_s):
            for process in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGTERM)
            _, alive = psutil.wait_procs(alive, timeout=pause_s)
        self._end_hard([*leaders.values(), *family.values(), *self._leftovers(set(wanted))])
        _children[:] = [child for child in _children if child.poll() is None]
        for name in wanted:
            self._pid_file(name).unlink(missing_ok=True)
        return list(leaders)

    def orphans(self) -> list[psutil.Process]:
        """Give living processes of this home, whoever started them."""
        return self._leftovers(None)

    def end_orphans(self) -> None:
        """End whatever still runs for this home."""
        self._end_hard(self._leftovers(None))

    def _pid_file(self, name: str) -> Path:
        return self._run / f"{name}.json"

    def _note(self, service: Service, pid: int) -> None:
        created = psutil.Process(pid).create_time()
        half = self._pid_file(service.name).with_suffix(".half")
        text = json.dumps({"pid": pid, "created": created, "stamp": service.stamp})
        half.write_text(text, encoding="utf-8")
        half.replace(self._pid_file(service.name))

    def _noted(self, name: str) -> dict[str, str]:
        try:
            return dict(json.loads(self._pid_file(name).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}

    def _leftovers(self, names: set[str] | None) -> list[psutil.Process]:
        """Find processes by the marks in their environment; None means every service."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid == os.getpid():
                    continue
                marks = process.environ()
                if marks.get(HOME_VARIABLE) != str(self.home):
                    continue
                if names is None or marks.get(SERVICE_VARIABLE) in names:
                    found.append(process)
        return found

    @staticmethod
    def _end_hard(processes: Iterable[psutil.Process]) -> None:
        """Kill what is still alive and wait until it is gone."""
        left = [process for process in processes if process.is_running()]
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=5)


def wait_until(
    check: Mapping[str, object], processes: Processes, *, timeout_s: float, step_s: float = 0.1
) -> None:
    """Wait until each named check is true, watching that its service stays alive.

    Args:
        check: Service name to a function without arguments that tells if the service is ready.
        processes: Where the services run.
        timeout_s: How long all of them may take together.
        step_s: Pause between two rounds.

    Raises:
        StackBroken: A service ended or was not ready in time; names its log.
    """
    waiting = dict(check)
    deadline = time.monotonic() + timeout_s
    while waiting:
        for name, is_ready in list(waiting.items()):
            processes.demand_alive(name)
            if callable(is_ready) and is_ready():
                del waiting[name]
        if waiting and time.monotonic() > deadline:
            name = next(iter(waiting))
            raise StackBroken(
                f"{', '.join(waiting)} not ready after {timeout_s:.0f} s; "
                f"{processes.log_file(name)} ends: {processes.log_tail(name)}"
            )
        if waiting:
            time.sleep(step_s)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return process.children(recursive=True)
    return []
