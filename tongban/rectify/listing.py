"""Listing: open rows for people, and the workbook of a notice. Each export is an access entry."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, RowMapping, text

from tongban.evidence.log import append_access
from tongban.hub import Hub
from tongban.kernel.errors import ConfigInvalid
from tongban.rectify.corrections import opened_rows
from tongban.rectify.sheets import export_rows
from tongban.rectify.waivers import reopen_expired
from tongban.store.engine import transaction

MOST_LISTED = 1000
_OPEN = text("""
    SELECT q.quarantine_id, q.system, q.dataset, q.times_seen, q.quarantined_at, q.seen_at,
           (SELECT string_agg(f->>'rule', ', ') FROM jsonb_array_elements(q.findings) f) AS rules,
           n.notice_no, n.due_on
      FROM hub.quarantine q LEFT JOIN hub.notice_row r USING (quarantine_id)
      LEFT JOIN hub.notice n USING (notice_no)
     WHERE q.state = 'open' AND (CAST(:system AS text) IS NULL OR q.system = :system)
       AND (CAST(:dataset AS text) IS NULL OR q.dataset = :dataset)
     ORDER BY q.system, q.dataset, q.quarantine_id LIMIT :most
""")
_NOTICE = text("SELECT * FROM hub.notice WHERE notice_no = :notice_no")


class NoticeUnknown(ConfigInvalid):
    """There is no correction notice of that number."""

    code = "fatal.notice_unknown"


def open_rows(
    conn: Connection, today: date, system: str | None = None, dataset: str | None = None
) -> list[RowMapping]:
    """Open rows with rules and notice, without any value; expired waivers are over first."""
    reopen_expired(conn, today)
    facts = {"system": system, "dataset": dataset, "most": MOST_LISTED}
    return list(conn.execute(_OPEN, facts).mappings())


def export_notice(
    hub: Hub, notice_no: str, *, by: str, reader: str | None = None
) -> tuple[bytes, int]:
    """The workbook of a notice's open rows, and how many there are.

    Args:
        hub: An open hub.
        notice_no: Which notice.
        by: Who exports it; goes into the evidence log.
        reader: Department that will read it; the one that must correct when not given.

    Raises:
        NoticeUnknown: There is no such notice.
        ConfigInvalid: Nobody is named, or the reader is no department.
    """
    if not by.strip():
        raise ConfigInvalid("export: nobody is named as exporting; give a user name")
    if reader is not None:
        hub.catalog.system(reader)
    with transaction(hub.engine) as conn:
        found = conn.execute(_NOTICE, {"notice_no": notice_no}).mappings().one_or_none()
    if found is None:
        raise NoticeUnknown(f"notice {notice_no[:64]} is unknown; `tongban quarantine notices`")
    department, dataset = str(found["department"]), str(found["dataset"])
    rows = opened_rows(hub, department, dataset, notice_no=notice_no)
    about = {
        "notice": notice_no,
        "department": department,
        "dataset": dataset,
        "issued_at": str(found["issued_at"]),
        "due_on": str(found["due_on"]),
    }
    is_owner = reader in {None, department}
    content = export_rows(hub.catalog.contract(dataset), rows, about, is_owner=is_owner)
    subject = {"notice": notice_no, "rows": len(rows), "reader": reader or department}
    with transaction(hub.engine) as conn:
        append_access(conn, {**subject, "by": by, "purpose": "correction notice"})
    return content, len(rows)
