"""Sending: make documents of claimed rows, send them in batches, and note every answer.

A failure ends the run but loses no answer that came before it. One refused record never stops
its neighbours: a batch that is refused as a whole is halved until the record is alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import starmap
from typing import Any, NamedTuple, Protocol

import polars as pl
from sqlalchemy import Connection

from tongban.kernel.errors import (
    DeliveryUnclear,
    Fatal,
    OutsideBudget,
    RetryLater,
    SystemRefused,
    TongbanError,
)
from tongban.kernel.records import BEIJING, OutgoingRecord, Receipt
from tongban.push.payload import PushPlan, documents, matches
from tongban.push.receipts import (
    KNOWN_THERE,
    PARENT_CODES,
    State,
    kept_receipt_no,
    shown_code,
)
from tongban.push.rows import Vault, children_rows, claimed_rows, rows_as_sent

UNSENDABLE = "TONGBAN_UNSENDABLE"
UNFIT = "TONGBAN_UNFIT"  # it would be no valid XML of the mapping's own schema
_HEX = pl.col("record_id").bin.encode("hex")
_CUTS = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
_GUID = pl.concat_str(list(starmap(_HEX.str.slice, _CUTS)), separator="-")
# What left the mapping's `where` leaves the target too.
_OP = (
    pl.when(pl.col("is_deleted") | (pl.col("is_known") & ~pl.col("is_wanted")))
    .then(pl.lit("D"))
    .when(pl.col("is_known") | (pl.col("code") == KNOWN_THERE).fill_null(value=False))
    .then(pl.lit("U"))
    .otherwise(pl.lit("I"))
)
# What the target never had is not deleted there.
_GOES = pl.col("is_known") | (pl.col("is_wanted") & ~pl.col("is_deleted"))
TRIES_TOGETHER = 2
SMALLER_BITS = 3  # an eighth each time
LONE_REFUSALS = 3  # so many single records refused and none taken: it is not about the records


class Sender(Protocol):
    """The part of a connector that delivery needs."""

    def send(self, dataset: str, records: Sequence[OutgoingRecord]) -> list[Receipt]:
        """Send one batch; the receiver's answer for each record."""
        ...


@dataclass(slots=True)
class Channel:
    """One route to one target.

    Attributes:
        failure: What ended the run, if anything did.
        unclear: Batches without an answer, one after another.
    """

    target: str
    dataset: str
    plan: PushPlan
    sender: Sender
    vault: Vault
    batch: int
    failure: TongbanError | None = None
    unclear: int = 0
    check: Callable[[Sequence[dict[str, Any]]], list[str | None]] | None = None

    def misfits(self, documents: Sequence[dict[str, Any]]) -> list[str | None]:
        """For each document the field that its schema refuses; none where it is not XML."""
        return self.check(documents) if self.check else [None] * len(documents)


class Answer(NamedTuple):
    """What became of one record; `digest` is of the document that went out, lower hex."""

    guid: str
    version: int
    state: State
    digest: str | None = None
    receipt_no: str | None = None
    code: str | None = None
    sealed: bytes | None = None
    op: str | None = None


@dataclass(slots=True)
class Outgoing:
    """Claimed records on their way, how often each was tried, and what became of it."""

    records: list[OutgoingRecord] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


def prepare(channel: Channel, conn: Connection) -> Outgoing:
    """Read, open and map the claimed records; those that cannot go out are answered here."""
    facts, frame = claimed_rows(conn, channel.plan, channel.target, channel.vault)
    facts = facts.with_columns(is_wanted=matches(channel.plan, frame)).with_columns(
        _GUID.alias("guid"), _OP.alias("op"), _GOES.alias("goes")
    )
    frame = _as_they_were(channel, conn, facts, frame)
    children = [
        children_rows(conn, channel.plan, part, channel.vault) for part in channel.plan.children
    ]
    special = facts.select(
        pl.col("guid").alias("$guid"),
        pl.col("op").alias("$op"),
        pl.col("version").alias("$version"),
    ).with_columns(pl.lit(datetime.now(BEIJING)).alias("$now"))
    made = documents(channel.plan, frame.hstack(special), children)
    going = Outgoing()
    columns = (facts[name] for name in ("guid", "op", "version", "goes", "attempts"))
    misfits = channel.misfits(made.data)
    rows = zip(
        *(c.to_list() for c in columns), made.data, made.digests, made.lost, misfits, strict=True
    )
    for guid, op, version, goes, attempts, data, digest, lost, misfit in rows:
        if not goes:
            going.answers.append(Answer(guid, version, "withheld"))
        elif lost is not None:
            code = f"{UNSENDABLE}:{lost}"
            going.answers.append(Answer(guid, version, "rejected", code=code))
        elif misfit is not None:
            code = f"{UNFIT}:{misfit}"
            going.answers.append(Answer(guid, version, "rejected", code=code))
        else:
            going.records.append(OutgoingRecord(guid, op, version, digest.hex(), data))
            going.attempts.append(attempts)
    return going


def _as_they_were(
    channel: Channel, conn: Connection, facts: pl.DataFrame, frame: pl.DataFrame
) -> pl.DataFrame:
    """A record that leaves `where` is withdrawn as it was sent: as it is, it may be unsendable."""
    withdrawn = facts["goes"] & (facts["op"] == "D") & ~facts["is_wanted"]
    if not withdrawn.any():
        return frame
    ids = facts["record_id"]
    sent = rows_as_sent(
        conn, channel.plan, channel.target, channel.vault, list(ids.filter(withdrawn))
    )
    place = {record_id: row for row, record_id in enumerate(sent["record_id"])}
    end = sent.height
    taken = [
        place.get(record_id, end + row) if gone else end + row
        for row, (record_id, gone) in enumerate(zip(ids, withdrawn, strict=True))
    ]
    return pl.concat([sent.select(frame.columns), frame])[taken]


def size_of(channel: Channel, going: Outgoing, at: int) -> int:
    """How many records go out together: few, where the batch has failed again and again.

    What is wrong with one of them then soon concerns it alone.
    """
    tried = max(going.attempts[at : at + channel.batch])
    steps = max(0, tried - TRIES_TOGETHER)
    return max(1, channel.batch >> SMALLER_BITS * steps)


def send_batch(channel: Channel, going: Outgoing, at: int, size: int) -> None:
    """Send one batch and note every answer; a failure ends the run but loses no answer."""
    batch = going.records[at : at + size]
    try:
        receipts = {receipt.guid: receipt for receipt in _sent(channel, batch)}
    except DeliveryUnclear as exc:
        channel.unclear += 1  # a small batch is suspected already: the others go on
        if size == channel.batch or channel.unclear >= LONE_REFUSALS:
            channel.failure = exc
        going.answers += [Answer(r.guid, r.version, "sent", r.digest, op=r.op) for r in batch]
        return
    except OutsideBudget as exc:  # it was not tried
        channel.failure = exc
        return
    except RetryLater as exc:
        channel.failure = exc
        going.answers += [Answer(r.guid, r.version, "queued") for r in batch]
        return
    except Fatal as exc:
        channel.failure = exc
        return
    channel.unclear = 0
    going.answers += [_noted(channel, record, receipts.get(record.guid)) for record in batch]


def _sent(channel: Channel, batch: Sequence[OutgoingRecord]) -> list[Receipt]:
    """Send a batch; when it is refused as a whole, halve it until the poison record is alone.

    Raises:
        SystemRefused: Not one record got through, so it is not about a record.
    """
    receipts: list[Receipt] = []
    refused: list[Receipt] = []
    waiting = [list(batch)]
    while waiting:
        part = waiting.pop()
        try:
            receipts += channel.sender.send(channel.dataset, part)
        except SystemRefused as exc:
            if len(part) > 1:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
                continue
            refused.append(Receipt(part[0].guid, "rejected", code=exc.code, message=str(exc)))
            if not receipts and (len(refused) >= LONE_REFUSALS or not waiting):
                raise
    return receipts + refused


def _noted(channel: Channel, record: OutgoingRecord, receipt: Receipt | None) -> Answer:
    """What follows from one record's receipt."""
    if receipt is None:  # the batch was answered, this record was not
        return Answer(record.guid, record.version, "sent", record.digest, op=record.op)
    receipt_no = kept_receipt_no(receipt.receipt_no)
    code = shown_code(receipt.code)
    if receipt.outcome != "rejected":
        state: State = receipt.outcome
        facts = (record.guid, record.version, state, record.digest, receipt_no, code)
        return Answer(*facts, op=record.op)
    sealed = None
    words = receipt.message if (code or "") == receipt.code else f"{receipt.code} {receipt.message}"
    if words:
        context = f"receipt|{channel.target}|{channel.dataset}|{record.guid}"
        sealed = channel.vault.seal(context, words.encode())
    state = "waiting_parent" if receipt.code in PARENT_CODES else "rejected"
    facts = (record.guid, record.version, state, record.digest, receipt_no, code)
    return Answer(*facts, sealed, record.op)
