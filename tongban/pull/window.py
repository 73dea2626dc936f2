"""Which window to ask for next: from our own committed cursor, never from a scheduler's date."""

from __future__ import annotations

from datetime import datetime, timedelta

from tongban.kernel.records import Window


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
    """
    if cursor is None:
        return Window(since=None, until=now)
    since = cursor - overlap
    until = now
    if longest is not None:
        # At least a second forward, or an overlap as long as the longest window would stand still.
        until = min(now, max(since + longest, cursor + timedelta(seconds=1)))
    return Window(since=since, until=max(until, cursor))
