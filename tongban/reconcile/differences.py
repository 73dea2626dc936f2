"""Differences: name the records in which both sides differ, and what each side says of them.

    missing_there    the target acknowledged it and does not list it
    unknown_there    the target lists a record that it never acknowledged to us
    older_there      it lists an older version than it acknowledged
    newer_there      it lists a newer version than we ever sent: was our database set back?
    altered_there    it lists this version with other content
    still_there      it acknowledged the deletion and lists the record
    repeated_there   it lists one record several times

Only the ranges of keys whose sums differ are looked into. Where the target gave a receipt and its
statement denies it, the difference is a contradiction of the target with itself, kept with both
receipts.
"""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from sqlalchemy import Connection, text

KINDS = (
    "missing_there",
    "unknown_there",
    "older_there",
    "newer_there",
    "altered_there",
    "still_there",
    "repeated_there",
)

_NAMED = text("""
    INSERT INTO hub.statement_difference
        (statement_id, target, dataset, record_id, kind, our_version, their_version, our_digest,
         their_digest, receipt_no, their_receipt_no, delivered_at, transfer_id, is_contradiction,
         action, rereport)
    WITH ours AS (
        SELECT o.* FROM statement_ours o JOIN statement_bucket b
            ON b.bucket = get_byte(uuid_send(o.record_id), 0)
         WHERE NOT o.is_moving AND (b.ours_rows <> b.theirs_rows
                                    OR b.ours_mark IS DISTINCT FROM b.theirs_mark)),
    theirs AS (
        SELECT s.record_id, max(s.version) AS version, count(*) AS times,
               (array_agg(s.digest ORDER BY s.version DESC))[1] AS digest,
               (array_agg(s.receipt_no ORDER BY s.version DESC))[1] AS receipt_no
          FROM statement_theirs s JOIN statement_bucket b
            ON b.bucket = get_byte(uuid_send(s.record_id), 0)
         WHERE b.ours_rows <> b.theirs_rows OR b.ours_mark IS DISTINCT FROM b.theirs_mark
         GROUP BY s.record_id),
    compared AS (
        SELECT record_id, o.version AS our_version, t.version AS their_version,
               o.digest AS our_digest, t.digest AS their_digest, o.receipt_no,
               t.receipt_no AS their_receipt_no, o.delivered_at, o.transfer_id,
               CASE WHEN t.record_id IS NULL AND o.is_live THEN 'missing_there'
                    WHEN t.record_id IS NULL THEN NULL
                    WHEN o.record_id IS NULL THEN 'unknown_there'
                    WHEN NOT o.is_live AND t.version < o.version THEN 'still_there'
                    WHEN t.version < o.version THEN 'older_there'
                    WHEN t.version > o.version THEN 'newer_there'
                    WHEN NOT o.is_live THEN 'still_there'
                    WHEN t.digest IS DISTINCT FROM o.digest THEN 'altered_there'
                    WHEN t.times > 1 THEN 'repeated_there' END AS kind
          FROM ours o FULL JOIN theirs t USING (record_id))
    SELECT :statement_id, :target, :dataset, record_id, kind, our_version, their_version,
           our_digest, their_digest, receipt_no, their_receipt_no, delivered_at, transfer_id,
           receipt_no IS NOT NULL
               AND kind IN ('missing_there', 'older_there', 'altered_there', 'still_there'),
           'person',
           CASE kind WHEN 'missing_there'
                     THEN CASE WHEN receipt_no IS NULL THEN 'late' ELSE 'resent' END
                     WHEN 'altered_there' THEN 'corrected'
                     WHEN 'older_there' THEN 'resent' WHEN 'still_there' THEN 'resent' END
      FROM compared WHERE kind IS NOT NULL
""")
_COUNTED = text("""
    SELECT kind, is_contradiction, count(*) FROM hub.statement_difference
     WHERE statement_id = :statement_id GROUP BY 1, 2
""")


def name_differences(
    conn: Connection, statement_id: UUID, target: str, dataset: str
) -> tuple[dict[str, int], int]:
    """Write down every record that differs.

    Returns:
        Kind → records, in the order of `KINDS`; and how many contradict a receipt.
    """
    facts = {"statement_id": statement_id, "target": target, "dataset": dataset}
    conn.execute(_NAMED, facts)
    found: Counter[str] = Counter()
    contradictions = 0
    for kind, is_contradiction, rows in conn.execute(_COUNTED, {"statement_id": statement_id}):
        found[kind] += rows
        contradictions += rows if is_contradiction else 0
    return {kind: found[kind] for kind in KINDS if found[kind]}, contradictions
