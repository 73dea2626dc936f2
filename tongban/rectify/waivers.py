"""Waivers: a person decides that one record need not keep some rules until a date.

The row stays out of the store and out of what departments are asked for; when the waiver has
expired it is open again. Every waiver is an entry of the evidence log.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from sqlalchemy import Connection, Engine, text

from tongban.evidence.log import append_fact
from tongban.kernel.errors import ConfigInvalid
from tongban.store.engine import transaction

KIND = "waiver"
LONGEST = timedelta(days=366)
_LONG_NUMBER = re.compile(r"[0-9]{15}")  # identity, account and certificate numbers

_ONE = text("""
    SELECT dataset, key_index, state, findings FROM hub.quarantine
     WHERE quarantine_id = :quarantine_id FOR UPDATE
""")
_GRANT = text("""
    INSERT INTO hub.waiver (dataset, record_id, rule, approved_by, reason, expires_on)
    VALUES (:dataset, :record_id, :rule, :by, :reason, :expires_on)
    ON CONFLICT ON CONSTRAINT waiver_record_key DO NOTHING
""")
_WAIVED = text("""
    UPDATE hub.quarantine SET state = 'waived', closed_at = now()
     WHERE quarantine_id = :quarantine_id
""")
_EXPIRED = """
    q.state = 'waived'
    AND q.quarantine_id = (SELECT max(n.quarantine_id) FROM hub.quarantine n
                            WHERE n.dataset = q.dataset AND n.key_index = q.key_index)
    AND EXISTS (SELECT FROM jsonb_array_elements(q.findings) f
                 WHERE NOT EXISTS (SELECT FROM hub.waiver w
                                    WHERE w.dataset = q.dataset AND w.record_id = q.key_index
                                      AND w.rule = f->>'rule' AND w.expires_on >= :today))
"""
_TABLES = text(f"""
    SELECT d.dataset, d.table_name FROM hub.dataset d
     WHERE EXISTS (SELECT FROM hub.quarantine q WHERE q.dataset = d.dataset AND {_EXPIRED})
""")  # noqa: S608 - our own text
# Not where a newer row of the record is open already, or where it is stored by now.
_REOPEN = """
    UPDATE hub.quarantine q SET state = 'open', closed_at = NULL
     WHERE q.dataset = :dataset AND {expired}
       AND NOT EXISTS (
           SELECT FROM data."{table}" t WHERE t.record_id = q.key_index
              AND coalesce(greatest(t.changed_at, t.confirmed_at) >= q.changed_at, true))
"""


class NotOpen(ConfigInvalid):
    """There is no such open quarantine row; nothing was changed."""

    code = "fatal.not_open"


def waive(
    engine: Engine,
    quarantine_id: int,
    *,
    by: str,
    reason: str,
    until: date,
    today: date,
) -> list[str]:
    """Waive every rule that one open row breaks, for its record; gives the rules.

    Args:
        engine: The hub's database.
        quarantine_id: The open row.
        by: Who approves it.
        reason: Why, without any person's data.
        until: Last day on which it holds, at most a year ahead.
        today: The day of the decision.

    Raises:
        NotOpen: The row is unknown or closed.
        ConfigInvalid: Nobody approves, no reason, a number that may be a person's, or a date that
            is past or too far.
    """
    _check(by, reason, until, today)
    with transaction(engine) as conn:
        row = conn.execute(_ONE, {"quarantine_id": quarantine_id}).mappings().one_or_none()
        if row is None or row["state"] != "open":
            state = "unknown" if row is None else row["state"]
            raise NotOpen(
                f"quarantine row {quarantine_id} is {state}; `tongban quarantine list` shows those "
                "that are open",
                quarantine_id=quarantine_id,
            )
        rules = sorted({str(finding["rule"]) for finding in row["findings"]})
        facts = {"dataset": row["dataset"], "record_id": row["key_index"]}
        for rule in rules:
            terms = {"rule": rule, "by": by, "reason": reason, "expires_on": until}
            conn.execute(_GRANT, {**facts, **terms})
        conn.execute(_WAIVED, {"quarantine_id": quarantine_id})
        subject = {"quarantine": quarantine_id, "dataset": row["dataset"], "rules": rules}
        append_fact(conn, KIND, {**subject, "by": by, "until": until.isoformat()})
    return rules


def reopen_expired(conn: Connection, today: date) -> int:
    """Open the rows whose waivers have expired; gives how many."""
    opened = 0
    for dataset, table in conn.execute(_TABLES, {"today": today}).all():
        statement = text(_REOPEN.format(expired=_EXPIRED, table=table))
        opened += conn.execute(statement, {"dataset": dataset, "today": today}).rowcount
    return opened


def _check(by: str, reason: str, until: date, today: date) -> None:
    """Refuse what nobody could answer for."""
    if not by.strip() or not reason.strip():
        raise ConfigInvalid("waiver: it needs a user name and a reason")
    if _LONG_NUMBER.search(reason):
        raise ConfigInvalid(
            "waiver: the reason holds a number of 15 digits or more, which may be a person's; "
            "write it without"
        )
    if not today <= until <= today + LONGEST:
        raise ConfigInvalid(f"waiver: it must end between {today} and {today + LONGEST}")
