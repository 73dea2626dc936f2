"""Discretion: no foreign word reaches a task's log."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest

from tongban.kernel.errors import SystemUnavailable
from tongban.orchestration.discretion import TaskBroken, discreet

CANARY = "620899199001011234"


def shown(exc: BaseException) -> str:
    """Everything that a log would print."""
    return "".join(traceback.format_exception(exc))


def fail() -> None:
    """Fail as a library does that quotes what it was given."""
    raise ValueError("cannot parse " + "".join(CANARY))


def fail_declared() -> None:
    """Fail as our own code does, with the library's error as the declared cause."""
    try:
        fail()
    except ValueError as exc:
        raise SystemUnavailable("tax gave HTTP 503; try later") from exc


def fail_undeclared() -> None:
    """Fail while another error is handled, which carries it along."""
    try:
        fail()
    except ValueError:
        raise SystemUnavailable("tax gave HTTP 503; try later")  # noqa: B904 - the point


def test_a_foreign_error_loses_its_words_and_keeps_its_type_and_place():
    """A library may quote the row."""
    place = r"ValueError at .*test_discretion\.py:\d+"
    with pytest.raises(TaskBroken, match=place) as found, discreet():
        fail()

    assert CANARY not in shown(found.value)
    assert "in fail" in shown(found.value)


@pytest.mark.parametrize("failing", [fail_declared, fail_undeclared])
def test_our_own_error_passes_and_names_its_causes_only(failing: Callable[[], None]):
    """What a person must do stays; what a library said goes."""
    with pytest.raises(SystemUnavailable, match="HTTP 503") as found, discreet():
        failing()

    assert CANARY not in shown(found.value)
    assert "caused by builtins.ValueError" in shown(found.value)


def test_debugging_shows_everything(monkeypatch: pytest.MonkeyPatch):
    """On synthetic data only."""
    monkeypatch.setenv("TONGBAN_DEBUG", "1")

    with pytest.raises(ValueError, match=CANARY), discreet():
        fail()
