"""Clock: the one place where connectors learn the time and wait.

Tests inject their own, so that hours, rates and back-off are proved without waiting.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Protocol

from tongban.kernel.records import BEIJING


class Clock(Protocol):
    """What budgets, signatures and tokens need to know about time."""

    def now(self) -> datetime:
        """Tell the present moment, aware."""
        ...

    def monotonic(self) -> float:
        """Tell seconds that never run backwards."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock, in Beijing time."""

    def now(self) -> datetime:
        """Tell the present moment in Asia/Shanghai."""
        return datetime.now(BEIJING)

    def monotonic(self) -> float:
        """Tell the monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait really."""
        time.sleep(seconds)
