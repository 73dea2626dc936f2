"""Reactions: rows that appear at a department because of what it accepted.

A sale contract accepted by tax brings its payments; a contract with its deed tax accepted by
registration brings the new right and ends the old one. Runs inside the inbox's transaction, once
per prepared row. Nothing here knows a protocol.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from sandbox.datasets import DATASETS, Document, beijing_now
from sandbox.plans import mark_pending_done, pending_for
from sandbox.servers.office import Office
from sandbox.state import find_records, put_record

RETIRE = "retire"
HISTORIC = "2"  # QSZT
EVENT_TIME_FIELDS = {"deed_tax_payment": "JKRQ", "real_estate_right": "DJSJ"}
_FORMS = {"compact": "%Y%m%d%H%M%S", "iso": "%Y-%m-%dT%H:%M:%S+08:00"}


def fire(office: Office, kind: str, key: str) -> int:
    """Serve from now on what waits for trigger (`kind`, `key`).

    Args:
        office: The department whose pending rows are meant.
        kind: Trigger kind as the population wrote it.
        key: Business key, a contract number.

    Returns:
        How many prepared rows fired; 0 when nothing waits any more.
    """
    when = beijing_now()
    waiting = pending_for(office.connection, kind, key)
    for row in waiting:
        if row.dataset == RETIRE:
            _retire(office.connection, str(row.doc["YWH"]), when)
        else:
            put_record(office.connection, row.dataset, _dated(row.dataset, row.doc, when), when)
        mark_pending_done(office.connection, row.id)
    if waiting:
        office.records.changed()
    return len(waiting)


def _retire(connection: sqlite3.Connection, business_no: str, when: datetime) -> None:
    for record in find_records(connection, "real_estate_right", business_no)[:1]:
        put_record(connection, "real_estate_right", {**record.doc, "QSZT": HISTORIC}, when)


def _dated(dataset: str, doc: Document, when: datetime) -> Document:
    """Fill a blank time of payment or registration with the present."""
    name = EVENT_TIME_FIELDS.get(dataset)
    if name is None or doc.get(name):
        return doc
    return {**doc, name: when.strftime(_FORMS[DATASETS[dataset].stamp_form])}
