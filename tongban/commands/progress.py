"""Progress of the demo on the terminal: a live line when there is one, plain lines otherwise.

Everything goes to stderr, so that `--json` has stdout for itself.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

from tongban.local.demo import Listener
from tongban.local.watching import Progress, Run

SHOWN = 4  # running DAGs named in the live line


class ConsoleListener(Listener):
    """Prints a line per ended run; shows what is running while it waits."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._status = Status("starting", console=self._console)
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._status.stop()

    def step(self, line: str) -> None:
        """Print one line with the seconds since the start."""
        self._console.print(f"[dim]{time.monotonic() - self._started:6.1f} s[/]  {line}")

    def round_starts(self, name: str, expected: int) -> None:
        """Name the round."""
        self.step(f"[bold]{name}[/] ({expected} {'run' if expected == 1 else 'runs'})")

    def looked(self, progress: Progress, ended: list[Run]) -> None:
        """Print ended runs; name some that are running."""
        for run in ended:
            mark = "[green]✓[/]" if run.state == "success" else "[red]✗[/]"
            self.step(f"  {mark} {run.dag_id} [dim]{run.seconds:.1f} s[/]")
        running = sorted({run.dag_id for run in progress.active})
        more = f" and {len(running) - SHOWN} more" if len(running) > SHOWN else ""
        done = len(progress.runs) - len(progress.active)
        named = ", ".join(running[:SHOWN]) or "the next pushes"
        self._status.update(f"{done} runs done; waiting for {named}{more}")
