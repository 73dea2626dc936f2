"""Numbering: blocks of acceptance numbers for windows, also for those that work offline.

A window reserves a block with a request of its own; the same request gives the same numbers again,
however often a broken line makes it ask. A number is used once, by the window that reserved it,
for one request. Serials of a day come from one row, which PostgreSQL locks for the moment, so that
no two windows ever get one number.

Source: docs/decisions/0007-acceptance-number.md.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, text

from tongban.cases.number import SERIALS_PER_DAY, accept_no, is_accept_no, parts_of
from tongban.kernel.errors import ConfigInvalid, Fatal
from tongban.kernel.records import BEIJING

MOST_NUMBERS = 1000
KEPT_FOR = timedelta(days=30)  # a window may be without a line for long, a number not for ever

_TAKE_SERIALS = """
INSERT INTO cases.number_block AS b (day, last_serial) VALUES (:day, :count)
ON CONFLICT (day) DO UPDATE SET last_serial = b.last_serial + :count
RETURNING last_serial
"""
_RESERVE = """
INSERT INTO cases.number_reservation
    (request_id, window_code, day, first_serial, amount, reserved_at, expires_at)
VALUES (:request_id, :window, :day, :first, :amount, :now, :expires)
"""
_RESERVATION = """
SELECT window_code, day, first_serial, amount, expires_at FROM cases.number_reservation
"""
_USE = """
INSERT INTO cases.number_use (accept_no, window_code, request_id, used_at)
VALUES (:accept_no, :window, :request_id, :now)
ON CONFLICT DO NOTHING
RETURNING accept_no
"""


class NumberClaimed(Fatal):
    """An acceptance number, or a request for some, already belongs to somebody else."""

    code = "fatal.number_claimed"


def take_serials(conn: Connection, day: date, count: int) -> range:
    """Take the next serials of a day; nobody else gets them.

    Raises:
        ConfigInvalid: The day has no more.
    """
    last = conn.execute(text(_TAKE_SERIALS), {"day": day, "count": count}).scalar_one()
    if last >= SERIALS_PER_DAY:
        raise ConfigInvalid(f"acceptance numbers: {day} has no serial left; wait for the next day")
    return range(last - count + 1, last + 1)


def reserve_numbers(
    conn: Connection, window: str, request_id: str, amount: int, *, now: datetime
) -> list[str]:
    """Reserve a block for a window.

    Args:
        conn: In a transaction.
        window: The window that will use them.
        request_id: The window's own; asked again it gives the same numbers.
        amount: 1 to `MOST_NUMBERS`.
        now: Its Beijing day goes into the numbers.

    Raises:
        ConfigInvalid: Too many, or none.
        NumberClaimed: The request was made before by another window or for another amount.
    """
    if not 0 < amount <= MOST_NUMBERS:
        raise ConfigInvalid(
            f"acceptance numbers: asked for {amount}, a block has 1..{MOST_NUMBERS}"
        )
    lock = "SELECT pg_advisory_xact_lock(hashtextextended(:request_id, 6208))"
    conn.execute(text(lock), {"request_id": request_id})
    sql = f"{_RESERVATION} WHERE request_id = :request_id"
    found = conn.execute(text(sql), {"request_id": request_id}).mappings().first()
    if found is None:
        day = now.astimezone(BEIJING).date()
        serials = take_serials(conn, day, amount)
        row = {"request_id": request_id, "window": window, "day": day, "first": serials[0]}
        times = {"now": now, "expires": now + KEPT_FOR}
        conn.execute(text(_RESERVE), {**row, "amount": amount, **times})
        return [accept_no(day, serial) for serial in serials]
    if (found["window_code"], found["amount"]) != (window, amount):
        raise NumberClaimed(
            "acceptance numbers: this request was made before, by another window or for another "
            "amount; give each request an id of its own"
        )
    first = found["first_serial"]
    return [accept_no(found["day"], serial) for serial in range(first, first + amount)]


def use_number(
    conn: Connection, number: str, window: str, request_id: str, *, now: datetime
) -> Literal["used", "again"]:
    """Use one number of a window's block for one request.

    Returns:
        `used`, or `again` where the same request used it before.

    Raises:
        ConfigInvalid: It is no acceptance number, or was never reserved.
        NumberClaimed: Another window reserved it, another request used it, the request used
            another number, or it was kept too long.
    """
    if not is_accept_no(number):
        raise ConfigInvalid("this is no acceptance number: expected 18 digits that check")
    day, serial = parts_of(number)
    sql = f"{_RESERVATION} WHERE day = :day AND :serial - first_serial BETWEEN 0 AND amount - 1"
    found = conn.execute(text(sql), {"day": day, "serial": serial}).mappings().first()
    if found is None:
        raise ConfigInvalid("this acceptance number was never reserved; reserve a block first")
    if found["window_code"] != window:
        raise NumberClaimed("this acceptance number is in the block of another window")
    if _is_used_again(conn, number, window, request_id):
        return "again"
    if found["expires_at"] < now:
        raise NumberClaimed("this acceptance number was kept too long; use one of a new block")
    values = {"accept_no": number, "window": window, "request_id": request_id, "now": now}
    if conn.execute(text(_USE), values).scalar() is not None:
        return "used"
    if _is_used_again(conn, number, window, request_id):
        return "again"
    raise NumberClaimed(
        "this acceptance number has another case, or this request has another number; "
        "one number is for one case"
    )


def _is_used_again(conn: Connection, number: str, window: str, request_id: str) -> bool:
    sql = (
        "SELECT 1 FROM cases.number_use WHERE accept_no = :accept_no"
        " AND window_code = :window AND request_id = :request_id"
    )
    values = {"accept_no": number, "window": window, "request_id": request_id}
    return conn.execute(text(sql), values).scalar() is not None
