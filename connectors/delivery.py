"""Delivery: send one batch of records and read the receiver's answer for each of them.

Success is the receiver's own word per record, never an HTTP status. A record without an answer
makes the whole batch unclear: the caller sends it again with the same keys. Nothing here retries a
request that may have taken effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

from connectors.caller import Caller, undeclared
from connectors.documents import Document
from connectors.paging import first_place, walk
from connectors.replies import Place, Reply
from connectors.templates import fill, version_as_time, version_from_time
from tongban.kernel.errors import AnswerUnreadable, DeliveryUnclear
from tongban.kernel.records import OutgoingRecord, Receipt
from tongban.kernel.systems import AcceptedDataset, RecordAnswers, Sign, Statement

UNSENDABLE = "HUB_UNSENDABLE_CHARACTER"
_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_TEXT = re.compile(r"[\ud800-\udfff]")


class Delivery:
    """Sends one dataset to one system."""

    def __init__(self, caller: Caller, dataset: str, accepted: AcceptedDataset) -> None:
        self._caller = caller
        self._dataset = dataset
        self._accepted = accepted
        self._where = f"{caller.system.system}: {dataset}"

    def send(self, records: Sequence[OutgoingRecord]) -> list[Receipt]:
        """Send a batch; see `Connector.send`."""
        self._check(records)
        receipts = {record.guid: r for record in records if (r := self._unsendable(record))}
        sendable = [record for record in records if record.guid not in receipts]
        if sendable:
            values = {
                "records": [self._written(record) for record in sendable],
                "batch_id": uuid4().hex,
            }
            call = self._accepted.call
            outcome = self._caller.call(call, values, self._where, writes=True)
            receipts |= self._receipts(outcome.document, {record.guid for record in sendable})
        return [receipts[record.guid] for record in records]

    def _check(self, records: Sequence[OutgoingRecord]) -> None:
        if not records:
            raise ValueError("a batch needs at least one record")
        if len(records) > self._accepted.batch:
            raise ValueError(f"{len(records)} records, at most {self._accepted.batch} in one batch")
        if len({record.guid for record in records}) != len(records):
            raise ValueError("one batch holds a record twice; send its versions one after another")

    def _unsendable(self, record: OutgoingRecord) -> Receipt | None:
        """Refuse by ourselves the one record that the protocol cannot carry, not its batch."""
        interface = self._caller.system.interface_of(self._accepted.call)
        bad = _NOT_XML if interface.soap is not None else _NOT_TEXT
        if not _holds(record.data, bad):
            return None
        text = "a field holds a control character that this protocol cannot carry"
        return Receipt(record.guid, "rejected", code=UNSENDABLE, message=text)

    def _written(self, record: OutgoingRecord) -> Any:
        values = {
            "guid": record.guid,
            "op": record.op,
            "version": record.version,
            "version_time": version_as_time(record.version),
            "digest": record.digest,
            "data": record.data,
            "now": self._caller.now,
        }
        return fill(self._accepted.record, values)

    def _receipts(self, document: Document | None, guids: set[str]) -> dict[str, Receipt]:
        """Read one receipt per record.

        Raises:
            DeliveryUnclear: A record has none, or one that says neither yes nor no.
        """
        spec = self._accepted.answers
        try:
            answers = document.items(spec.records) if document else []
            read = [_receipt(answer, spec) for answer in answers]
        except AnswerUnreadable as exc:
            raise DeliveryUnclear(f"{exc}; send again with the same keys", **exc.context) from exc
        found = {receipt.guid: receipt for receipt in read if receipt and receipt.guid in guids}
        if len(found) < len(guids):
            raise DeliveryUnclear(
                f"{self._where}: {len(guids) - len(found)} of {len(guids)} records have no clear "
                "answer; send the same batch again with the same keys",
                sent=len(guids),
                answered=len(found),
            )
        return found

    def statement(self) -> Iterator[tuple[str, int, str]]:
        """List what the receiver holds; see `Connector.statement`."""
        spec = self._accepted.statement
        if spec is None:
            raise undeclared(self._caller.system, f"accepts.{self._dataset}", "statement")
        where = f"{self._where} statement"

        def ask(place: Place) -> Reply:
            values = {"page": None, "row": None, "cursor": None, "size": spec.paging.size}
            outcome = self._caller.call(
                spec.call, values | dict(place.values), where, url=place.url
            )
            answer = outcome.answer
            return Reply(
                where,
                answer.body,
                answer.headers,
                outcome.url,
                outcome.document,
                spec.records,
                None,
            )

        for step in walk(spec.paging, ask, first_place(spec.paging, 0, 1)):
            document = step.reply.document
            for item in document.items(spec.records) if document else []:
                yield _statement_row(item, spec, where)


def _holds(value: Any, bad: re.Pattern[str]) -> bool:
    if isinstance(value, str):
        return bad.search(value) is not None
    if isinstance(value, dict):
        return any(_holds(item, bad) for item in value.values())
    return isinstance(value, list) and any(_holds(item, bad) for item in value)


def _receipt(answer: Document, spec: RecordAnswers) -> Receipt | None:
    """Read one answer, or None where it says nothing that is declared."""
    guid = answer.text(spec.guid)
    signs = (
        ("duplicate", spec.duplicate),
        ("rejected", spec.rejected),
        ("accepted", spec.accepted),
    )
    outcome = next((name for name, sign in signs if sign and _shows(answer, sign)), None)
    if not guid or outcome is None:
        return None
    return Receipt(
        guid=guid,
        outcome=outcome,  # type: ignore[arg-type] # the three names above
        receipt_no=_value(answer, spec.receipt_no),
        code=_value(answer, spec.code),
        message=_value(answer, spec.message),
    )


def _shows(answer: Document, sign: Sign) -> bool:
    value = answer.text(sign.path)
    return value is not None and value.strip().lower() in {word.lower() for word in sign.equals}


def _value(answer: Document, path: str | None) -> str:
    return (answer.text(path) or "") if path else ""


def _statement_row(item: Document, spec: Statement, where: str) -> tuple[str, int, str]:
    guid, version, digest = item.text(spec.guid), item.text(spec.version), item.text(spec.digest)
    try:
        number = version_from_time(version or "") if spec.version_is_time else int(version or "")
    except ValueError:
        number = -1
    if not guid or digest is None or number < 0:
        raise AnswerUnreadable(f"{where}: a line lacks its key, version or digest")
    return guid, number, digest
