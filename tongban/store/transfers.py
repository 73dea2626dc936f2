"""Transfers: one (system, dataset, window) on its way in, or one push run on its way out.

A transfer is begun, landed and finished, or fails with the code of its error. Its counts are
added up inside the chunks' transactions; the database refuses to finish one that does not balance.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Literal
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, RowMapping, text

from tongban.kernel.errors import Fatal
from tongban.kernel.records import BEIJING, Window
from tongban.store.engine import transaction

_BEGIN = text("""
    INSERT INTO hub.transfer (transfer_id, direction, system, dataset, parent_id, window_since,
                              window_until, contract_version, run_id)
    VALUES (:transfer_id, :direction, :system, :dataset, :parent_id, :since, :until,
            :contract_version, :run_id)
    ON CONFLICT (transfer_id) DO NOTHING
""")
_LANDED = text("""
    UPDATE hub.transfer
       SET state = 'landed', pages = :pages, declared_rows = :declared_rows, landing = :landing,
           landed_at = now(), work_ms = work_ms + :work_ms, error_code = NULL, error_message = NULL
     WHERE transfer_id = :transfer_id AND state <> 'finished'
""")
_FAIL = text("""
    UPDATE hub.transfer
       SET state = :state, error_code = :code, error_message = :message, finished_at = now()
     WHERE transfer_id = :transfer_id AND state <> 'finished'
""")


class TransferClosed(Fatal):
    """The transfer is finished; nothing can be added to it."""

    code = "fatal.transfer_closed"


def begin_transfer(
    engine: Engine,
    system: str,
    dataset: str,
    *,
    direction: Literal["pull", "push"] = "pull",
    window: Window | None = None,
    contract_version: str | None = None,
    parent_id: UUID | None = None,
    run_id: str | None = None,
    transfer_id: UUID | None = None,
) -> UUID:
    """Begin a transfer; with an id that exists already, go on with that one."""
    found = transfer_id or uuid4()
    facts = {
        "transfer_id": found,
        "direction": direction,
        "system": system,
        "dataset": dataset,
        "parent_id": parent_id,
        "since": window.since if window else None,
        "until": window.until if window else None,
        "contract_version": contract_version,
        "run_id": run_id,
    }
    with transaction(engine) as conn:
        conn.execute(_BEGIN, facts)
    return found


def landed(
    engine: Engine,
    transfer_id: UUID,
    *,
    pages: int,
    declared_rows: int | None,
    landing: str,
    work_ms: int = 0,
    evidence: Callable[[Connection], None] | None = None,
) -> None:
    """All pages are in the landing; loading may start, or start again after a failure.

    `evidence` is called last inside the transaction.
    """
    with transaction(engine) as conn:
        conn.execute(
            _LANDED,
            {
                "transfer_id": transfer_id,
                "pages": pages,
                "declared_rows": declared_rows,
                "landing": landing,
                "work_ms": work_ms,
            },
        )
        if evidence is not None:
            evidence(conn)


def fail_transfer(
    engine: Engine,
    transfer_id: UUID,
    *,
    code: str,
    message: str,
    state: Literal["failed", "refused"] = "failed",
    evidence: Callable[[Connection, dict[str, str]], None] | None = None,
) -> None:
    """Note why a transfer did not finish; chunks that were committed stay, and a rerun goes on.

    `evidence` is called last inside the transaction, with the facts but without the message.
    """
    facts = {"transfer_id": transfer_id, "state": state, "code": code, "message": message}
    with transaction(engine) as conn:
        noted = conn.execute(_FAIL, facts).rowcount
        if noted and evidence is not None:
            evidence(conn, {"transfer": str(transfer_id), "state": state, "code": code})


_INTERRUPTED = text("""
    SELECT transfer_id, window_since, window_until
      FROM hub.transfer AS t
     WHERE system = :system AND dataset = :dataset AND direction = 'pull' AND parent_id IS NULL
       AND landed_at IS NULL AND window_until IS NOT NULL
       AND (CAST(:until AS timestamptz) IS NULL
            OR (window_until = :until AND window_since IS NOT DISTINCT FROM :since))
       AND (state = 'pulling' OR (state = 'failed' AND error_code LIKE 'retry.%'))
       AND started_at > now() - :patience
       AND (CAST(:until AS timestamptz) IS NOT NULL OR NOT EXISTS (
                       SELECT 1 FROM hub.transfer AS later
                        WHERE later.system = t.system AND later.dataset = t.dataset
                          AND later.direction = 'pull' AND later.landed_at > t.started_at))
     ORDER BY started_at DESC LIMIT 1
""")
PATIENCE = timedelta(hours=20)
"""How long an interrupted pull is continued; older ones are asked anew, since pages age."""


def interrupted_pull(
    engine: Engine, system: str, dataset: str, *, window: Window | None = None
) -> tuple[UUID, Window] | None:
    """The newest pull that was cut off before all its pages were landed, to go on with.

    With a window only a pull of that very one: a backfill that was cut off goes on as such.
    """
    facts = {
        "system": system,
        "dataset": dataset,
        "patience": PATIENCE,
        "since": window.since if window else None,
        "until": window.until if window else None,
    }
    with transaction(engine) as conn:
        row = conn.execute(_INTERRUPTED, facts).first()
    if row is None:
        return None
    since = row.window_since.astimezone(BEIJING) if row.window_since else None
    return row.transfer_id, Window(since=since, until=row.window_until.astimezone(BEIJING))


_LANDED_BY_RUN = text("""
    SELECT transfer_id
      FROM hub.transfer
     WHERE system = :system AND dataset = :dataset AND direction = 'pull' AND parent_id IS NULL
       AND run_id = :run_id AND state = 'landed'
     ORDER BY landed_at DESC LIMIT 1
""")


def landed_by_run(engine: Engine, system: str, dataset: str, run_id: str) -> UUID | None:
    """What this run has landed already and nobody has loaded or refused yet, or None.

    A worker can be lost after its last page and before it could say so; its next try finds here
    that nothing is left to be asked.
    """
    facts = {"system": system, "dataset": dataset, "run_id": run_id}
    with transaction(engine) as conn:
        found = conn.execute(_LANDED_BY_RUN, facts).scalar_one_or_none()
    return None if found is None else UUID(str(found))


def read_transfer(engine: Engine, transfer_id: UUID) -> RowMapping:
    """All columns of one transfer (NoResultFound when there is none)."""
    with transaction(engine) as conn:
        return (
            conn.execute(
                text("SELECT * FROM hub.transfer WHERE transfer_id = :id"), {"id": transfer_id}
            )
            .mappings()
            .one()
        )


def add_counts(
    conn: Connection, transfer_id: UUID, counts: dict[str, int], *, is_last: bool
) -> None:
    """Add to the counts of an open transfer, and finish it with its last part.

    Args:
        conn: Inside the transaction that the counts are about.
        transfer_id: Which transfer.
        counts: Column name → what to add.
        is_last: Finish it; the database checks the balance.

    Raises:
        TransferClosed: It is finished, or there is no such transfer.
    """
    additions = [f"{name} = {name} + :{name}" for name in counts]
    if is_last:
        additions += ["state = 'finished'", "finished_at = now()"]
        additions += ["error_code = NULL", "error_message = NULL"]
    updated = conn.execute(
        text(
            f"UPDATE hub.transfer SET {', '.join(additions)} "  # noqa: S608 - our own names
            "WHERE transfer_id = :transfer_id AND state <> 'finished'"
        ),
        {**counts, "transfer_id": transfer_id},
    )
    if updated.rowcount != 1:
        raise TransferClosed(
            f"transfer {transfer_id}: it is finished or unknown; begin a new one",
            transfer_id=str(transfer_id),
        )
