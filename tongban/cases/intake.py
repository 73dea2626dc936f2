"""Intake: online applications from the substation get one acceptance number each.

An online application counts as received when it was handed in; nothing in it is examined by
hand before acceptance, so it is accepted as of that moment (行政许可法 art. 32: silence means
accepted on the day of receipt). The promise is counted in working days from there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, text

from tongban.cases.house_sale import ACCEPTED, ITEM_CODE
from tongban.cases.number import accept_no
from tongban.cases.numbering import take_serials
from tongban.kernel.calendar import WorkingDays
from tongban.kernel.contracts import Contract
from tongban.kernel.records import BEIJING

DEFAULT_PROMISE_DAYS = 5  # 国办发〔2019〕8号: general registration within 5 working days

_NEW_APPLICATIONS = """
SELECT a.record_id AS application_id, a.application_no, a.item_code, a.item_name, a.unit_no,
       a.applicant_id_no_index AS applicant_index, a.applied_at, i.promise_days
  FROM data.{online_application} AS a
  LEFT JOIN LATERAL (
      SELECT promise_days FROM data.{service_item} AS s
       WHERE s.item_code = a.item_code ORDER BY item_version DESC LIMIT 1) AS i ON true
  LEFT JOIN cases.gov_case AS c ON c.application_no = a.application_no
 WHERE a.item_code = :item_code AND c.accept_no IS NULL
 ORDER BY a.applied_at, a.application_no
"""
_INSERT_CASE = """
INSERT INTO cases.gov_case
    (accept_no, application_no, application_id, item_code, item_name, unit_no, applicant_index,
     state, applied_at, accepted_at, promised_on, promise_days, changed_at)
VALUES (:accept_no, :application_no, :application_id, :item_code, :item_name, :unit_no,
        :applicant_index, :state, :applied_at, :applied_at, :promised_on, :promise_days,
        now())
"""
_INSERT_EVENT = """
INSERT INTO cases.case_event (accept_no, event, occurred_at, source_dataset, source_key)
VALUES (:accept_no, 'ACCEPTED', :applied_at, 'online_application', :application_no)
"""


def accept_applications(
    conn: Connection, contracts: dict[str, Contract], calendar: WorkingDays
) -> int:
    """Give every new house-sale application its acceptance number.

    Args:
        conn: Inside a transaction that holds the advisory lock.
        contracts: With online_application and service_item.
        calendar: For the promised day.

    Returns:
        How many cases were opened.
    """
    sql = _NEW_APPLICATIONS.format(
        online_application=contracts["online_application"].table,
        service_item=contracts["service_item"].table,
    )
    rows = conn.execute(text(sql), {"item_code": ITEM_CODE}).mappings().all()
    if not rows:
        return 0
    numbers = _take_numbers(conn, (_day(row["applied_at"]) for row in rows))
    cases: list[dict[str, Any]] = []
    for row in rows:
        day = _day(row["applied_at"])
        days = row["promise_days"] or DEFAULT_PROMISE_DAYS
        cases.append(
            {
                **row,
                "accept_no": numbers[day].pop(0),
                "state": ACCEPTED,
                "promised_on": calendar.due(day, days).day,
                "promise_days": days,
            }
        )
    conn.execute(text(_INSERT_CASE), cases)
    conn.execute(text(_INSERT_EVENT), cases)
    return len(cases)


def _day(moment: datetime) -> date:
    """The Beijing day of a moment."""
    return moment.astimezone(BEIJING).date()


def _take_numbers(conn: Connection, days: Iterable[date]) -> dict[date, list[str]]:
    """Take one serial per wanted day entry, in blocks of a day."""
    wanted: dict[date, int] = defaultdict(int)
    for day in days:
        wanted[day] += 1
    numbers: dict[date, list[str]] = {}
    for day, count in sorted(wanted.items()):
        numbers[day] = [accept_no(day, serial) for serial in take_serials(conn, day, count)]
    return numbers
