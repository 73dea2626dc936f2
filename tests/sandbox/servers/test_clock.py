"""Time forms of the callers."""

from __future__ import annotations

import pytest

from sandbox.servers import clock


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (clock.from_compact, "20260302090500"),
        (clock.from_spaced, "2026-03-02 09:05:00"),
        (clock.from_iso, "2026-03-02T09:05:00"),
        (clock.from_iso, "2026-03-02T09:05:00+08:00"),
        (clock.from_iso, "2026-03-02T01:05:00Z"),
        (clock.from_iso, "2026-03-02T09:04:59.000001+08:00"),
    ],
)
def test_every_form_is_read_to_the_second_in_beijing(read, text):
    """A fraction rounds up, so that half-open windows stay exact."""
    assert "2026-03-02T09:05:00" == read(text)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (clock.from_compact, "2026030209050"),
        (clock.from_compact, "20260230090500"),
        (clock.from_compact, "２０２６0302090500"),
        (clock.from_compact, ""),
        (clock.from_spaced, "2026-03-02T09:05:00"),
        (clock.from_iso, "yesterday"),
    ],
)
def test_another_form_or_no_such_day_is_refused(read, text):
    """Nothing is guessed."""
    with pytest.raises(ValueError):
        read(text)


def test_a_zone_can_be_demanded():
    """The market's gateway wants an offset."""
    with pytest.raises(ValueError, match="offset"):
        clock.from_iso("2026-03-02T09:05:00", zone_required=True)


def test_created_without_a_zone_is_utc():
    """WS-Security says so; everything else here is Beijing time."""
    assert clock.utc_epoch("2026-03-02T01:05:00Z") == clock.utc_epoch("2026-03-02T01:05:00")
    assert clock.utc_epoch("2026-03-02T01:05:00Z") == clock.compact_epoch("20260302090500")


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (clock.from_compact, "00010101000000"),
        (clock.from_spaced, "0001-01-01 00:00:00"),
        (clock.from_iso, "0001-01-01T00:00:00"),
    ],
)
def test_early_years_keep_four_digits(read, text):
    """Text order stays time order for a reader that starts at the beginning of time."""
    assert "0001-01-01T00:00:00" == read(text)


def test_a_moment_outside_the_calendar_is_refused():
    """Year 1 in Kiribati is year 0 in Beijing."""
    with pytest.raises(ValueError, match="calendar"):
        clock.from_iso("0001-01-01T00:00:00+14:00")
