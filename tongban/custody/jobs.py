"""Jobs: one row per rotation or shredding, from which a killed one goes on.

At most one job runs per scope. Every chunk locks its row first, so that two processes that work on
the same job take turns and never do one chunk twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from tongban.kernel.errors import RetryLater
from tongban.store.engine import transaction

Document = dict[str, Any]

_FIND = text("SELECT * FROM hub.key_job WHERE scope = :scope AND state = 'running'")
_RUNNING = text("SELECT * FROM hub.key_job WHERE state = 'running' ORDER BY started_at")
_BEGIN = text("""
    INSERT INTO hub.key_job (kind, scope, plan)
    VALUES (:kind, :scope, CAST(:plan AS jsonb)) ON CONFLICT DO NOTHING
""")
_HOLD = text("SELECT place, after_key FROM hub.key_job WHERE job_id = :job_id FOR UPDATE")
_MOVE = text("""
    UPDATE hub.key_job
       SET place = :place, after_key = CAST(:after AS jsonb), rows = rows + :rows,
           moved_at = clock_timestamp()
     WHERE job_id = :job_id
""")
_RESULT = text("SELECT result FROM hub.key_job WHERE job_id = :job_id")
_CERTIFICATES = text("""
    SELECT result FROM hub.key_job WHERE kind = 'shred' AND state = 'finished' ORDER BY finished_at
""")
_ROWS = text("SELECT rows FROM hub.key_job WHERE job_id = :job_id")
_FINISH = text("""
    UPDATE hub.key_job
       SET state = 'finished', finished_at = clock_timestamp(), result = CAST(:result AS jsonb)
     WHERE job_id = :job_id AND state = 'running'
""")


class KeyJobRunning(RetryLater):
    """Another kind of job on the keys of this scope is not finished."""

    code = "retry.key_job_running"


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it was begun."""

    job_id: UUID
    kind: str
    scope: str
    plan: Document


def begin(engine: Engine, kind: str, scope: str, plan: Callable[[], Document]) -> Job:
    """The running job of a scope, or a new one with this plan.

    Raises:
        KeyJobRunning: A job of the other kind runs.
    """
    with transaction(engine) as conn:
        found = conn.execute(_FIND, {"scope": scope}).one_or_none()
        if found is None:
            facts = {"kind": kind, "scope": scope, "plan": json.dumps(plan())}
            conn.execute(_BEGIN, facts)
            found = conn.execute(_FIND, {"scope": scope}).one()
    if found.kind != kind:
        raise KeyJobRunning(
            f"keys of {scope}: a job ({found.kind}) of {found.started_at:%Y-%m-%d %H:%M} is not "
            f"finished; let `tongban keys {found.kind}` finish it first",
            scope=scope,
            kind=found.kind,
        )
    return Job(found.job_id, found.kind, found.scope, found.plan)


def hold(conn: Connection, job: Job) -> tuple[str | None, list[str] | None]:
    """Lock the job's row for a chunk: place and last key, None before the first."""
    row = conn.execute(_HOLD, {"job_id": job.job_id}).one()
    return row.place, row.after_key


def move(conn: Connection, job: Job, place: str, after: Sequence[str] | None, rows: int) -> None:
    """Note how far the job is, in the transaction of the chunk itself."""
    facts = {"job_id": job.job_id, "place": place, "rows": rows}
    conn.execute(_MOVE, {**facts, "after": None if after is None else json.dumps(list(after))})


def finish(conn: Connection, job: Job, result: Mapping[str, Any]) -> bool:
    """Finish the job; False when another process did it meanwhile."""
    facts = {"job_id": job.job_id, "result": json.dumps(result, ensure_ascii=False)}
    return conn.execute(_FINISH, facts).rowcount == 1


def rows_of(conn: Connection, job: Job) -> int:
    """Rows that the job has changed until now, in all its runs."""
    found: int = conn.execute(_ROWS, {"job_id": job.job_id}).scalar_one()
    return found


def result_of(conn: Connection, job: Job) -> Document:
    """The result of a finished job."""
    found: Document = conn.execute(_RESULT, {"job_id": job.job_id}).scalar_one()
    return found


def shreddings(conn: Connection) -> list[Document]:
    """Certificates of all shreddings, oldest first."""
    return [dict(found) for found in conn.execute(_CERTIFICATES).scalars()]


def running(conn: Connection) -> list[Document]:
    """Jobs that are not finished, with how far they are."""
    return [
        {
            "kind": row.kind,
            "scope": row.scope,
            "place": row.place,
            "rows": row.rows,
            "started_at": row.started_at.isoformat(timespec="seconds"),
            "moved_at": row.moved_at.isoformat(timespec="seconds"),
        }
        for row in conn.execute(_RUNNING)
    ]
