"""Which window to ask for next: from our own committed cursor, never from a scheduler's date."""

from __future__ import annotations

from datetime import datetime, timedelta

from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import Window

CLOCKS_DIFFER = timedelta(minutes=5)  # more between two workers is no drift but a wrong clock


def next_window(
    cursor: datetime | None, now: datetime, *, overlap: timedelta, longest: timedelta | None
) -> Window:
    """The window after a committed cursor.

    Args:
        cursor: End of the last committed window, or None before the first.
        now: The present, with a zone.
        overlap: How far to look back behind the cursor, for rows that were committed late at the
            source; rows read twice are equal and write nothing.
        longest: Longest window that the service takes, or None.

    Returns:
        Half-open [cursor - overlap, until); `until` is `now`, or earlier when the service takes
        no window that long.

    Raises:
        ConfigInvalid: The cursor lies in the future, so a clock is or was wrong; what changed
            between the true time and the cursor would never be asked for.
    """
    if cursor is None:
        return Window(since=None, until=now)
    if cursor - now > CLOCKS_DIFFER:
        raise ConfigInvalid(
            f"everything is stored until {cursor:%Y-%m-%d %H:%M}, but it is {now:%Y-%m-%d %H:%M}: "
            "this host's clock is slow, or another's was fast; set it right, and until that "
            "moment pull with --since from before the clock was wrong"
        )
    since = cursor - overlap
    until = now
    if longest is not None:
        # At least a second forward, or an overlap as long as the longest window would stand still.
        until = min(now, max(since + longest, cursor + timedelta(seconds=1)))
    return Window(since=since, until=max(until, cursor))


def given_window(window: Window, now: datetime) -> Window:
    """A window that a person asked for, as far as its time has passed.

    What the future holds cannot be read yet, and a cursor moved there would jump over it.

    Raises:
        ConfigInvalid: It ends before it begins, or begins in the future.
    """
    until = min(window.until, now)
    if window.since is not None and window.since >= until:
        raise ConfigInvalid(
            f"the window from {window.since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} holds no "
            "moment that has passed; correct --since and --until"
        )
    return Window(since=window.since, until=until)
