"""Budgets: what a system may be asked to bear — hours, rate, concurrency, timeouts, windows.

Read from a system's YAML as data; `connectors/budget.py` keeps them. Nothing here measures time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from tongban.kernel.records import BEIJING


class Strict(BaseModel):
    """A frozen part of a system's YAML; unknown keys are refused with a suggestion."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Hours(Strict):
    """A daily span of Beijing time in which calls are allowed; it may pass midnight."""

    start: str = Field(alias="from", pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
    end: str = Field(alias="to", pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")


class Breaker(Strict):
    """Stop calling after so many failures in a row, for so long."""

    failures: PositiveInt = 5
    open_s: PositiveFloat = 60.0


class Budget(Strict):
    """What a system may be asked to bear.

    Attributes:
        hours: Spans in which calls are allowed; none declared means always.
        stop_before_s: No call starts in the last seconds of a span, and none lasts into them.
        requests_per_second: Highest rate; calls are spaced evenly.
        concurrent: Calls at the same time, of all workers together.
        rows_per_run: Rows of one `read_pages`; then the run stops with its cursor kept.
        rows_per_night: Rows from noon to noon, of all datasets and workers together; no page is
            asked once they are used up.
        connect_timeout_s: To open the connection.
        read_timeout_s: Between two bytes of the answer.
        total_timeout_s: For one whole answer.
        max_answer_mb: Larger answers are refused unread.
        attempts: Tries of one call that cannot have taken effect, or of a read.
        backoff_first_s: Pause before the second try; it doubles, with jitter.
        backoff_most_s: Longest pause, also for a Retry-After.
        breaker: See there.
        tls: `modern` is TLS 1.2 and newer; `legacy` allows TLS 1.0 for an old server.
    """

    hours: tuple[Hours, ...] = ()
    stop_before_s: float = Field(default=60.0, ge=0)
    requests_per_second: PositiveFloat = 20.0
    concurrent: PositiveInt = 2
    rows_per_run: PositiveInt | None = None
    rows_per_night: PositiveInt | None = None
    connect_timeout_s: PositiveFloat = 5.0
    read_timeout_s: PositiveFloat = 30.0
    total_timeout_s: PositiveFloat = 120.0
    max_answer_mb: PositiveFloat = 64.0
    attempts: PositiveInt = 4
    backoff_first_s: PositiveFloat = 0.5
    backoff_most_s: PositiveFloat = 30.0
    breaker: Breaker = Breaker()
    tls: Literal["modern", "legacy"] = "modern"


class WindowRule(Strict):
    """How windows of change time are asked.

    Attributes:
        format: `iso`, `epoch_s`, `epoch_ms` or letters like yyyyMMddHHmmss, Asia/Shanghai.
        earliest: Lower bound where the window has none.
        overlap_s: Seconds by which the next window starts before the end of the last one, against
            rows that the source commits late. `pull` applies it; the connector does not.
        max_days: Longer windows are asked in pieces; null for no limit.
        cap_rows: The source gives at most so many rows of one window, whatever it has: a window
            whose total or rows reach it is asked in halves, down to the format's smallest unit.
        snapshot: Every pull reads the whole list; what is stored and not in it was deleted.
    """

    format: str = "iso"
    earliest: AwareDatetime = datetime(1990, 1, 1, tzinfo=BEIJING)
    overlap_s: int = Field(default=300, ge=0)
    max_days: PositiveInt | None = None
    cap_rows: PositiveInt | None = None
    snapshot: bool = False
