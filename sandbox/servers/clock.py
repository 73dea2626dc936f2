"""Readers for the time forms that callers use in windows and signatures.

The state keeps one form, `YYYY-MM-DDTHH:MM:SS` in Beijing, so that text order is time order.
Window ends are rounded up to the whole second: a record at second s lies in [since, until)
exactly when since <= s < until. Nothing here writes a time into a document.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sandbox.datasets import BEIJING

COMPACT = "%Y%m%d%H%M%S"
SPACED = "%Y-%m-%d %H:%M:%S"
COMPACT_LENGTH = 14


def to_state(moment: datetime) -> str:
    """Spell a moment for the state; a fraction of a second rounds up."""
    local = moment.astimezone(BEIJING) if moment.tzinfo else moment
    if local.microsecond:
        local = local.replace(microsecond=0) + timedelta(seconds=1)
    return _spell(local)


def _spell(local: datetime) -> str:
    """Write the form of the state; strftime would not pad the years before 1000."""
    return local.replace(tzinfo=None).isoformat(timespec="seconds")


def from_compact(text: str) -> str:
    """Read `yyyyMMddHHmmss`.

    Raises:
        ValueError: Not 14 digits or no such moment.
    """
    return _spell(_compact(text))


def compact_epoch(text: str) -> float:
    """Read `yyyyMMddHHmmss` in Beijing as epoch seconds.

    Raises:
        ValueError: Not 14 digits or no such moment.
    """
    return _compact(text).timestamp()


def _compact(text: str) -> datetime:
    if len(text) != COMPACT_LENGTH or not text.isascii() or not text.isdigit():
        raise ValueError("expected yyyyMMddHHmmss")
    return datetime.strptime(text, COMPACT).replace(tzinfo=BEIJING)


def from_spaced(text: str) -> str:
    """Read `yyyy-MM-dd HH:mm:ss`.

    Raises:
        ValueError: Another form or no such moment.
    """
    return _spell(datetime.strptime(text, SPACED).replace(tzinfo=BEIJING))


def from_iso(text: str, *, zone_required: bool = False) -> str:
    """Read ISO 8601; without a zone it is Beijing time.

    Raises:
        ValueError: Another form, or no zone where one is demanded.
    """
    moment = datetime.fromisoformat(text.strip())
    if zone_required and moment.tzinfo is None:
        raise ValueError("expected an offset such as +08:00")
    try:
        return to_state(moment)
    except OverflowError as exc:
        raise ValueError("the moment lies outside the calendar") from exc


def utc_epoch(text: str) -> float:
    """Read an ISO moment whose missing zone means UTC (WS-Security Created) as epoch seconds.

    Raises:
        ValueError: Another form.
    """
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
