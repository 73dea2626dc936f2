"""Tampering: one random change of an archive, as somebody who wants to hide something makes it."""

from __future__ import annotations

import random

KINDS = ("flip", "drop", "swap", "truncate", "splice")


def tampered(archive: bytes, other: bytes, kind: str, chance: random.Random) -> bytes:
    """The archive with one change.

    Args:
        archive: A sealed archive.
        other: Another one, whose lines are spliced in.
        kind: Which change: a byte, a line gone, two lines exchanged, an end cut off, lines of
            the other archive in the place of ours.
        chance: Says where.
    """
    if kind == "flip":
        at = chance.randrange(len(archive))
        return archive[:at] + bytes([archive[at] ^ (1 << chance.randrange(8))]) + archive[at + 1 :]
    if kind == "truncate":
        return archive[: chance.randrange(1, len(archive))]
    lines = archive.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    if kind == "drop":
        del lines[at : at + chance.randrange(1, 4)]
    elif kind == "swap":
        beside = chance.randrange(len(lines))
        lines[at], lines[beside] = lines[beside], lines[at]
    else:
        foreign = other.splitlines(keepends=True)
        begin = chance.randrange(len(foreign))
        count = chance.randrange(1, 4)
        lines[at : at + count] = foreign[begin : begin + count]
    return b"".join(lines)
