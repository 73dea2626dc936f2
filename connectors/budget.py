"""Budget: keep every call inside what its system may be asked to bear.

Hours with a hard stop, mean rate, concurrency, circuit breaker, rows of the night, and the pauses
between tries. It is asked before each call; outside the budget it raises and no socket is opened.
Time is injected, and so is the ledger that all workers share (docs/decisions/0009).
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from datetime import time as time_of_day

from connectors.clock import Clock, SystemClock
from tongban.kernel.budgets import Budget, Hours
from tongban.kernel.errors import OutsideBudget, RetryLater
from tongban.kernel.ledger import Ledger, Limits, MemoryLedger, Verdict
from tongban.kernel.records import BEIJING

FIRST_LOOK_S = 0.02  # at a slot that another worker holds; doubles
LONGEST_LOOK_S = 1.0
UNLIMITED = 1 << 62
HOLD_MARGIN_S = 30.0  # a slow machine must not lose a slot that it still uses
_MINUTE_S = 60
_DAY = timedelta(days=1)


class BudgetKeeper:
    """Guards one system; safe to share between threads.

    Rate, slots, breaker and rows of the night are in the ledger, which the workers of an
    installation share; hours and pauses are kept here.
    """

    def __init__(
        self,
        system: str,
        budget: Budget,
        clock: Clock,
        ledger: Ledger | None = None,
        *,
        key: str | None = None,
    ) -> None:
        self.system = system
        self.budget = budget
        self._clock = clock
        self._key = key or system
        self._ledger = ledger or MemoryLedger(clock.monotonic)
        self._slots = threading.BoundedSemaphore(budget.concurrent)
        self._inside = threading.local()
        gap = 1.0 / budget.requests_per_second
        self._limits = Limits(
            gap_s=gap,
            slots=budget.concurrent,
            failures=budget.breaker.failures,
            open_s=budget.breaker.open_s,
            hold_s=budget.total_timeout_s
            + budget.connect_timeout_s
            + budget.read_timeout_s
            + gap * budget.concurrent
            + HOLD_MARGIN_S,
        )

    def seconds_left(self) -> float | None:
        """Tell how long calls are still allowed, or None when hours are not limited.

        Raises:
            OutsideBudget: They are not allowed now.
        """
        if not self.budget.hours:
            return None
        now = self._clock.now().astimezone(BEIJING)
        left = seconds_allowed(now, self.budget.hours)
        if left is None:
            return None
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
        """Wait for slot and turn, then allow one call.

        Yields:
            Seconds that the call may take in all.

        Raises:
            OutsideBudget: Hours or breaker forbid it, or other workers hold every slot; nothing
                was called.
        """
        self.seconds_left()
        with self._slots:
            token = self._enter()
            self._inside.verdict = "silent"
            try:
                left = self.seconds_left()
                limit = self.budget.total_timeout_s
                yield limit if left is None else min(limit, left)
            finally:
                verdict: Verdict = self._inside.verdict
                self._inside.verdict = None
                self._leave(token, verdict)

    def _enter(self) -> str:
        """Take a slot of the ledger and wait for our turn; asks again while all are taken."""
        until = self._clock.monotonic() + self.budget.total_timeout_s
        pause = FIRST_LOOK_S
        while (entry := self._ledger.enter(self._key, self._limits)).token is None:
            if entry.refused_s > 0:
                raise self._breaker_open(entry.refused_s)
            if self._clock.monotonic() >= until:
                raise OutsideBudget(
                    f"{self.system}: other workers held all {self.budget.concurrent} calls for "
                    f"{self.budget.total_timeout_s:.0f} s; nothing was called",
                    system=self.system,
                )
            self._clock.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK_S)
            self.seconds_left()
        if entry.wait_s > 0:
            self._clock.sleep(entry.wait_s)
            refused = 0.0 if entry.is_probe else self._ledger.refused(self._key)
            if refused > 0:
                self._leave(entry.token, "silent")
                raise self._breaker_open(refused)
        return entry.token

    def _leave(self, token: str, verdict: Verdict) -> None:
        """Give the slot back; a ledger that is away must not cost us the answer that we have."""
        with suppress(RetryLater):
            self._ledger.leave(self._key, token, verdict, self._limits)

    def _breaker_open(self, seconds: float) -> OutsideBudget:
        return OutsideBudget(
            f"{self.system}: {self.budget.breaker.failures} calls in a row failed, so calls "
            f"pause for {seconds:.0f} s more; nothing was called",
            system=self.system,
            retry_after_s=seconds,
        )

    def succeeded(self) -> None:
        """Note that the system answered."""
        self._note("answered")

    def failed(self) -> None:
        """Note that the system did not answer; enough in a row open the breaker.

        After the pause one more failure opens it again at once.
        """
        self._note("failed")

    def _note(self, verdict: Verdict) -> None:
        """Keep the verdict for the end of the call; outside of one it counts at once."""
        if getattr(self._inside, "verdict", None) is not None:
            self._inside.verdict = verdict
        else:
            self._leave("", verdict)

    def reserve_rows(self, rows: int, where: str) -> None:
        """Take rows of this night's share before a page is asked.

        Raises:
            OutsideBudget: The night is used up; nothing was called.
        """
        most = self.budget.rows_per_night
        if most is not None and not self._ledger.count_rows(self._key, self.night(), rows, most):
            raise OutsideBudget(
                f"{where}: the {most} rows of this night are used up by all workers together; the "
                "next night goes on from the kept cursor",
                system=self.system,
                rows=most,
            )

    def settle_rows(self, difference: int) -> None:
        """Correct what was reserved by what came."""
        if self.budget.rows_per_night is not None and difference:
            self._ledger.count_rows(self._key, self.night(), difference, UNLIMITED)

    def night(self) -> str:
        """Name the present night by the date of its evening: it goes from noon to noon."""
        return (self._clock.now().astimezone(BEIJING) - _DAY / 2).date().isoformat()

    def pause(self, attempt: int, failure: RetryLater) -> None:
        """Wait before the next try: doubling with jitter, or what the system asked for.

        Raises:
            RetryLater: The system asked for a longer pause than we may wait here.
        """
        most = self.budget.backoff_most_s
        asked = failure.context.get("retry_after_s")
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


def seconds_allowed(now: datetime, spans: Sequence[Hours]) -> float | None:
    """Tell the seconds until calls are no longer allowed, 0 if they are not; None: they always are.

    Spans that touch are one: whoever is open around the clock has no end at midnight.
    """
    end = now
    while end - now < _DAY:
        inside = max(seconds_inside(end, span) for span in spans)
        if inside <= 0:
            return (end - now).total_seconds()
        end += timedelta(seconds=inside)
    return None


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * _MINUTE_S + int(minutes)


def ledger_key(system: str, address: str) -> str:
    """Name a system at an address in the ledger, without showing the address."""
    return f"{system}#{hashlib.sha256(address.encode()).hexdigest()[:8]}"


_shared: dict[tuple[str, str, str], BudgetKeeper] = {}
_shared_lock = threading.Lock()


def keeper_for(
    system: str, address: str, budget: Budget, clock: Clock, ledger: Ledger | None = None
) -> BudgetKeeper:
    """Give the keeper of a system at an address.

    With a ledger all that use it share the budget; without one all connectors of this process,
    and under a test clock each connector has its own.
    """
    key = ledger_key(system, address)
    if ledger is not None or not isinstance(clock, SystemClock):
        return BudgetKeeper(system, budget, clock, ledger, key=key)
    place = (system, address, budget.model_dump_json())
    with _shared_lock:
        if place not in _shared:
            _shared[place] = BudgetKeeper(system, budget, clock, key=key)
        return _shared[place]
