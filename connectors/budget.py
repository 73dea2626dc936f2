"""Budget: keep every call inside what its system may be asked to bear.

Hours with a hard stop, mean rate, concurrency, circuit breaker, and the pauses between tries. It
is asked before each call; outside the budget it raises and no socket is opened. Time is injected.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from datetime import time as time_of_day

from connectors.clock import Clock, SystemClock
from tongban.kernel.budgets import Budget, Hours
from tongban.kernel.errors import OutsideBudget, RateLimited, RetryLater
from tongban.kernel.records import BEIJING

_MINUTE_S = 60
_DAY = timedelta(days=1)


class BudgetKeeper:
    """Guards one system inside this process; safe to share between threads."""

    def __init__(self, system: str, budget: Budget, clock: Clock) -> None:
        self.system = system
        self.budget = budget
        self._clock = clock
        self._slots = threading.BoundedSemaphore(budget.concurrent)
        self._lock = threading.Lock()
        self._next_call_at = clock.monotonic()
        self._failures = 0
        self._open_until = 0.0

    def seconds_left(self) -> float | None:
        """Tell how long calls are still allowed, or None when hours are not limited.

        Raises:
            OutsideBudget: They are not allowed now.
        """
        if not self.budget.hours:
            return None
        now = self._clock.now().astimezone(BEIJING)
        left = max(seconds_inside(now, span) for span in self.budget.hours)
        left -= self.budget.stop_before_s
        if left <= 0:
            spans = ", ".join(f"{span.start}-{span.end}" for span in self.budget.hours)
            raise OutsideBudget(
                f"{self.system}: calls are allowed {spans} (with a stop "
                f"{self.budget.stop_before_s:.0f} s before the end), now it is {now:%H:%M}; "
                "nothing was called, the next run goes on from the kept cursor",
                system=self.system,
            )
        return left

    @contextmanager
    def call(self) -> Generator[float]:
        """Wait for rate and slot, then allow one call.

        Yields:
            Seconds that the call may take in all.

        Raises:
            OutsideBudget: Hours or breaker forbid it; nothing was called.
        """
        self._check_breaker()
        self.seconds_left()
        with self._slots:
            self._wait_for_rate()
            self._check_breaker()
            left = self.seconds_left()
            limit = self.budget.total_timeout_s
            yield limit if left is None else min(limit, left)

    def _wait_for_rate(self) -> None:
        """Take the next place in the line; calls are spaced evenly, so no second has a burst."""
        gap = 1.0 / self.budget.requests_per_second
        with self._lock:
            now = self._clock.monotonic()
            mine = max(self._next_call_at, now)
            self._next_call_at = mine + gap
        if mine > now:
            self._clock.sleep(mine - now)

    def _check_breaker(self) -> None:
        with self._lock:
            remaining = self._open_until - self._clock.monotonic()
        if remaining > 0:
            raise OutsideBudget(
                f"{self.system}: {self.budget.breaker.failures} calls in a row failed, so calls "
                f"pause for {remaining:.0f} s more; nothing was called",
                system=self.system,
                retry_after_s=remaining,
            )

    def succeeded(self) -> None:
        """Note that the system answered."""
        with self._lock:
            self._failures = 0
            self._open_until = 0.0

    def failed(self) -> None:
        """Note that the system did not answer; enough in a row open the breaker.

        After the pause one more failure opens it again at once.
        """
        with self._lock:
            self._failures += 1
            if self._failures >= self.budget.breaker.failures:
                self._open_until = self._clock.monotonic() + self.budget.breaker.open_s

    def pause(self, attempt: int, failure: RetryLater) -> None:
        """Wait before the next try: doubling with jitter, or what the system asked for.

        Raises:
            RetryLater: The system asked for a longer pause than we may wait here.
        """
        most = self.budget.backoff_most_s
        asked = failure.context.get("retry_after_s") if isinstance(failure, RateLimited) else None
        if isinstance(asked, int | float):
            if asked > most:
                raise failure
            self._clock.sleep(float(asked))
            return
        delay = min(most, self.budget.backoff_first_s * 2 ** (attempt - 1))
        self._clock.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret


def seconds_inside(now: datetime, span: Hours) -> float:
    """Tell the seconds until the span ends, or 0 outside it; spans may pass midnight."""
    start, end = _minutes(span.start), _minutes(span.end)
    if end <= start:
        end += 24 * 60
    midnight = datetime.combine(now.date(), time_of_day(), tzinfo=now.tzinfo)
    for day in (midnight - _DAY, midnight):
        opens = day + timedelta(minutes=start)
        closes = day + timedelta(minutes=end)
        if opens <= now < closes:
            return (closes - now).total_seconds()
    return 0.0


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * _MINUTE_S + int(minutes)


_shared: dict[tuple[str, str, str], BudgetKeeper] = {}
_shared_lock = threading.Lock()


def keeper_for(system: str, address: str, budget: Budget, clock: Clock) -> BudgetKeeper:
    """Give the process-wide keeper of a system at an address, or an own one under a test clock."""
    if not isinstance(clock, SystemClock):
        return BudgetKeeper(system, budget, clock)
    key = (system, address, budget.model_dump_json())
    with _shared_lock:
        if key not in _shared:
            _shared[key] = BudgetKeeper(system, budget, clock)
        return _shared[key]
