"""Husks: rows whose body is gone. Id, version, digest and times stay, so that proofs still verify.

Used by shredding (rows under a destroyed key) and by retention (versions that were replaced long
ago). Chunk by chunk, each a transaction of its own: what is done stays done.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, text

from tongban.custody.places import Place
from tongban.protect.envelope import HEADER_LENGTH
from tongban.store.engine import transaction

CHUNK_ROWS = 2000
_KEPT = frozenset({
    "record_id", "version", "row_digest", "transfer_id", "stored_at", "confirmed_at", "changed_at",
    "replaced_at",
})  # fmt: skip
_COLUMNS = text("""
    SELECT column_name FROM information_schema.columns
     WHERE table_schema = :schema AND table_name = :name ORDER BY ordinal_position
""")


def husk_history(engine: Engine, place: Place, heads: Sequence[bytes]) -> int:
    """Take the bodies of history rows whose envelopes begin so; gives their number."""
    return _husk(engine, place, _named(place), {"heads": list(heads)})


def husk_replaced(engine: Engine, place: Place, days: int) -> int:
    """Take the bodies of versions that were replaced more than so many days ago."""
    condition = "t.replaced_at < now() - make_interval(days => :days)"
    return _husk(engine, place, condition, {"days": days})


def husk_records(engine: Engine, place: Place, heads: Sequence[bytes]) -> int:
    """Current records become husks in the history; a newer row of the source brings one back.

    They leave no outbox row: the targets' copies are not ours to delete here.
    """
    total = 0
    while True:
        with transaction(engine) as conn:
            done = _bury(conn, place, list(heads))
        total += done
        if done == 0:
            return total


def _husk(engine: Engine, place: Place, condition: str, facts: dict[str, object]) -> int:
    total = 0
    with transaction(engine) as conn:
        body = [name for name in _columns(conn, place) if name not in _KEPT]
    nulls = ", ".join(f'"{name}" = NULL' for name in body)
    is_body = " OR ".join(f't."{name}" IS NOT NULL' for name in body)
    statement = text(
        f"WITH due AS (SELECT record_id, version FROM {place.table} t "  # noqa: S608 - names from the catalogue
        f"WHERE ({condition}) AND ({is_body}) ORDER BY 1, 2 LIMIT {CHUNK_ROWS} FOR UPDATE) "
        f"UPDATE {place.table} t SET {nulls} FROM due "
        "WHERE t.record_id = due.record_id AND t.version = due.version"
    )
    while True:
        with transaction(engine) as conn:
            done = conn.execute(statement, facts).rowcount
        total += done
        if done < CHUNK_ROWS:
            return total


def _bury(conn: Connection, place: Place, heads: list[bytes]) -> int:
    """One chunk of `husk_records`."""
    history = place.table.removesuffix('"') + '_history"'
    kept = [name for name in _columns(conn, place) if name in _KEPT]
    columns = ", ".join(f'"{name}"' for name in kept)
    conn.execute(text("DROP TABLE IF EXISTS key_gone"))
    conn.execute(
        text(
            "CREATE TEMPORARY TABLE key_gone ON COMMIT DROP AS "  # noqa: S608 - names from the catalogue
            f"SELECT record_id, version, changed_at, transfer_id FROM {place.table} t "
            f"WHERE {_named(place)} ORDER BY record_id LIMIT {CHUNK_ROWS} FOR UPDATE"
        ),
        {"heads": heads},
    )
    of_gone = f"FROM {place.table} t JOIN key_gone g USING (record_id)"
    picked = ", ".join(f't."{name}"' for name in kept)
    conn.execute(
        text(f"INSERT INTO {history} ({columns}, replaced_at) SELECT {picked}, now() {of_gone}")  # noqa: S608 - names from the catalogue
    )
    conn.execute(
        text("""
            INSERT INTO hub.tombstone (dataset, record_id, version, changed_at, transfer_id)
            SELECT :dataset, record_id, version + 1, changed_at, transfer_id FROM key_gone
            ON CONFLICT DO NOTHING
        """),
        {"dataset": place.dataset},
    )
    conn.execute(
        text("""
            UPDATE hub.outbox o SET state = 'superseded', closed_at = now() FROM key_gone g
             WHERE o.dataset = :dataset AND o.record_id = g.record_id
               AND o.state IN ('queued', 'sent', 'waiting_parent', 'parked')
        """),
        {"dataset": place.dataset},
    )
    statement = f"DELETE FROM {place.table} t USING key_gone g WHERE t.record_id = g.record_id"  # noqa: S608 - names from the catalogue
    return conn.execute(text(statement)).rowcount


def _named(place: Place) -> str:
    """Rows of which an envelope begins with one of `:heads`."""
    return " OR ".join(
        f'substr(t."{column}", 1, {HEADER_LENGTH}) = ANY(:heads)' for column in place.columns
    )


def _columns(conn: Connection, place: Place) -> list[str]:
    """Every column of the place's table."""
    schema, _, name = place.name.partition(".")
    found = conn.execute(_COLUMNS, {"schema": schema, "name": name}).scalars()
    return [str(column) for column in found]
