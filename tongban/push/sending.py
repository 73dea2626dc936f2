"""Sending: make documents of claimed rows, send them in batches, and note every answer.

A failure ends the run but loses no answer that came before it. One refused record never stops
its neighbours: a batch that is refused as a whole is halved until the record is alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

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
from tongban.kernel.records import BEIJING, Operation, OutgoingRecord, Receipt
from tongban.push.payload import PushPlan, documents, matches
from tongban.push.receipts import PARENT_CODES, State, kept_receipt_no, shown_code
from tongban.push.rows import Vault, children_rows, claimed_rows

UNSENDABLE = "TONGBAN_UNSENDABLE"
LONE_REFUSALS = 3  # so many single records refused and none taken: it is not about the records


class Sender(Protocol):
    """The part of a connector that delivery needs."""

    def send(self, dataset: str, records: Sequence[OutgoingRecord]) -> list[Receipt]:
        """Send one batch; the receiver's answer for each record."""
        ...


@dataclass(slots=True)
class Channel:
    """One route to one target; `failure` is what ended the run, if anything did."""

    target: str
    dataset: str
    plan: PushPlan
    sender: Sender
    vault: Vault
    batch: int
    failure: TongbanError | None = None


@dataclass(slots=True)
class Outgoing:
    """Claimed records on their way, and what became of each.

    Attributes:
        keyed: How a document's digest is stored.
    """

    keyed: Callable[[bytes], bytes] = field(repr=False)
    records: list[OutgoingRecord] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)

    def answer(
        self,
        guid: str,
        version: int,
        state: State,
        *,
        digest: str | None = None,
        receipt_no: str | None = None,
        code: str | None = None,
        sealed: bytes | None = None,
    ) -> None:
        """Note what became of one record, in the columns of `ANSWERS`."""
        self.answers.append(
            {
                "record_id": guid.replace("-", ""),
                "version": version,
                "state": state,
                "receipt_no": receipt_no,
                "code": code,
                "digest": None if digest is None else self.keyed(bytes.fromhex(digest)),
                "answer_sealed": sealed,
            }
        )


def prepare(channel: Channel, conn: Connection) -> Outgoing:
    """Read, open and map the claimed records; those that cannot go out are answered here."""
    facts, frame = claimed_rows(conn, channel.plan, channel.target, channel.vault)
    keys = facts["record_id"].to_list()
    guids = [_guid(key) for key in keys]
    known, deleted = facts["is_known"].to_list(), facts["is_deleted"].to_list()
    ops: list[Operation] = [
        "D" if gone else "U" if there else "I" for there, gone in zip(known, deleted, strict=True)
    ]
    versions = facts["version"].to_list()
    children = [
        children_rows(conn, channel.plan, part, channel.vault) for part in channel.plan.children
    ]
    special: dict[str, list[Any]] = {
        "$guid": guids,
        "$op": ops,
        "$version": versions,
        "$now": [datetime.now(BEIJING)],
    }
    made = documents(channel.plan, frame.with_columns(_series(special, frame.height)), children)
    going = Outgoing(channel.vault.keyed)
    goes = matches(channel.plan, frame).to_list()
    # What the target never had is not deleted there.
    goes = [
        wanted and (op != "D" or there) for wanted, op, there in zip(goes, ops, known, strict=True)
    ]
    rows = zip(guids, ops, versions, made.data, made.digests, made.lost, goes, strict=True)
    for guid, op, version, data, digest, lost, is_wanted in rows:
        if not is_wanted:
            going.answer(guid, version, "withheld")
        elif lost is not None:
            going.answer(guid, version, "rejected", code=f"{UNSENDABLE}:{lost}")
        else:
            going.records.append(OutgoingRecord(guid, op, version, digest.hex(), data))
    return going


def send_batch(channel: Channel, going: Outgoing, at: int) -> None:
    """Send one batch and note every answer; a failure ends the run but loses no answer."""
    batch = going.records[at : at + channel.batch]
    try:
        receipts = {receipt.guid: receipt for receipt in _sent(channel, batch)}
    except DeliveryUnclear as exc:
        channel.failure = exc
        for record in batch:
            going.answer(record.guid, record.version, "sent", digest=record.digest)
        return
    except OutsideBudget as exc:  # it was not tried
        channel.failure = exc
        return
    except RetryLater as exc:
        channel.failure = exc
        for record in batch:
            going.answer(record.guid, record.version, "queued")
        return
    except Fatal as exc:
        channel.failure = exc
        return
    for record in batch:
        _note(channel, going, record, receipts.get(record.guid))


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


def _note(
    channel: Channel, going: Outgoing, record: OutgoingRecord, receipt: Receipt | None
) -> None:
    """The state that follows from one record's receipt."""
    if receipt is None:  # the batch was answered, this record was not
        going.answer(record.guid, record.version, "sent", digest=record.digest)
        return
    state: State = receipt.outcome
    if state == "rejected" and receipt.code in PARENT_CODES:
        state = "waiting_parent"
    sealed, code = None, shown_code(receipt.code)
    words = receipt.message if (code or "") == receipt.code else f"{receipt.code} {receipt.message}"
    if words and receipt.outcome == "rejected":
        context = f"receipt|{channel.target}|{channel.dataset}|{record.guid}"
        sealed = channel.vault.seal(context, words.encode())
    going.answer(
        record.guid,
        record.version,
        state,
        digest=record.digest,
        receipt_no=kept_receipt_no(receipt.receipt_no),
        code=code,
        sealed=sealed,
    )


def _guid(key: bytes) -> str:
    """A record id as the text of a UUID."""
    text = key.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _series(special: Mapping[str, list[Any]], height: int) -> list[pl.Series]:
    """Special sources as columns; a single value stands for all rows."""
    return [
        pl.Series(name, values if len(values) == height else values[:1] * height)
        for name, values in special.items()
    ]
