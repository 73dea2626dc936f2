"""Receipts: the receiver's answer per record becomes the outbox row's state.

    accepted, duplicate     done; the receipt number is kept
    rejected                the receiver refused the content; done until there is a new version
    waiting_parent          refused since its parent is not there yet; tried again later
    sent                    it went out and no answer is known; the same guid goes out again
    queued                  it did not go out (no answer before it took effect); tried again later
    parked                  waited longer than `PARK_AFTER`; an operator must look
    withheld                the mapping's `where` keeps it back, or it cannot be written down

The whole batch is one statement. A refusal is never mistaken for a failed transport, nor the
other way round.

"Duplicate" closes a row only where the target can have this very version: it may have gone out
before, or the target took an equal document. Otherwise the target knows the record but not this
content, so it goes out once more as an update; and a receipt that belongs to an earlier version
with other content proves that it was not taken.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Literal
from uuid import UUID

import polars as pl
from sqlalchemy import Connection, text

from tongban.push.outbox import PROBE
from tongban.store.copy import copy_frame

State = Literal["accepted", "duplicate", "rejected", "waiting_parent", "sent", "queued", "withheld"]

KNOWN_THERE = "TONGBAN_KNOWN_THERE"  # "duplicate" to what never went out: send it as an update
OTHER_CONTENT = "TONGBAN_OTHER_CONTENT"  # the receipt is that of an earlier version
PARENT_CODES = frozenset({"PARENT_MISSING"})
PARK_AFTER = timedelta(hours=72)
FIRST_WAIT_S = 2
MARK_LENGTH = 64
_NO_MARK = re.compile(r"[^A-Za-z0-9_.:/#-]")
_A_PERSON = re.compile(
    r"(?<![0-9])[0-9]{14,17}[0-9Xx](?![0-9A-Za-z])|(?<![0-9])1[0-9]{10}(?![0-9])"
)
LONGEST_WAIT_S = 3600

ANSWERS: dict[str, pl.DataType] = {
    "record_id": pl.String(),
    "version": pl.Int32(),
    "state": pl.String(),
    "receipt_no": pl.String(),
    "code": pl.String(),
    "digest": pl.Binary(),
    "answer_sealed": pl.Binary(),
    "op": pl.String(),
}
"""Columns of a batch's answers; `record_id` is a UUID's text."""

_TEMPORARY = text("""
    CREATE TEMPORARY TABLE IF NOT EXISTS push_answer (
        record_id uuid, version integer, state text, receipt_no text, code text, digest bytea,
        answer_sealed bytea, op text, target text, dataset text
    ) ON COMMIT DELETE ROWS
""")
_CLEAR = text("DELETE FROM push_answer")
_ANY_DUPLICATE = text("SELECT EXISTS (SELECT FROM push_answer WHERE state = 'duplicate')")
_DOUBT = text("""
    UPDATE push_answer a
       SET state = CASE WHEN o.sent_at IS NULL THEN 'sent' ELSE 'rejected' END,
           code = CASE WHEN o.sent_at IS NULL THEN :known_there ELSE :other_content END
      FROM hub.outbox o
     WHERE a.state = 'duplicate' AND o.record_id = a.record_id AND o.target = a.target
       AND o.dataset = a.dataset AND o.version = a.version
       AND NOT EXISTS (SELECT FROM (
            SELECT e.digest FROM hub.outbox e
             WHERE e.record_id = a.record_id AND e.target = a.target AND e.dataset = a.dataset
               AND e.version < a.version AND e.state IN ('accepted', 'duplicate')
             ORDER BY e.version DESC LIMIT 1) last WHERE last.digest = a.digest)
       AND (o.sent_at IS NULL OR EXISTS (
            SELECT FROM hub.outbox e
             WHERE e.record_id = a.record_id AND e.target = a.target AND e.dataset = a.dataset
               AND e.version < a.version AND e.state IN ('accepted', 'duplicate')
               AND e.receipt_no = a.receipt_no AND e.digest <> a.digest))
    RETURNING a.record_id::text, a.state
""")
# Joined by all columns of the primary key, so that it is probed even without statistics.
_RECORD = text("""
    WITH done AS (
    UPDATE hub.outbox o
       SET state = CASE
             WHEN a.state IN ('waiting_parent', 'sent', 'queued')
              AND coalesce(o.tried_at, now()) <= now() - CAST(:park_after AS interval)
             THEN 'parked'
             ELSE a.state END,
           attempts = least(o.attempts + 1, 32000),
           sent_at = CASE WHEN a.state IN ('queued', 'withheld') THEN o.sent_at ELSE now() END,
           next_try_at = now() + least(:longest, :first * power(2, least(o.attempts, 12)))
                               * interval '1 second',
           closed_at = CASE
             WHEN a.state IN ('waiting_parent', 'sent', 'queued')
              AND coalesce(o.tried_at, now()) > now() - CAST(:park_after AS interval) THEN NULL
             ELSE now() END,
           receipt_no = coalesce(a.receipt_no, o.receipt_no),
           code = a.code,
           digest = coalesce(a.digest, o.digest),
           answer_sealed = coalesce(a.answer_sealed, o.answer_sealed),
           op = coalesce(a.op, o.op),
           tried_at = coalesce(o.tried_at, now()),
           transfer_id = :transfer_id
      FROM push_answer a
     WHERE o.record_id = a.record_id AND o.target = a.target AND o.dataset = a.dataset
       AND o.version = a.version
    RETURNING o.state)
    SELECT count(*) FILTER (WHERE state = 'parked') FROM done
""")


def shown_code(text: str) -> str | None:
    """A target's code as it may stand in a table and on a page; None when there is none.

    Some targets write a sentence where a code belongs, and quote the record in it: what looks
    like a person's number is hidden, signs that no code has become `?`, and the rest is cut.
    """
    if not text:
        return None
    return _A_PERSON.sub("***", _NO_MARK.sub("?", text.strip()))[:MARK_LENGTH] or None


def kept_receipt_no(text: str) -> str | None:
    """A receipt number as it came, without the signs that no database text can hold."""
    text = text.strip()
    if not text.isprintable():
        text = "".join(c for c in text if c.isprintable())
    return text[: 2 * MARK_LENGTH] or None


def record_answers(
    conn: Connection,
    target: str,
    dataset: str,
    answers: pl.DataFrame,
    transfer_id: UUID | None,
    *,
    park_after: timedelta = PARK_AFTER,
) -> tuple[pl.DataFrame, int]:
    """Give every answered row of a batch its new state.

    Returns:
        The answers as they are believed, and how many rows were parked.
    """
    conn.execute(_TEMPORARY)
    conn.execute(_CLEAR)
    route = (pl.lit(target).alias("target"), pl.lit(dataset).alias("dataset"))
    copy_frame(conn, "push_answer", answers.with_columns(route))
    conn.execute(PROBE)
    doubted: dict[str, str] = {}
    if conn.execute(_ANY_DUPLICATE).scalar_one():
        codes = {"known_there": KNOWN_THERE, "other_content": OTHER_CONTENT}
        doubted = {record_id: state for record_id, state in conn.execute(_DOUBT, codes)}  # noqa: C416
    facts = {
        "transfer_id": transfer_id,
        "park_after": park_after,
        "first": FIRST_WAIT_S,
        "longest": LONGEST_WAIT_S,
    }
    parked = int(conn.execute(_RECORD, facts).scalar_one())
    believed = pl.col("record_id").replace_strict(doubted, default=pl.col("state"))
    return (answers.with_columns(state=believed) if doubted else answers), parked
