"""Reseal: open the envelopes of some keys and seal them under others, chunk by chunk.

A chunk is one transaction: its rows are locked, changed where an old key is named, and the progress
row moves with them. Readers see the old or the new envelope, both open; a writer of one of these
rows waits for some milliseconds. A row whose envelope does not verify stays as it is and is
counted, since to hide a broken envelope would hide who broke it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from tongban.custody import jobs
from tongban.custody.places import Place
from tongban.kernel.errors import DatabaseUnavailable, EnvelopeBroken
from tongban.protect.envelope import ALGORITHM_NAMES, HEADER_LENGTH, header, read_header, unseal
from tongban.protect.keyring import KeyRing, SealingKey
from tongban.store.engine import transaction

CHUNK_ROWS = 1000
TRIES = 5

Kinds = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Which keys give way to which."""

    keys: Mapping[int, SealingKey]

    @property
    def heads(self) -> list[bytes]:
        """First bytes of every envelope that must go."""
        return heads_of(self.keys)


def heads_of(key_ids: Iterable[int]) -> list[bytes]:
    """First bytes of the envelopes of some keys, under every algorithm that we know."""
    return [header(algorithm, key_id) for key_id in key_ids for algorithm in ALGORITHM_NAMES]


def reseal(
    engine: Engine, keyring: KeyRing, job: jobs.Job, places: Sequence[Place], exchange: Exchange
) -> int:
    """Work through the places from where the job stands; gives the rows that stay broken."""
    broken = 0
    with transaction(engine) as conn:
        at, _ = jobs.hold(conn, job)
    names = [place.name for place in places]
    for place in places[names.index(at) if at in names else 0 :]:
        is_done = False
        while not is_done:
            is_done, bad = _patiently(engine, keyring, job, place, exchange)
            broken += bad
    return broken


def count(conn: Connection, places: Sequence[Place], key_ids: Iterable[int]) -> dict[str, int]:
    """Envelopes that name one of these keys, by place."""
    heads = heads_of(key_ids)
    return {
        place.name: int(
            conn.execute(
                text(
                    f"SELECT {_sum_of(place)} FROM {place.table} t WHERE {place.condition}"  # noqa: S608 - names from the catalogue
                ),
                {"heads": heads, "dataset": place.dataset},
            ).scalar_one()
        )
        for place in places
    }


def count_keys(conn: Connection, places: Sequence[Place]) -> dict[tuple[int, int], int]:
    """Envelopes by algorithm and key id, over all places of a scope."""
    found: dict[tuple[int, int], int] = {}
    for place in places:
        for column in place.columns:
            statement = (
                f'SELECT substr(t."{column}", 1, {HEADER_LENGTH}) AS head, count(*) AS n '  # noqa: S608 - names from the catalogue
                f'FROM {place.table} t WHERE t."{column}" IS NOT NULL AND {place.condition} '
                "GROUP BY 1"
            )
            for head, rows in conn.execute(text(statement), {"dataset": place.dataset}):
                if len(head) == HEADER_LENGTH:
                    key = head[0], int.from_bytes(head[1:], "big")
                    found[key] = found.get(key, 0) + int(rows)
    return found


def _sum_of(place: Place) -> str:
    """How many of a row's envelopes name one of `:heads`, summed."""
    parts = [
        f'count(*) FILTER (WHERE substr(t."{column}", 1, {HEADER_LENGTH}) = ANY(:heads))'
        for column in place.columns
    ]
    return " + ".join(parts)


def _patiently(
    engine: Engine, keyring: KeyRing, job: jobs.Job, place: Place, exchange: Exchange
) -> tuple[bool, int]:
    """One chunk, again when we lost a race against a writer."""
    for _ in range(TRIES - 1):
        try:
            with transaction(engine) as conn:
                return _chunk(conn, keyring, job, place, exchange)
        except DatabaseUnavailable as exc:
            if exc.context.get("sqlstate") is None:
                raise
    with transaction(engine) as conn:
        return _chunk(conn, keyring, job, place, exchange)


def _chunk(
    conn: Connection, keyring: KeyRing, job: jobs.Job, place: Place, exchange: Exchange
) -> tuple[bool, int]:
    """One chunk: whether it was the place's last, and how many rows are broken."""
    at, after = jobs.hold(conn, job)
    if at != place.name:
        after = None
    rows = conn.execute(text(_select(place, after)), _facts(place, exchange, after)).all()
    broken = _write(conn, keyring, place, rows, exchange) if rows else 0
    last = [str(rows[-1]._mapping[name]) for name, _ in place.key] if rows else after  # noqa: SLF001 - SQLAlchemy's public name
    jobs.move(conn, job, place.name, last, len(rows) - broken)
    return len(rows) < CHUNK_ROWS, broken


def _select(place: Place, after: Sequence[str] | None) -> str:
    """Rows with an old envelope behind the last one, locked in the order in which loads lock."""
    key = ", ".join(f't."{name}"' for name, _ in place.key)
    bound = ", ".join(f"CAST(:k{i} AS {kind})" for i, (_, kind) in enumerate(place.key))
    behind = f"AND ({key}) > ({bound})" if after is not None else ""
    old = " OR ".join(
        f'substr(t."{column}", 1, {HEADER_LENGTH}) = ANY(:heads)' for column in place.columns
    )
    return (
        f"SELECT {place.selected} FROM {place.table} t "  # noqa: S608 - names from the catalogue
        f"WHERE {place.condition} AND ({old}) {behind} "
        f"ORDER BY {key} LIMIT {CHUNK_ROWS} FOR UPDATE OF t"
    )


def _facts(place: Place, exchange: Exchange, after: Sequence[str] | None) -> dict[str, Any]:
    keys = {f"k{i}": value for i, value in enumerate(after or ())}
    return {"heads": exchange.heads, "dataset": place.dataset, **keys}


def _write(
    conn: Connection,
    keyring: KeyRing,
    place: Place,
    rows: Sequence[Row[Any]],
    exchange: Exchange,
) -> int:
    """New envelopes for the rows; gives how many rows stay as they are."""
    changed: list[list[bytes | None]] = []
    kept: list[Row[Any]] = []
    broken = 0
    for row in rows:
        try:
            changed.append([_exchanged(keyring, place, row, c, exchange) for c in place.columns])
        except EnvelopeBroken:
            broken += 1
        else:
            kept.append(row)
    if not kept:
        return broken
    facts: dict[str, Any] = {
        f"k{i}": [row._mapping[name] for row in kept]  # noqa: SLF001 - SQLAlchemy's public name
        for i, (name, _) in enumerate(place.key)
    }
    facts |= {f"c{i}": [row[i] for row in changed] for i in range(len(place.columns))}
    conn.execute(text(_update(place)), facts)
    return broken


def _exchanged(
    keyring: KeyRing, place: Place, row: Row[Any], column: str, exchange: Exchange
) -> bytes | None:
    """The envelope under its new key; one that names another key stays as it is."""
    envelope: bytes | None = row._mapping[column]  # noqa: SLF001 - SQLAlchemy's public name
    if envelope is None or len(envelope) < HEADER_LENGTH:
        return envelope
    algorithm, key_id = read_header(envelope, place.name)
    key = exchange.keys.get(key_id)
    if key is None:
        return envelope
    context = place.context(row, column)
    plain = unseal(keyring.cipher(algorithm, key_id), envelope, context, place.name)
    return keyring.seal_bytes(key, context, plain)


def _update(place: Place) -> str:
    """Put the new envelopes in their rows, which are locked."""
    sets = ", ".join(f'"{column}" = n.c{i}' for i, column in enumerate(place.columns))
    arrays = [f"CAST(:k{i} AS {kind}[])" for i, (_, kind) in enumerate(place.key)]
    arrays += [f"CAST(:c{i} AS bytea[])" for i in range(len(place.columns))]
    names = [f"k{i}" for i in range(len(place.key))]
    names += [f"c{i}" for i in range(len(place.columns))]
    same = " AND ".join(f't."{name}" = n.k{i}' for i, (name, _) in enumerate(place.key))
    return (
        f"UPDATE {place.table} t SET {sets} "  # noqa: S608 - names from the catalogue
        f"FROM unnest({', '.join(arrays)}) AS n({', '.join(names)}) WHERE {same}"
    )
