"""Corrections: rows that come back in a file, checked by the contract and applied in order, once.

Only a row that an open quarantine row asks for is taken: the file is no back door. A correction
that was applied before is passed over, whatever came in between, so that the same files in any
order and number end in the same state (A, B, A changes nothing). What is accepted closes the
quarantine row that asked for it; what the contract refuses again changes nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import polars as pl
from sqlalchemy import text

from tongban.evidence import transfers
from tongban.evidence.log import append_fact
from tongban.hub import Hub
from tongban.kernel.contracts import Contract
from tongban.kernel.errors import ConfigInvalid
from tongban.protect import open_quarantine
from tongban.protect.digest import record_ids
from tongban.protect.index import keyed_digest
from tongban.rectify.sheets import ROW_COLUMN, OpenRow, is_masked, readable
from tongban.rectify.typed import TypedRows, typed
from tongban.rows import Chunk, rows_chunk
from tongban.store.engine import transaction
from tongban.store.leases import release_lease, take_lease
from tongban.validate import compile_contract
from tongban.writing import write_chunks

KIND = "correction"

_ASKED = text("""
    SELECT q.quarantine_id, q.key_index, q.has_key, q.state, q.row_sealed, q.findings
      FROM hub.quarantine q
     WHERE q.system = :system AND q.dataset = :dataset
       AND q.quarantine_id = ANY(CAST(:ids AS bigint[]))
""")
_OPEN_ROWS = text("""
    SELECT q.quarantine_id, q.key_index, q.has_key, q.state, q.row_sealed, q.findings
      FROM hub.quarantine q
     WHERE q.system = :system AND q.dataset = :dataset AND q.state = 'open'
       AND (CAST(:notice_no AS text) IS NULL OR EXISTS (
            SELECT FROM hub.notice_row n
             WHERE n.quarantine_id = q.quarantine_id AND n.notice_no = :notice_no))
     ORDER BY q.quarantine_id
""")
_APPLIED = text("""
    SELECT record_id, content FROM hub.correction_applied
     WHERE dataset = :dataset AND record_id = ANY(CAST(:record_ids AS uuid[]))
""")
_NOTE = text("""
    INSERT INTO hub.correction_applied (dataset, record_id, content, quarantine_id, transfer_id)
    VALUES (:dataset, :record_id, :content, :quarantine_id, :transfer_id)
    ON CONFLICT DO NOTHING
""")
_CLOSE = text("""
    UPDATE hub.quarantine SET state = 'resolved', closed_at = now(), closed_by = :transfer_id
     WHERE quarantine_id = :quarantine_id AND state = 'open'
""")


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a file's rows.

    Attributes:
        applied: Accepted and stored.
        again: Applied before; passed over.
        refused: The contract refuses them still.
        unasked: No open quarantine row asks for them.
        closed: Quarantine rows that they closed.
    """

    rows: int
    applied: int
    again: int
    refused: int
    unasked: int
    closed: int
    transfer_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the file that is asked for.

    Attributes:
        at: Its place among the typed rows.
        content: Keyed digest of everything that it says.
    """

    at: int
    quarantine_id: int
    is_open: bool
    record_id: bytes
    content: bytes


def opened_rows(
    hub: Hub, system: str, dataset: str, *, notice_no: str | None = None
) -> list[OpenRow]:
    """The open rows of a department's dataset, or of one notice, readable."""
    facts = {"system": system, "dataset": dataset, "notice_no": notice_no}
    with transaction(hub.engine) as conn:
        rows = conn.execute(_OPEN_ROWS, facts).mappings().all()
    return [_opened(hub, system, dataset, dict(row)) for row in rows]


def apply_corrections(
    hub: Hub, system: str, dataset: str, rows: Sequence[Mapping[str, str | None]], *, by: str
) -> Applied:
    """Check corrected rows and store those that the contract accepts.

    Args:
        hub: An open hub.
        system: Department that corrected them.
        dataset: Whose rows they are.
        rows: From `read_rows`, in the file's order.
        by: Who brings the file.

    Raises:
        ConfigInvalid: Nobody is named, or the system does not provide the dataset.
        LeaseHeld: A load of the dataset is running; try again.
    """
    if not by.strip():
        raise ConfigInvalid("correction: nobody is named as bringing the file; give a user name")
    hub.catalog.pull_route(dataset, system)
    contract = hub.catalog.contract(dataset)
    asked = _asked_for(hub, system, dataset, rows)
    filled = [
        (_number(row), _unmasked(contract, row, asked[_number(row)][1]))
        for row in rows
        if _number(row) in asked
    ]
    told = typed([values for _, values in filled], contract, hub.catalog.codes)
    lines = _lines(hub, contract, told, filled, asked)
    taken, again = _not_applied(hub, dataset, lines)
    unasked = len(rows) - len(taken) - again
    if not taken:
        return Applied(len(rows), 0, again, 0, unasked, 0)
    chunks, good = _chunks(hub, contract, told, taken)
    if not good:
        return Applied(len(rows), 0, again, len(taken), unasked, 0)
    transfer_id = _write(hub, system, contract, chunks)
    closed = _close(hub, dataset, good, transfer_id, by)
    refused = len(taken) - len(good)
    return Applied(len(rows), len(good), again, refused, unasked, closed, str(transfer_id))


def _number(row: Mapping[str, str | None]) -> int:
    """The quarantine row that a line is about; 0 for none."""
    told = (row.get(ROW_COLUMN) or "").strip()
    return int(told) if told.isascii() and told.isdigit() and len(told) < 19 else 0  # noqa: PLR2004 - 64 bit


def _asked_for(
    hub: Hub, system: str, dataset: str, rows: Sequence[Mapping[str, str | None]]
) -> dict[int, tuple[Mapping[str, Any], OpenRow]]:
    """The quarantine rows that the file names, opened; closed ones too, for what is applied."""
    ids = sorted({_number(row) for row in rows} - {0})
    facts = {"system": system, "dataset": dataset, "ids": ids}
    with transaction(hub.engine) as conn:
        found = conn.execute(_ASKED, facts).mappings().all()
    return {
        int(row["quarantine_id"]): (dict(row), _opened(hub, system, dataset, dict(row)))
        for row in found
    }


def _opened(hub: Hub, system: str, dataset: str, row: Mapping[str, Any]) -> OpenRow:
    """One row as far as it could be read, with the source's own text where it could not."""
    contract = hub.catalog.contract(dataset)
    key = row["key_index"].bytes
    both = open_quarantine(hub.keyring, dataset, key, bytes(row["row_sealed"]))
    record, given = both.get("record", {}), both.get("given", {})
    made = hub.catalog.mapping(system, dataset).fields
    values: dict[str, str | None] = {}
    for item in contract.fields:
        value = readable(item, record.get(item.name))
        if value is None and item.name in made:
            texts = (given.get(source) for source in made[item.name].sources)
            value = next((told for told in texts if told), None)
        values[item.name] = value
    rules = tuple(str(finding["rule"]) for finding in row["findings"])
    return OpenRow(int(row["quarantine_id"]), values, rules)


def _unmasked(
    contract: Contract, row: Mapping[str, str | None], original: OpenRow
) -> dict[str, str | None]:
    """The line with what was masked for its reader put back."""
    filled: dict[str, str | None] = {}
    for item in contract.fields:
        told, before = row.get(item.name), original.values.get(item.name)
        filled[item.name] = before if is_masked(item, told, before) else told
    return filled


def _lines(
    hub: Hub,
    contract: Contract,
    told: TypedRows,
    filled: Sequence[tuple[int, Mapping[str, str | None]]],
    asked: Mapping[int, tuple[Mapping[str, Any], OpenRow]],
) -> list[_Line]:
    """Lines that are about the record that was asked for.

    Another key is only right where the key itself was what had to be corrected.
    """
    digest = keyed_digest(hub.keyring.derived(f"correction:{contract.dataset}"))
    found = []
    ids = record_ids(hub.keyring, contract, told.frame) if filled else []
    for at, ((number, values), record_id) in enumerate(zip(filled, ids, strict=True)):
        row = asked[number][0]
        fields = {finding.get("field") for finding in row["findings"]}
        is_the_key = not row["has_key"] or not fields.isdisjoint(contract.key)
        if record_id == row["key_index"].bytes or is_the_key:
            content = digest(json.dumps(values, sort_keys=True, ensure_ascii=False).encode())
            found.append(_Line(at, number, row["state"] == "open", record_id, content))
    return found


def _not_applied(hub: Hub, dataset: str, lines: Sequence[_Line]) -> tuple[list[_Line], int]:
    """Lines to apply, and how many were applied before.

    A closed row takes a further correction only where a correction has closed it.
    """
    facts = {"dataset": dataset, "record_ids": [UUID(bytes=line.record_id) for line in lines]}
    applied: dict[bytes, set[bytes]] = {}
    with transaction(hub.engine) as conn:
        for record_id, content in conn.execute(_APPLIED, facts):
            applied.setdefault(record_id.bytes, set()).add(bytes(content))
    taken, again = [], 0
    for line in lines:
        before = applied.get(line.record_id, set())
        if line.content in before:
            again += 1
        elif line.is_open or before:
            taken.append(line)
            applied.setdefault(line.record_id, set()).add(line.content)
    return taken, again


def _write(hub: Hub, system: str, contract: Contract, chunks: Sequence[Chunk]) -> UUID:
    """Store them as one transfer of the department."""
    transfer_id = transfers.begin_transfer(
        hub.engine, system, contract.dataset, contract_version=contract.version, run_id=KIND
    )
    lease = take_lease(hub.engine, system, contract.dataset, holder=f"correction {transfer_id}")
    try:
        write_chunks(hub, chunks, contract, transfer_id, lease)
    finally:
        release_lease(hub.engine, lease)
    return transfer_id


def _chunks(
    hub: Hub, contract: Contract, told: TypedRows, taken: Sequence[_Line]
) -> tuple[list[Chunk], list[_Line]]:
    """Rounds: the n-th line of every record is in the n-th chunk.

    A refused line is left out: its quarantine row stays open as it is, number and notice too.
    """
    rounds: list[list[_Line]] = []
    turn: Counter[bytes] = Counter()
    for line in taken:
        if turn[line.record_id] == len(rounds):
            rounds.append([])
        rounds[turn[line.record_id]].append(line)
        turn[line.record_id] += 1
    plan = compile_contract(contract, hub.catalog.codes)
    chunks, good = [], []
    for number, part in enumerate(rounds, start=1):
        rows = told.take([line.at for line in part])
        chunk = rows_chunk(
            rows.frame,
            contract,
            plan,
            hub.keyring,
            lost=(rows.failures, rows.code_failures),
            place=(number, number == len(rounds)),
            limit=False,
        )
        complete = rows.frame.select(
            pl.all_horizontal(pl.col(name).is_not_null() for name in contract.key)
        ).to_series()
        refused = set() if chunk.quarantine is None else set(chunk.quarantine["key_index"])
        kept = [
            line
            for line, has_key in zip(part, complete, strict=True)
            if has_key and line.record_id.hex() not in refused
        ]
        warnings = {key: rows for key, rows in chunk.findings.items() if key[1] == "warning"}
        chunks.append(replace(chunk, quarantine=None, read=len(kept), findings=warnings))
        good += kept
    return chunks, good


def _close(hub: Hub, dataset: str, good: Sequence[_Line], transfer_id: UUID, by: str) -> int:
    """Remember what was applied and close what asked for it; gives how many were asked for."""
    with transaction(hub.engine) as conn:
        for line in good:
            facts = {"quarantine_id": line.quarantine_id, "transfer_id": transfer_id}
            record = {"dataset": dataset, "record_id": UUID(bytes=line.record_id)}
            conn.execute(_NOTE, {**facts, **record, "content": line.content})
            conn.execute(_CLOSE, facts)
        subject = {"transfer": str(transfer_id), "dataset": dataset, "rows": len(good), "by": by}
        append_fact(conn, KIND, subject)
    return len({line.quarantine_id for line in good if line.is_open})
