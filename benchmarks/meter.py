"""Meter: wall time, CPU time of this process and of PostgreSQL, and the most memory it used."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil


@dataclass(slots=True)
class Spent:
    """What one stage of a run cost, in seconds."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    postgres_s: float = 0.0


@dataclass(slots=True)
class Meter:
    """Adds up what named stages cost."""

    postgres_pid: int
    stages: dict[str, Spent] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Measure what is inside the block."""
        before = (time.perf_counter(), time.process_time(), postgres_cpu_s(self.postgres_pid))
        try:
            yield
        finally:
            spent = self.stages.setdefault(name, Spent())
            spent.wall_s += time.perf_counter() - before[0]
            spent.cpu_s += time.process_time() - before[1]
            spent.postgres_s += postgres_cpu_s(self.postgres_pid) - before[2]

    def facts(self) -> dict[str, dict[str, float]]:
        """Stages as they are printed, to the millisecond."""
        return {
            name: {key: round(value, 3) for key, value in asdict(spent).items()}
            for name, spent in self.stages.items()
        }


def postgres_cpu_s(pid: int) -> float:
    """CPU time of all server processes, ended ones included."""
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        server = psutil.Process(pid)
        own = server.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in server.children():
            with suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                total += times.user + times.system
    return total


def peak_memory_mb() -> float:
    """Most resident memory of this process; unlike getrusage it forgets what forked it."""
    for line in (
        Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    ):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def since_start_s() -> float:
    """Seconds since this process was made: interpreter, imports, opening."""
    return time.time() - psutil.Process().create_time()


def given() -> dict[str, Any]:
    """The facts that `Stage.run` gives to a leg."""
    found: dict[str, Any] = json.loads(sys.argv[1])
    return found


def tell(**facts: Any) -> None:
    """Print a leg's result, as the last line."""
    print(json.dumps(facts), flush=True)
