"""Retries: what Airflow does with each class of our error tree.

The tree says what the caller must do, so the policy is short: `RetryLater` again with growing
pauses (or after the pause that the system asked for), `Fatal` never, anything unknown — a bug or
an unmapped library error — once more and then never, since a bug repeats itself.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryDecision, RetryRule

from tongban.kernel.errors import Fatal, LeaseHeld, OutsideBudget, RateLimited, RetryLater

RETRIES = 6  # with the pauses below: some 50 minutes before a department counts as down
FIRST_PAUSE = timedelta(seconds=20)
LONGEST_PAUSE = timedelta(minutes=15)
BUDGET_PAUSE = timedelta(minutes=15)
LEASE_PAUSE = timedelta(seconds=60)
RATE_PAUSE = timedelta(seconds=30)


def pause_after(try_number: int) -> timedelta:
    """Pause before the next try: 20 s, 40 s, 80 s … at most 15 minutes."""
    doublings = min(max(0, try_number - 1), 16)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


class ErrorTreePolicy(ExceptionRetryPolicy):
    """Decide by the class of the error; runs in the task's process, after it failed."""

    def __init__(self) -> None:
        super().__init__(
            rules=[
                RetryRule(exception=Fatal, action=RetryAction.FAIL),
                RetryRule(exception=RateLimited, retry_delay=RATE_PAUSE),
                RetryRule(exception=OutsideBudget, retry_delay=BUDGET_PAUSE),
                RetryRule(exception=LeaseHeld, retry_delay=LEASE_PAUSE),
                RetryRule(exception=RetryLater),
            ]
        )

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Any = None,
    ) -> RetryDecision:
        """Decide if and when to try again; the reason holds the error's code, no value."""
        found = super().evaluate(exception, try_number, max_tries, context)
        code = getattr(exception, "code", type(exception).__name__)
        if found.action is RetryAction.FAIL:
            return RetryDecision.fail(f"{code}: a person must change something first")
        if found.action is RetryAction.DEFAULT:
            if try_number > 1:
                return RetryDecision.fail(f"{code}: unknown error, failed again")
            return RetryDecision.retry(pause_after(try_number), f"{code}: unknown, once more")
        asked = getattr(exception, "context", {}).get("retry_after_s")
        if asked is not None:
            delay = max(timedelta(seconds=float(asked)), timedelta(seconds=1))
            return RetryDecision.retry(delay, f"{code}: the system asked for this pause")
        delay = found.retry_delay or pause_after(try_number)
        return RetryDecision.retry(delay, f"{code}: may succeed later")


POLICY = ErrorTreePolicy()
