"""Quarantine as a product: asked for, exported, corrected, applied once, waived."""

from __future__ import annotations

import csv
import io
import threading
from datetime import date, timedelta
from typing import Any

import openpyxl
import pytest

from tests.pipeline.city import CityHub
from tongban.kernel.calendar import load_calendar
from tongban.kernel.errors import ConfigInvalid
from tongban.rectify import (
    Applied,
    Notice,
    apply_corrections,
    issue_notices,
    opened_rows,
    read_rows,
    waive,
)
from tongban.rectify.listing import export_notice, open_rows
from tongban.rectify.sheets import SheetInvalid
from tongban.rectify.waivers import NotOpen
from tongban.store.engine import transaction

DEPARTMENT, DATASET = "tax", "deed_tax_payment"
FRIDAY = date(2018, 9, 28)
Row = dict[str, str | None]
REASON = "the department has no better data"


def issue(city: CityHub, day: date = FRIDAY) -> list[Notice]:
    """Ask for what is open."""
    hub = city.hub
    calendar = load_calendar(hub.settings.root / "mappings" / "calendar")
    return issue_notices(hub.engine, hub.catalog, calendar, DEPARTMENT, by="clerk", today=day)


def open_count(city: CityHub) -> int:
    """Open rows of the dataset."""
    return int(
        city.one(
            "SELECT count(*) FROM hub.quarantine WHERE state = 'open' AND dataset = %s", DATASET
        )
    )


def corrected(city: CityHub, payer: str = "王更正", rule: str = "payer_name.required") -> Row:
    """The row without a payer, with one."""
    rows = opened_rows(city.hub, DEPARTMENT, DATASET)
    row = next(row for row in rows if row.rules == (rule,))
    return {"quarantine_id": str(row.quarantine_id), **row.values, "payer_name": payer}


def stored(city: CityHub) -> list[tuple[int, str]]:
    """Version and state of the record and of its quarantine row."""
    rows = city.rows(
        "SELECT t.version, q.state FROM hub.quarantine q LEFT JOIN data.deed_tax_payment_v1 t"
        ' ON t.record_id = q.key_index WHERE q.findings @> \'[{"rule": "payer_name.required"}]\''
        " AND q.dataset = %s",
        DATASET,
    )
    return [(row["version"], row["state"]) for row in rows]


def apply(city: CityHub, *rows: Row) -> Applied:
    """Bring rows back as a file."""
    return apply_corrections(city.hub, DEPARTMENT, DATASET, rows, by="clerk")


def test_a_notice_has_a_number_a_working_day_and_its_rows(refused: CityHub):
    """Days off and worked weekends count; the contract says how many days."""
    days = refused.hub.catalog.contract(DATASET).rectification_days
    calendar = load_calendar(refused.hub.settings.root / "mappings" / "calendar")

    (notice,) = issue(refused)

    assert ("tax-2018-0001", open_count(refused)) == (notice.notice_no, notice.rows)
    assert calendar.add(FRIDAY, days).day == notice.due_on
    assert {"paid_at.type": 1, "payer_name.required": 1} == dict(notice.rules)
    assert 1 == refused.one("SELECT count(*) FROM hub.evidence_entry WHERE kind = 'notice'")


def test_a_row_is_asked_for_once(refused: CityHub):
    """The second notice has nothing to ask for, and takes no number."""
    issue(refused)

    assert [] == issue(refused)
    assert 1 == refused.one("SELECT last FROM hub.notice_counter")


def test_issuers_at_once_leave_no_gap_and_give_no_number_twice(refused: CityHub):
    """Of several one issues; the numbers of the others are given again."""
    workers = [threading.Thread(target=issue, args=(refused,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    refused.rows("DELETE FROM hub.notice_row RETURNING 1")
    issue(refused)

    numbers = [row["number"] for row in refused.rows("SELECT number FROM hub.notice ORDER BY 1")]
    assert [1, 2] == numbers


def test_the_exported_file_comes_back_corrected_and_closes_its_row(refused: CityHub):
    """Only the changed cell differs; the other row is still refused and stays open."""
    (notice,) = issue(refused)
    content, rows = export_notice(refused.hub, notice.notice_no, by="clerk")
    book = openpyxl.load_workbook(io.BytesIO(content))
    sheet = book["rows"]
    header = [cell.value for cell in sheet[1]]
    for line in range(2, rows + 2):
        cell = sheet.cell(line, header.index("payer_name") + 1)
        cell.value = cell.value or "王更正"
    back = io.BytesIO()
    book.save(back)

    done = apply(refused, *read_rows(back.getvalue(), refused.hub.catalog.contract(DATASET)))

    assert (2, 1, 1, 0, 1) == (done.rows, done.applied, done.refused, done.unasked, done.closed)
    assert [(1, "resolved")] == stored(refused)
    assert 1 == open_count(refused)


def test_every_exported_cell_is_text(refused: CityHub):
    """Numbers of 18 digits keep their last digits, and nothing is computed."""
    (notice,) = issue(refused)

    content, _ = export_notice(refused.hub, notice.notice_no, by="clerk")

    cells = [c for line in openpyxl.load_workbook(io.BytesIO(content))["rows"] for c in line]
    assert {"s"} == {cell.data_type for cell in cells if cell.value is not None}
    assert {"@"} == {cell.number_format for cell in cells}


def test_another_departments_copy_is_masked_and_what_is_masked_is_not_taken(refused: CityHub):
    """A mask that comes back unchanged means the value that it stands for."""
    (notice,) = issue(refused)
    row = corrected(refused)

    content, _ = export_notice(refused.hub, notice.notice_no, by="clerk", reader="housing")

    contract = refused.hub.catalog.contract(DATASET)
    shown = next(
        line
        for line in read_rows(content, contract)
        if line["quarantine_id"] == row["quarantine_id"]
    )
    assert row["payer_id_no"] not in shown.values()
    assert 1 == apply(refused, {**shown, "payer_name": "王更正"}).applied


def test_a_then_b_then_a_ends_with_b(refused: CityHub):
    """A file that is brought twice changes nothing, whatever came in between."""
    first, second = corrected(refused), corrected(refused, "李更正")

    counts = [apply(refused, row) for row in (first, second, first, second)]

    assert [(1, 0), (1, 0), (0, 1), (0, 1)] == [(done.applied, done.again) for done in counts]
    assert [(2, "resolved")] == stored(refused)


def test_two_lines_of_one_record_are_applied_in_the_files_order(refused: CityHub):
    """The last one counts, and the history has both."""
    done = apply(refused, corrected(refused), corrected(refused, "李更正"))

    assert (2, 1) == (done.applied, done.closed)
    assert [(2, "resolved")] == stored(refused)


def test_a_row_that_nobody_asked_for_is_not_taken(refused: CityHub):
    """The file is no back door: unknown rows, and other records under a known row's number."""
    row = corrected(refused)

    strange = apply(refused, {**row, "quarantine_id": "999999"})
    other = apply(refused, {**row, "ticket_no": "362089999000000001"})

    assert [(0, 1), (0, 1)] == [(done.applied, done.unasked) for done in (strange, other)]
    assert [(None, "open")] == stored(refused)


def test_csv_in_gb18030_is_read_like_a_workbook(refused: CityHub):
    """What an office suite writes by default."""
    row = corrected(refused)
    made = io.StringIO()
    writer = csv.DictWriter(made, list(row))
    writer.writeheader()
    writer.writerow(row)

    rows = read_rows(made.getvalue().encode("gb18030"), refused.hub.catalog.contract(DATASET))

    assert 1 == apply(refused, *rows).applied


def test_a_formula_in_a_returned_workbook_is_refused(refused: CityHub):
    """Nobody knows what it will say tomorrow."""
    (notice,) = issue(refused)
    content, _ = export_notice(refused.hub, notice.notice_no, by="clerk")
    book = openpyxl.load_workbook(io.BytesIO(content))
    book["rows"]["D2"].value = "=1+1"
    back = io.BytesIO()
    book.save(back)

    with pytest.raises(SheetInvalid, match="D2 holds a formula"):
        read_rows(back.getvalue(), refused.hub.catalog.contract(DATASET))


@pytest.mark.parametrize("content", [b"PK\x03\x04cut", b"\xff\xfe\xff", b"a,b\n1,2\n"])
def test_a_file_that_is_none_of_ours_names_its_problem(refused: CityHub, content: bytes):
    """Cut, in another charset, with other columns."""
    with pytest.raises(SheetInvalid):
        read_rows(content, refused.hub.catalog.contract(DATASET))


def test_a_waived_row_is_not_asked_for_until_the_date_and_open_after_it(refused: CityHub):
    """Also when the department sends it again."""
    number = int(corrected(refused)["quarantine_id"] or 0)

    rules = waive(refused.hub.engine, number, by="chief", reason=REASON, until=FRIDAY, today=FRIDAY)

    assert ["payer_name.required"] == rules
    (notice,) = issue(refused)
    assert {"paid_at.type": 1} == dict(notice.rules)
    with transaction(refused.hub.engine) as conn:
        after = open_rows(conn, FRIDAY + timedelta(days=1), DEPARTMENT)
    assert number in {row["quarantine_id"] for row in after}
    assert 1 == refused.one("SELECT count(*) FROM hub.evidence_entry WHERE kind = 'waiver'")


def test_a_waived_row_that_comes_again_opens_nothing(refused: CityHub):
    """The same record with the same broken rule, within the waiver's time."""
    number = int(corrected(refused)["quarantine_id"] or 0)
    today = refused.one("SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date")
    waive(refused.hub.engine, number, by="chief", reason=REASON, until=today, today=today)
    before = open_count(refused)

    refused.rows("DELETE FROM hub.cursor RETURNING 1")
    refused.pull(DATASET)

    assert before == open_count(refused)


@pytest.mark.parametrize(
    "wrong",
    [{"by": " "}, {"reason": "622899198503140011"}, {"until": FRIDAY - timedelta(days=1)}],
)
def test_a_waiver_needs_a_person_a_reason_and_a_date(refused: CityHub, wrong: dict[str, Any]):
    """What nobody could answer for is refused."""
    terms: dict[str, Any] = {"by": "chief", "reason": REASON, "until": FRIDAY, "today": FRIDAY}
    number = int(corrected(refused)["quarantine_id"] or 0)

    with pytest.raises(ConfigInvalid):
        waive(refused.hub.engine, number, **terms | wrong)
    assert [(None, "open")] == stored(refused)


def test_a_closed_row_cannot_be_waived(refused: CityHub):
    """It is settled."""
    row = corrected(refused)
    apply(refused, row)

    with pytest.raises(NotOpen, match="resolved"):
        waive(
            refused.hub.engine,
            int(row["quarantine_id"] or 0),
            by="chief",
            reason=REASON,
            until=FRIDAY,
            today=FRIDAY,
        )
