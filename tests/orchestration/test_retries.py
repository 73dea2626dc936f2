"""Retries: what happens after each class of our error tree."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import RetryAction

from tongban.kernel import errors
from tongban.orchestration.retries import LONGEST_PAUSE, POLICY, pause_after


def decision(error: Exception, try_number: int = 1):
    """What the policy says about an error."""
    return POLICY.evaluate(error, try_number, 6)


def subclasses(kind: type[errors.TongbanError]) -> list[type[errors.TongbanError]]:
    """All classes below one, itself included."""
    return [kind, *(found for child in kind.__subclasses__() for found in subclasses(child))]


@pytest.mark.parametrize("kind", subclasses(errors.RetryLater), ids=lambda kind: kind.__name__)
def test_what_may_succeed_later_is_tried_again(kind: type[errors.TongbanError]):
    """Every RetryLater, also one that somebody adds."""
    assert RetryAction.RETRY is decision(kind("x")).action


@pytest.mark.parametrize("kind", subclasses(errors.Fatal), ids=lambda kind: kind.__name__)
def test_what_needs_a_person_fails_at_once(kind: type[errors.TongbanError]):
    """Every Fatal, also one that somebody adds."""
    assert RetryAction.FAIL is decision(kind("x")).action


def test_pauses_grow_and_have_an_end():
    """A department that is down is asked ever more rarely."""
    pauses = [pause_after(n) for n in range(1, 9)]

    assert sorted(pauses) == pauses
    assert timedelta(seconds=20) == pauses[0]
    assert LONGEST_PAUSE == pauses[-1] == pause_after(10_000)


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [(errors.RateLimited, 30), (errors.OutsideBudget, 900), (errors.LeaseHeld, 60)],
)
def test_some_errors_have_a_pause_of_their_own(kind: type[errors.RetryLater], seconds: int):
    """Office hours end later than a rate limit does."""
    assert timedelta(seconds=seconds) == decision(kind("x"), try_number=3).retry_delay


def test_a_pause_that_the_system_asked_for_is_kept():
    """Retry-After wins over our own guess."""
    assert timedelta(seconds=7) == decision(errors.RateLimited("x", retry_after_s=7)).retry_delay


def test_an_unknown_error_is_tried_once_more_and_then_never():
    """A bug repeats itself; a hiccup of a library does not."""
    assert RetryAction.RETRY is decision(ZeroDivisionError(), try_number=1).action
    assert RetryAction.FAIL is decision(ZeroDivisionError(), try_number=2).action


def test_the_reason_names_the_code_and_not_the_message():
    """What the log keeps cannot hold a value."""
    found = decision(errors.SystemRefused("6228123412341234"))

    assert found.reason is not None
    assert "fatal.system_refused" in found.reason
    assert "6228" not in found.reason
