"""Delivery: send one batch of records and read the receiver's answer for each of them.

Success is the receiver's own word per record, never an HTTP status. A record without an answer
makes the whole batch unclear: the caller sends it again with the same keys. Nothing here retries a
request that may have taken effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID, uuid5

from connectors.caller import Caller, undeclared
from connectors.caller import Outcome as Answered
from connectors.documents import Document
from connectors.paging import first_place, walk
from connectors.replies import Place, Reply
from connectors.templates import fill, version_as_time, version_from_time
from tongban.kernel.errors import AnswerUnreadable, DeliveryUnclear
from tongban.kernel.interfaces import Call
from tongban.kernel.records import Outcome, OutgoingRecord, Receipt, RecordShape
from tongban.kernel.systems import AcceptedDataset, RecordAnswers, Statement

_BATCHES = UUID("6f1f7c0e-5d0c-5a57-9d4b-0f6b2a1c9e11")
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
        receipts = self._unsendable(records)
        sendable = [record for record in records if record.guid not in receipts]
        if sendable:
            told = self._accepted.answers.statuses
            outcome = self._caller.call(
                self._call(sendable),
                self._values(sendable),
                self._where,
                writes=True,
                told=frozenset(told),
            )
            if outcome.answer.status in told:
                receipts |= self._told(sendable[0].guid, told[outcome.answer.status], outcome)
            else:
                receipts |= self._receipts(outcome.document, [r.guid for r in sendable])
        return [receipts[record.guid] for record in records]

    def _call(self, records: Sequence[OutgoingRecord]) -> Call:
        """Give the call for a batch; a deleted record may have one of its own."""
        delete = self._accepted.delete
        return delete if delete is not None and records[0].op == "D" else self._accepted.call

    def _values(self, records: Sequence[OutgoingRecord]) -> dict[str, Any]:
        """Give what a call may be filled with; the same batch always has the same id."""
        written = [self._written(record) for record in records]
        values: dict[str, Any] = {"records": written, "batch_id": batch_id(records)}
        if self._accepted.batch == 1:
            values |= {**self._facts(records[0]), "record": written[0]}
        return values

    def _told(self, guid: str, said: Outcome, outcome: Answered) -> dict[str, Receipt]:
        """Make the receipt that an HTTP status is; the body may say more."""
        spec, document = self._accepted.answers, outcome.document
        texts = [
            (document.text(path) or "") if path and document else ""
            for path in (spec.receipt_no, spec.code, spec.message)
        ]
        texts[1] = texts[1] or (f"HTTP {outcome.answer.status}" if said == "rejected" else "")
        return {guid: Receipt(guid, said, *texts)}

    def _check(self, records: Sequence[OutgoingRecord]) -> None:
        if not records:
            raise ValueError("a batch needs at least one record")
        if len(records) > self._accepted.batch:
            raise ValueError(f"{len(records)} records, at most {self._accepted.batch} in one batch")
        if len({record.guid for record in records}) != len(records):
            raise ValueError("one batch holds a record twice; send its versions one after another")

    def _unsendable(self, records: Sequence[OutgoingRecord]) -> dict[str, Receipt]:
        """Refuse by ourselves the records that the protocol cannot carry, not their batch."""
        interface = self._caller.system.interface_of(self._accepted.call)
        bad = _NOT_XML if interface.soap is not None else _NOT_TEXT
        if not _holds([record.data for record in records], bad):
            return {}
        text = "a field holds a control character that this protocol cannot carry"
        return {
            record.guid: Receipt(record.guid, "rejected", code=UNSENDABLE, message=text)
            for record in records
            if _holds(record.data, bad)
        }

    def _written(self, record: OutgoingRecord) -> Any:
        return fill(self._accepted.record, self._facts(record))

    def _facts(self, record: OutgoingRecord) -> dict[str, Any]:
        return {
            "guid": record.guid,
            "op": record.op,
            "version": record.version,
            "version_time": lambda: version_as_time(record.version),
            "digest": record.digest,
            "data": record.data,
            "now": self._caller.now,
        }

    def _receipts(self, document: Document | None, guids: Sequence[str]) -> dict[str, Receipt]:
        """Read one receipt per record.

        Raises:
            DeliveryUnclear: A record has none, or one that says neither yes nor no.
        """
        try:
            lone = guids[0] if self._accepted.batch == 1 else None
            read = _read_receipts(document, self._accepted.answers, lone) if document else []
        except AnswerUnreadable as exc:
            raise DeliveryUnclear(f"{exc}; send again with the same keys", **exc.context) from exc
        found = {receipt.guid: receipt for receipt in read if receipt.guid in guids}
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
    """Tell whether any text inside holds such a character; one search for all of them."""
    texts: list[str] = []
    _collect(value, texts)
    return bad.search("\n".join(texts)) is not None


def _collect(value: Any, texts: list[str]) -> None:
    for item in value.values() if isinstance(value, dict) else value:
        if item.__class__ is str:
            texts.append(item)
        elif isinstance(item, dict | list):
            _collect(item, texts)


def batch_id(records: Sequence[OutgoingRecord]) -> str:
    """Name a batch by what is in it: the same records and versions again have the same id."""
    parts = sorted(f"{r.guid}:{r.version}:{r.op}:{r.digest}" for r in records)
    return uuid5(_BATCHES, "|".join(parts)).hex


def _read_receipts(document: Document, spec: RecordAnswers, lone: str | None) -> list[Receipt]:
    """Read the answers as columns, since there is one for every record that goes out.

    An answer that says nothing that is declared gives none. With `lone` the call was about that
    record, whose key the answer need not repeat.
    """
    signs = [
        (outcome, sign.path, {word.lower() for word in sign.equals})
        for outcome, sign in (
            ("duplicate", spec.duplicate),
            ("rejected", spec.rejected),
            ("accepted", spec.accepted),
        )
        if sign is not None
    ]
    told = (spec.receipt_no, spec.code, spec.message)
    paths = tuple(dict.fromkeys(filter(None, [spec.guid, *told, *(path for _, path, _ in signs)])))
    receipts = []
    for row in _answer_rows(document, spec.records, paths, is_lone=lone is not None):
        values = dict(zip(paths, row, strict=True))
        guid = values[spec.guid] if spec.guid else lone
        said = next((o for o, path, words in signs if _shows(values[path], words)), None)
        if guid and said:
            texts = [(values[path] or "") if path else "" for path in told]
            receipts.append(Receipt(guid, said, *texts))  # type: ignore[arg-type] # the names above
    return receipts


def _answer_rows(
    document: Document, records: str, paths: tuple[str, ...], *, is_lone: bool
) -> Iterable[tuple[str | None, ...]]:
    if is_lone and not records:
        return [tuple(document.text(path) for path in paths)]
    shape = RecordShape(fields=paths, explode=None, known=frozenset(paths))
    return document.columns(records, shape, whole=False).frame.iter_rows()


def _shows(value: str | None, words: set[str]) -> bool:
    return value is not None and value.strip().lower() in words


def _statement_row(item: Document, spec: Statement, where: str) -> tuple[str, int, str]:
    guid, version, digest = item.text(spec.guid), item.text(spec.version), item.text(spec.digest)
    try:
        number = version_from_time(version or "") if spec.version_is_time else int(version or "")
    except ValueError:
        number = -1
    if not guid or digest is None or number < 0:
        raise AnswerUnreadable(f"{where}: a line lacks its key, version or digest")
    return guid, number, digest
