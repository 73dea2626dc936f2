"""Budget on a fake clock: not one call outside of hours, rate, slots or breaker."""

from __future__ import annotations

import random
import threading
from datetime import datetime, timedelta

import pytest

from connectors.budget import BudgetKeeper, seconds_inside
from tests.connectors.serving import FakeClock
from tongban.kernel.budgets import Budget, Hours
from tongban.kernel.errors import OutsideBudget
from tongban.kernel.records import BEIJING

NIGHT = Hours.model_validate({"from": "19:00", "to": "07:00"})
NOON = Hours.model_validate({"from": "12:00", "to": "13:30"})


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A moment of one day."""
    return datetime(2018, 10, 8, hour, minute, second, tzinfo=BEIJING)


@pytest.mark.parametrize(
    ("moment", "span", "expected"),
    [
        (at(12), NOON, 5400),
        (at(13, 29, 59), NOON, 1),
        (at(13, 30), NOON, 0),
        (at(11, 59, 59), NOON, 0),
        (at(23), NIGHT, 8 * 3600),
        (at(0), NIGHT, 7 * 3600),
        (at(6, 59, 59), NIGHT, 1),
        (at(7), NIGHT, 0),
        (at(18, 59, 59), NIGHT, 0),
    ],
)
def test_spans_end_where_they_say_also_over_midnight(moment, span, expected):
    """The first second is inside, the last is not."""
    assert expected == seconds_inside(moment, span)


def test_the_whole_day_is_a_span():
    """00:00 to 24:00."""
    whole = Hours.model_validate({"from": "00:00", "to": "24:00"})
    assert 1 == seconds_inside(at(23, 59, 59), whole)


@pytest.mark.parametrize(
    "spans", [["00:00-24:00"], ["18:30-24:00", "00:00-18:30"], ["08:00-20:00", "19:00-08:00"]]
)
def test_hours_without_a_gap_have_no_end(spans):
    """Nobody who is open around the clock is left alone before midnight."""
    hours = [dict(zip(("from", "to"), span.split("-"), strict=True)) for span in spans]
    keeper = BudgetKeeper("x", Budget.model_validate({"hours": hours}), FakeClock(at(23, 59, 30)))

    assert keeper.seconds_left() is None


def test_a_night_in_two_spans_ends_in_the_morning():
    """Midnight between them is no end."""
    spans = [{"from": "18:30", "to": "24:00"}, {"from": "00:00", "to": "07:00"}]
    budget = Budget.model_validate({"hours": spans, "stop_before_s": 60})

    left = BudgetKeeper("x", budget, FakeClock(at(23, 59, 30))).seconds_left()

    assert 7 * 3600 + 30 - 60 == left


def test_hours_are_beijing_hours_whatever_the_clock_says():
    """A server in UTC keeps the department's night."""
    from datetime import UTC

    clock = FakeClock(datetime(2018, 10, 8, 4, 30, tzinfo=UTC))  # 12:30 in Beijing
    keeper = BudgetKeeper("x", Budget(hours=(NOON,), stop_before_s=0), clock)
    with keeper.call() as seconds:
        assert 120 == seconds


def test_ten_thousand_calls_and_not_one_outside_the_budget():
    """At random moments of days and nights, with a stop ten minutes before the end."""
    clock = FakeClock(at(0))
    budget = Budget(hours=(NIGHT, NOON), stop_before_s=600, requests_per_second=5)
    keeper = BudgetKeeper("x", budget, clock)
    chance = random.Random(7)
    allowed = refused = 0
    for _ in range(10_000):
        clock.pass_by(chance.choice([0, 0, 0.01, 1, 60, 1800]))
        try:
            with keeper.call() as seconds:
                left = max(seconds_inside(clock.at, span) for span in budget.hours)
                assert left - 600 >= seconds > 0
                allowed += 1
        except OutsideBudget:
            refused += 1
    assert allowed > 2000
    assert refused > 1000


def test_a_call_may_not_last_beyond_the_hard_stop():
    """Its total timeout shrinks towards the end."""
    clock = FakeClock(at(13, 28))
    keeper = BudgetKeeper("x", Budget(hours=(NOON,), stop_before_s=60), clock)
    with keeper.call() as seconds:
        assert 60 == seconds


def test_the_rate_is_kept_over_any_second():
    """50 calls at 10 a second take 4.9 seconds, and no second has more than ten."""
    clock = FakeClock()
    keeper = BudgetKeeper("x", Budget(requests_per_second=10), clock)
    moments = []
    for _ in range(50):
        with keeper.call():
            moments.append(clock.seconds)
    assert moments[-1] - moments[0] >= 4.89
    assert all(
        later - earlier >= 0.99 for earlier, later in zip(moments, moments[10:], strict=False)
    )


def test_no_more_calls_at_a_time_than_declared():
    """Eight threads, two slots."""
    from connectors import SystemClock

    keeper = BudgetKeeper("x", Budget(concurrent=2, requests_per_second=10_000), SystemClock())
    inside, most, lock = 0, 0, threading.Lock()

    def work():
        nonlocal inside, most
        for _ in range(20):
            with keeper.call():
                with lock:
                    inside += 1
                    most = max(most, inside)
                threading.Event().wait(0.001)
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 2 == most


def test_one_success_forgets_failures():
    """Only failures in a row open the breaker."""
    keeper = BudgetKeeper("x", Budget.model_validate({"breaker": {"failures": 2}}), FakeClock())
    for _ in range(5):
        keeper.failed()
        keeper.succeeded()
    keeper.failed()
    with keeper.call() as seconds:
        assert keeper.budget.total_timeout_s == seconds
    keeper.failed()
    with pytest.raises(OutsideBudget), keeper.call():
        pass


def test_after_the_pause_one_failure_opens_the_breaker_again():
    """A system that is still down is not asked three times more."""
    clock = FakeClock()
    budget = Budget.model_validate({"breaker": {"failures": 3, "open_s": 10}})
    keeper = BudgetKeeper("x", budget, clock)
    for _ in range(3):
        keeper.failed()
    clock.pass_by(11)
    with keeper.call():
        keeper.failed()
    with pytest.raises(OutsideBudget) as caught, keeper.call():
        pass
    assert 10 == caught.value.context["retry_after_s"]


def test_waiting_for_the_rate_never_leads_past_the_hard_stop():
    """The hours are looked at again after waiting."""
    clock = FakeClock(at(13, 29, 58))
    keeper = BudgetKeeper(
        "x", Budget(hours=(NOON,), stop_before_s=0, requests_per_second=0.2), clock
    )
    with keeper.call():
        pass
    with pytest.raises(OutsideBudget), keeper.call():
        pass
    assert clock.at - at(13, 29, 58) < timedelta(seconds=6)
