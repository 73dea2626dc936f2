"""Approvals: questions that only a person may answer, and the answers, with who and when.

Asked where a rule stops the hub (a refused batch, a mass delete, a breaking contract version),
shown by Airflow and by `tongban approvals`, decided once. A question that waits is never asked a
second time, and a decided one is never changed: who wants another answer asks again. The reason
is written by our code from names and counts; it holds no field's value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from tongban.kernel.errors import ConfigInvalid

CHANNEL = "tongban_approvals"
"""PostgreSQL channel on which every new question is told, when it is committed."""

SHOWN_FOR = timedelta(days=14)
"""How long a task in Airflow waits for the answer; then the question is shown anew."""

Decision = Literal["approved", "rejected"]
State = Literal["waiting", "approved", "rejected"]
Evidence = Callable[[Connection, Mapping[str, Any]], object]

_LONG_NUMBER = re.compile(r"[0-9]{15}")  # identity, account and certificate numbers

_ASK = text("""
    INSERT INTO hub.approval (kind, subject, reason, owner)
    VALUES (:kind, :subject, :reason, :owner)
    ON CONFLICT (kind, subject) WHERE state = 'waiting' DO UPDATE SET reason = excluded.reason
    RETURNING approval_id, (xmax = 0) AS is_new
""")
_TELL = text("SELECT pg_notify(:channel, :kind)")
_STATE = text("""
    SELECT state FROM hub.approval WHERE kind = :kind AND subject = :subject
     ORDER BY asked_at DESC, approval_id LIMIT 1
""")
_DECIDE = text("""
    UPDATE hub.approval
       SET state = :decision, decided_at = now(), decided_by = :by, note = :note
     WHERE approval_id = :approval_id AND state = 'waiting'
    RETURNING kind, subject, owner
""")
_ONE = text("SELECT * FROM hub.approval WHERE approval_id = :approval_id")
_LIST = """
    SELECT approval_id, kind, subject, reason, owner, state, asked_at, shown_in, decided_at,
           decided_by, note
      FROM hub.approval WHERE {condition} ORDER BY asked_at, approval_id
"""
_WAITING = text(_LIST.format(condition="state = 'waiting'"))
_LISTED = text(_LIST.format(condition="true"))
_SHOW = text("""
    UPDATE hub.approval SET shown_in = :run_id, shown_at = now()
     WHERE state = 'waiting'
       AND (shown_in IS NULL OR shown_in = :run_id OR shown_at < now() - :shown_for)
    RETURNING approval_id, kind, subject, reason, owner
""")


class ApprovalClosed(ConfigInvalid):
    """There is no such question, or it is decided already; nothing was changed."""

    code = "fatal.approval_closed"


def ask(connection: Connection, kind: str, subject: str, reason: str, *, owner: str) -> UUID:
    """Ask a person; the same question that still waits is not asked twice.

    Args:
        connection: The transaction that the question belongs to; it is told when that commits.
        kind: What is asked, such as mass_delete.
        subject: What it is about: names and ids, never a field's value.
        reason: One sentence for the person who decides, made of names and counts.
        owner: Department whose data it is about.

    Returns:
        The id to decide it by.
    """
    facts = {"kind": kind, "subject": subject, "reason": reason, "owner": owner}
    found = connection.execute(_ASK, facts).one()
    if found.is_new:
        connection.execute(_TELL, {"channel": CHANNEL, "kind": kind})
    approval_id: UUID = found.approval_id
    return approval_id


def state(connection: Connection, kind: str, subject: str) -> State | None:
    """Tell how the newest question of this kind about this subject stands; None if never asked."""
    found: State | None = connection.execute(
        _STATE, {"kind": kind, "subject": subject}
    ).scalar_one_or_none()
    return found


def decide(
    connection: Connection,
    approval_id: UUID,
    decision: Decision,
    *,
    by: str,
    note: str | None,
    evidence: Evidence,
) -> RowMapping:
    """Write the answer down, once.

    Args:
        connection: The transaction of the decision; commit right after.
        approval_id: Which question.
        decision: What was decided.
        by: The deciding person's user name.
        note: Why, in their words, without any person's data.
        evidence: Writes the decision into the log; `tongban.evidence.log.append_approval`.

    Returns:
        kind, subject and owner of the question.

    Raises:
        ApprovalClosed: Unknown or decided already.
        ConfigInvalid: Nobody decides, or the note holds a number that may be a person's.
    """
    if not by.strip():
        raise ConfigInvalid("approval: nobody is named as deciding it; give a user name")
    if note is not None and _LONG_NUMBER.search(note):
        raise ConfigInvalid(
            "approval: the note holds a number of 15 digits or more, which may be a person's; "
            "write the reason without it"
        )
    facts = {"approval_id": approval_id, "decision": decision, "by": by, "note": note}
    found = connection.execute(_DECIDE, facts).mappings().one_or_none()
    if found is None:
        raise ApprovalClosed(_why_closed(connection, approval_id), approval_id=str(approval_id))
    subject = {name: found[name] for name in ("kind", "subject", "owner")}
    evidence(connection, {"approval": str(approval_id), **subject, "decision": decision, "by": by})
    return found


def waiting(connection: Connection) -> list[RowMapping]:
    """All questions that nobody has answered, oldest first."""
    return list(connection.execute(_WAITING).mappings())


def listed(connection: Connection) -> list[RowMapping]:
    """All questions, decided ones too, oldest first."""
    return list(connection.execute(_LISTED).mappings())


def show(connection: Connection, run_id: str) -> list[RowMapping]:
    """Take the questions that no task in Airflow shows yet; `run_id` will show them."""
    facts = {"run_id": run_id, "shown_for": SHOWN_FOR}
    found = connection.execute(_SHOW, facts).mappings()
    return sorted(found, key=lambda row: str(row["approval_id"]))


def _why_closed(connection: Connection, approval_id: UUID) -> str:
    """Say what became of a question that cannot be decided."""
    row = connection.execute(_ONE, {"approval_id": approval_id}).mappings().one_or_none()
    if row is None:
        return f"approval {approval_id} is unknown; `tongban approvals` lists those that wait"
    return f"approval {approval_id} was {row['state']} by {row['decided_by']}; nothing was changed"
