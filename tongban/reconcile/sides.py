"""Sides: what we believe delivered and what the target lists, as two tables of one transaction.

Both sides get the same columns and the same order-free digest: SHA-256 per record over key,
version and keyed content digest, its first 128 bits combined by XOR. Records that are on their way
while the target answers are left out of ours, since either answer would be right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import polars as pl
from sqlalchemy import Connection, text

from tongban.rows import ahead
from tongban.store.copy import copy_frame

UUID_TEXT = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
SHA_256 = r"^[0-9a-fA-F]{64}$"
WORK_MEM = "256MB"  # of one session, once a day: sorts and hashes of a million keys stay in memory

_SETTINGS = text(f"SET LOCAL work_mem = '{WORK_MEM}'")
_OURS = text("""
    CREATE TEMPORARY TABLE statement_ours (
        record_id uuid, version bigint, digest bytea, is_live boolean, is_moving boolean,
        receipt_no text, delivered_at timestamptz, transfer_id uuid
    ) ON COMMIT DROP
""")
_THEIRS = text("""
    CREATE TEMPORARY TABLE statement_theirs (
        record_id uuid, version bigint, digest bytea, receipt_no text
    ) ON COMMIT DROP
""")
# Most records have one acknowledged version and nothing else to say; only the others are sorted.
_OTHERS = text("""
    CREATE TEMPORARY TABLE statement_other ON COMMIT DROP AS
    SELECT DISTINCT o.record_id FROM hub.outbox o
     WHERE o.target = :target AND o.dataset = :dataset
       AND (o.version > 1 OR o.state NOT IN ('accepted', 'duplicate')
            OR coalesce(o.op, 'D') = 'D' OR coalesce(o.sent_at >= :asked_at, true))
""")
_ON_THAT_DAY = """
    (CAST(:day AS date) IS NULL
     OR (sent_at AT TIME ZONE 'Asia/Shanghai')::date = CAST(:day AS date))
"""
_FILL_PLAIN = text(f"""
    INSERT INTO statement_ours
    SELECT o.record_id, o.version, o.digest, true, false, o.receipt_no, o.sent_at, o.transfer_id
      FROM hub.outbox o
     WHERE o.target = :target AND o.dataset = :dataset AND o.version = 1
       AND o.state IN ('accepted', 'duplicate')
       AND NOT EXISTS (SELECT FROM statement_other x WHERE x.record_id = o.record_id)
       AND {_ON_THAT_DAY}
""")  # noqa: S608 - our own names
# The newest acknowledged version of each record; a version that may be on its way makes it move.
_FILL_OTHERS = text(f"""
    INSERT INTO statement_ours
    SELECT record_id, version, digest, NOT is_deletion,
           is_touched OR coalesce(maybe > coalesce(told, 0), false), receipt_no, sent_at,
           transfer_id
      FROM (SELECT DISTINCT ON (o.record_id) o.record_id, o.version, o.digest,
                   o.receipt_no, o.sent_at, o.transfer_id,
                   coalesce(o.op = 'D', EXISTS (
                       SELECT FROM hub.tombstone d WHERE d.dataset = o.dataset
                          AND d.record_id = o.record_id AND d.version = o.version)) AS is_deletion,
                   bool_or(o.sent_at >= :asked_at) OVER every AS is_touched,
                   max(o.version) FILTER (WHERE o.state IN ('accepted', 'duplicate'))
                       OVER every AS told,
                   max(o.version) FILTER (WHERE o.sent_at IS NOT NULL AND o.code IS NULL
                                            AND o.state NOT IN ('accepted', 'duplicate'))
                       OVER every AS maybe
              FROM statement_other x JOIN hub.outbox o USING (record_id)
             WHERE o.target = :target AND o.dataset = :dataset
            WINDOW every AS (PARTITION BY o.record_id)
             ORDER BY o.record_id, (o.state IN ('accepted', 'duplicate')) DESC, o.version DESC) n
     WHERE (told IS NOT NULL OR maybe IS NOT NULL OR is_touched)
       AND {_ON_THAT_DAY}
""")  # noqa: S608 - our own names
_ANALYZE_OTHERS = text("ANALYZE statement_other")
_ANALYZE = text("ANALYZE statement_ours; ANALYZE statement_theirs")
_MARK = (
    "('x' || encode(substr(sha256(uuid_send({t}.record_id) || int8send({t}.version)"
    " || coalesce({t}.digest, '')), 1, 16), 'hex'))::bit(128)"
)
_BUCKET = "get_byte(uuid_send({t}.record_id), 0)"  # 256 ranges of keys
_SUMMED = f"""
    CREATE TEMPORARY TABLE statement_bucket ON COMMIT DROP AS
    SELECT coalesce(a.bucket, b.bucket) AS bucket, coalesce(a.rows, 0) AS ours_rows,
           coalesce(b.rows, 0) AS theirs_rows, a.mark AS ours_mark, b.mark AS theirs_mark
      FROM (SELECT {_BUCKET.format(t="o")} AS bucket, count(*) AS rows,
                   bit_xor({_MARK.format(t="o")}) AS mark
              FROM statement_ours o WHERE o.is_live AND NOT o.is_moving GROUP BY 1) a
      FULL JOIN (SELECT {_BUCKET.format(t="s")} AS bucket, count(*) AS rows,
                        bit_xor({_MARK.format(t="s")}) AS mark
                   FROM statement_theirs s GROUP BY 1) b USING (bucket)
"""  # noqa: S608 - our own names
_DROP_MOVING = text("""
    DELETE FROM statement_theirs s USING statement_ours o
     WHERE o.is_moving AND o.record_id = s.record_id
""")
_KEEP_OURS = text("""
    DELETE FROM statement_theirs s
     WHERE NOT EXISTS (SELECT FROM statement_ours o
                        WHERE o.record_id = s.record_id AND NOT o.is_moving)
""")
_TOTALS = text("""
    SELECT coalesce(sum(ours_rows), 0)::bigint, coalesce(sum(theirs_rows), 0)::bigint,
           encode(varbit_send(coalesce(bit_xor(ours_mark), 0::bit(128))), 'hex'),
           encode(varbit_send(coalesce(bit_xor(theirs_mark), 0::bit(128))), 'hex'),
           count(*) FILTER (WHERE ours_rows <> theirs_rows
                               OR ours_mark IS DISTINCT FROM theirs_mark)
      FROM statement_bucket
""")
_COUNTED = text("""
    SELECT count(*) FILTER (WHERE is_live AND NOT is_moving), count(*) FILTER (WHERE is_moving)
      FROM statement_ours
""")
_NOW = text("SELECT clock_timestamp()")


class Keyed(Protocol):
    """The part of protection that a comparison needs; `tongban.protect.Vault` is one."""

    def keyed_all(self, digests: list[str | None]) -> list[bytes | None]:
        """Digests, lower hex, as they are stored."""
        ...


@dataclass(frozen=True, slots=True)
class Sums:
    """Both sides added up; equal digests mean equal records.

    Attributes:
        ours_digest, theirs_digest: 16 bytes, independent of any order.
        ranges: Ranges of keys, of 256, in which both sides differ.
    """

    ours_rows: int
    theirs_rows: int
    ours_digest: bytes
    theirs_digest: bytes
    ranges: int
    moving: int


def moment_of(conn: Connection) -> datetime:
    """The database's clock; ask it before the target is asked."""
    now: datetime = conn.execute(_NOW).scalar_one()
    return now


def fill_ours(
    conn: Connection, target: str, dataset: str, asked_at: datetime, day: date | None
) -> None:
    """Gather the newest acknowledged version of every record into `statement_ours`."""
    conn.execute(_SETTINGS)
    conn.execute(_OURS)
    facts = {"target": target, "dataset": dataset, "asked_at": asked_at, "day": day}
    conn.execute(_OTHERS, facts)
    conn.execute(_ANALYZE_OTHERS)
    conn.execute(_FILL_PLAIN, facts)
    conn.execute(_FILL_OTHERS, facts)


def fill_theirs(conn: Connection, pages: Iterable[pl.DataFrame], keyed: Keyed) -> int:
    """Copy the target's list into `statement_theirs`; gives how many keys cannot be ours.

    Keys of a foreign form are counted and forgotten: they may be a person's number.
    """
    conn.execute(_THEIRS)
    foreign = 0
    for page in ahead(pages):
        own = page.filter(pl.col("guid").str.contains(UUID_TEXT))
        foreign += page.height - own.height
        digests = own.select(
            pl.when(pl.col("digest").str.contains(SHA_256)).then(pl.col("digest"))
        ).to_series()
        frame = pl.DataFrame(
            {
                "record_id": own["guid"],
                "version": own["version"],
                "digest": pl.Series(keyed.keyed_all(digests.to_list()), dtype=pl.Binary),
                "receipt_no": own["receipt_no"],
            }
        )
        copy_frame(conn, "statement_theirs", frame)
    return foreign


def count_ours(conn: Connection) -> tuple[int, int]:
    """Live records of ours that stand still, and those that are on their way."""
    still, moving = conn.execute(_COUNTED).one()
    return int(still), int(moving)


def add_up(conn: Connection, *, is_part: bool) -> Sums:
    """Count and digest both sides by ranges of keys, into `statement_bucket`.

    Args:
        conn: Where both tables are filled.
        is_part: Ours are only a part (one day's) of what the target lists: of theirs, count only
            the records that ours has.
    """
    conn.execute(_ANALYZE)
    if is_part:
        conn.execute(_KEEP_OURS)
    else:
        conn.execute(_DROP_MOVING)
    conn.execute(text(_SUMMED))
    ours, theirs, our_mark, their_mark, ranges = conn.execute(_TOTALS).one()
    _, moving = count_ours(conn)
    # varbit_send begins with four bytes of length
    our_digest, their_digest = bytes.fromhex(our_mark)[4:], bytes.fromhex(their_mark)[4:]
    return Sums(ours, theirs, our_digest, their_digest, ranges=ranges, moving=moving)
