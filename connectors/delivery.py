"""Delivery: send one batch of records and read the receiver's answer for each of them.

Success is the receiver's own word per record, never an HTTP status. A record without an answer
makes the whole batch unclear: the caller sends it again with the same keys. Nothing here retries a
request that may have taken effect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import starmap
from operator import attrgetter
from typing import Any
from uuid import UUID, uuid5

import msgspec
import polars as pl

from connectors.caller import Caller, undeclared
from connectors.caller import Outcome as Answered
from connectors.documents import Document
from connectors.statements import held_count, held_pages
from connectors.templates import compile_template, version_as_time
from tongban.kernel.errors import AnswerUnreadable, DeliveryUnclear
from tongban.kernel.interfaces import (
    Call,
)
from tongban.kernel.records import Outcome, OutgoingRecord, Receipt, RecordShape
from tongban.kernel.systems import AcceptedDataset, RecordAnswers, Sign

_BATCHES = UUID("6f1f7c0e-5d0c-5a57-9d4b-0f6b2a1c9e11")
_TOLD = ("receipt_no", "code", "message")
UNSENDABLE = "HUB_UNSENDABLE_CHARACTER"
_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_TEXT = re.compile(r"[\ud800-\udfff]")
# In JSON text a control character is an escape, and U+FFFE and U+FFFF are these bytes.
_MAYBE_NOT_XML = re.compile(rb"\\[ubf]|\xef\xbf[\xbe\xbf]")


class Delivery:
    """Sends one dataset to one system."""

    def __init__(self, caller: Caller, dataset: str, accepted: AcceptedDataset) -> None:
        self._caller = caller
        self._dataset = dataset
        self._accepted = accepted
        self._where = f"{caller.system.system}: {dataset}"
        self._facts: dict[str, Callable[[OutgoingRecord], Any]] = {
            "guid": attrgetter("guid"),
            "op": attrgetter("op"),
            "version": attrgetter("version"),
            "version_time": lambda record: version_as_time(record.version),
            "digest": attrgetter("digest"),
            "data": attrgetter("data"),
            "now": self._now,
        }
        self._fill = compile_template(accepted.record, self._facts)

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
            facts = {name: partial(get, records[0]) for name, get in self._facts.items()}
            values |= {**facts, "record": written[0]}
        return values

    def _written(self, record: OutgoingRecord) -> dict[str, Any]:
        """The record in the receiver's form, marked where it is told once more."""
        filled: dict[str, Any] = self._fill(record)
        marker = self._accepted.rereport
        if marker is not None and record.rereport:
            filled = {**filled, marker.field: getattr(marker, record.rereport)}
        return filled

    def _now(self, _record: OutgoingRecord, pattern: str = "iso") -> str:
        return self._caller.now(pattern)

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
        if not _may_hold([record.data for record in records], bad):
            return {}
        text = "a field holds a control character that this protocol cannot carry"
        return {
            record.guid: Receipt(record.guid, "rejected", code=UNSENDABLE, message=text)
            for record in records
            if _holds(record.data, bad)
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

    def statement(self) -> Iterator[pl.DataFrame]:
        """List what the receiver holds; see `Connector.statement_pages`."""
        spec = self._accepted.statement
        if spec is None:
            raise undeclared(self._caller.system, f"accepts.{self._dataset}", "statement")
        return held_pages(self._caller, spec, f"{self._where} statement")

    def held(self) -> int:
        """Count what the receiver holds; see `Connector.held`."""
        spec = self._accepted.counted
        if spec is None:
            raise undeclared(self._caller.system, f"accepts.{self._dataset}", "counted")
        return held_count(self._caller, spec, f"{self._where} count")


def _may_hold(documents: list[dict[str, Any]], bad: re.Pattern[str]) -> bool:
    """Tell at little cost whether a closer look is needed: one encoding, one search for all."""
    try:
        text = msgspec.json.encode(documents)
    except (TypeError, ValueError):  # a half of a surrogate pair, or a value JSON has not
        return True
    return bad is _NOT_XML and _MAYBE_NOT_XML.search(text) is not None


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
    parts = sorted(
        f"{r.guid}:{r.version}:{r.op}:{r.digest}" + (f":{r.rereport}" if r.rereport else "")
        for r in records
    )
    return uuid5(_BATCHES, "|".join(parts)).hex


def _read_receipts(document: Document, spec: RecordAnswers, lone: str | None) -> list[Receipt]:
    """Read the answers as columns, since there is one for every record that goes out.

    An answer that says nothing that is declared gives none. With `lone` the call was about that
    record, whose key the answer need not repeat.
    """
    signs = [
        (outcome, sign)
        for outcome, sign in (
            ("duplicate", spec.duplicate),
            ("rejected", spec.rejected),
            ("accepted", spec.accepted),
        )
        if sign is not None
    ]
    told = (spec.receipt_no, spec.code, spec.message)
    asked = [spec.guid, *told, *(sign.path for _, sign in signs)]
    paths = tuple(dict.fromkeys(filter(None, asked)))
    frame = _answers(document, spec.records, paths, is_lone=lone is not None)
    said = pl.coalesce(
        *(
            pl.when(pl.col(sign.path).str.strip_chars().str.to_lowercase().is_in(_words(sign)))
            .then(pl.lit(outcome))
            .otherwise(None)
            for outcome, sign in signs
        ),
        pl.lit(None, pl.String),
    )
    texts = [pl.col(path).fill_null("") if path else pl.lit("") for path in told]
    read = frame.select(
        (pl.col(spec.guid) if spec.guid else pl.lit(lone)).alias("guid"),
        said.alias("said"),
        *(text.alias(name) for text, name in zip(texts, _TOLD, strict=True)),
    ).filter(pl.col("guid").str.len_bytes() > 0, pl.col("said").is_not_null())
    return list(starmap(Receipt, read.iter_rows()))


def _words(sign: Sign) -> list[str]:
    return [word.lower() for word in sign.equals]


def _answers(
    document: Document, records: str, paths: tuple[str, ...], *, is_lone: bool
) -> pl.DataFrame:
    """The answers as text columns, one row each."""
    if is_lone and not records:
        told = {path: [document.text(path)] for path in paths}
        return pl.DataFrame(told, dict.fromkeys(paths, pl.String))
    shape = RecordShape(fields=paths, explode=None, known=frozenset(paths))
    return document.columns(records, shape, whole=False).frame
