"""Positions: where the next page of a window starts, as opaque text that survives a restart.

A position belongs to one dataset and one window; used with another it is refused. It holds
counts, the source's own cursor and a fingerprint; with key-set paging the cursor is a key, so
positions are kept as safely as pages (the landing seals both) and enter no message.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import Window

_KEY_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a window.

    Attributes:
        piece: Part of the window, from 0, where long windows are asked in parts.
        number: Number that the page at this place gets.
        at: The source's own place: page number, row offset, cursor or URL.
        rows: Rows of this piece (and pass) before this place.
        total: The source's count when the pass began.
        anchor: Fingerprint of the row before this place.
        turn: Which reading of a shifting list this is.
        halves: Part of the piece, where it was halved: 0 first half, 1 second, of that half again …
        before: Rows that the source declared for the parts before; None when it did not.
    """

    piece: int = 0
    number: int = 1
    at: str = ""
    rows: int = 0
    total: int | None = None
    anchor: str = ""
    turn: int = 1
    halves: str = ""
    before: int | None = 0

    def moved(self, at: str | int, **changes: object) -> Position:
        """Give the place after this one."""
        return replace(self, number=self.number + 1, at=str(at), **changes)  # type: ignore[arg-type]


def window_key(dataset: str, window: Window) -> str:
    """Name a dataset's window, so that a cursor of another one is noticed."""
    since = window.since.isoformat() if window.since else ""
    text = f"{dataset}|{since}|{window.until.isoformat()}"
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]


def write_position(position: Position, key: str) -> str:
    """Write a position as a cursor."""
    changed = {k: v for k, v in asdict(position).items() if v != _DEFAULTS[k]}
    return json.dumps({"window": key, **changed}, separators=(",", ":"), ensure_ascii=False)


_DEFAULTS = asdict(Position())


def read_position(text: str, key: str) -> Position:
    """Read a cursor back.

    Raises:
        ConfigInvalid: It is none of ours, or belongs to another dataset or window.
    """
    try:
        fields = json.loads(text)
        window = fields.pop("window")
        position = Position(**fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ConfigInvalid("the kept cursor cannot be read; start the window anew") from None
    if window != key:
        raise ConfigInvalid(
            "the kept cursor belongs to another dataset or window; go on with the same window, or "
            "start anew"
        )
    return position


def pieces_of(window: Window, max_days: int | None) -> list[Window]:
    """Cut a window into parts of at most `max_days`; without a lower bound it stays whole."""
    if max_days is None or window.since is None:
        return [window]
    step = timedelta(days=max_days)
    pieces: list[Window] = []
    since = window.since
    while since + step < window.until:
        pieces.append(Window(since, since + step))
        since += step
    pieces.append(Window(since, window.until))
    return pieces
