"""Connector: the whole public use of one system — read pages, decode them, send batches.

`read_pages` and `send` open sockets, inside the budget; `decode` opens none and may run in another
process, long after. No page is changed: what is landed is what the department sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import polars as pl

from connectors.answers import open_layers
from connectors.caller import Caller, Unreadable, outside_budget, undeclared
from connectors.clock import Clock
from connectors.comparing import Compared, Comparing
from connectors.delivery import Delivery
from connectors.drafts import Answer, Draft
from connectors.fields import open_column, read_key
from connectors.positions import Position, read_position, window_key, write_position
from connectors.protocols.attachments import without_bytes
from connectors.protocols.rest import parse_body
from connectors.protocols.schema import schemas_of
from connectors.protocols.soap_page import PageReader
from connectors.reading import read_steps
from connectors.replies import Ask, Place, Reply, Step
from connectors.spans import Spans
from connectors.templates import format_moment
from tongban.kernel.connections import Connection
from tongban.kernel.errors import UnexpectedlyEmpty
from tongban.kernel.interfaces import (
    Call,
)
from tongban.kernel.ledger import Ledger
from tongban.kernel.records import Decoded, OutgoingRecord, Page, Receipt, RecordShape, Window
from tongban.kernel.systems import PulledDataset, System


class Connector:
    """One system, ready to be asked; nothing is opened before the first call."""

    def __init__(
        self,
        system: System,
        connection: Connection,
        root: Path,
        clock: Clock,
        on_unreadable: Unreadable | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.system = system
        self._connection = connection
        self._wsdl = root / "connectors" / "wsdl"
        self._caller = Caller(system, connection, root, clock, on_unreadable, ledger)

    def _pulled(self, dataset: str) -> tuple[PulledDataset, Call]:
        if dataset not in self.system.datasets:
            raise undeclared(self.system, "datasets", dataset)
        found = self.system.pulled(dataset)
        if found.call is None:
            raise undeclared(self.system, "datasets", dataset)
        return found, found.call

    def read_pages(
        self, dataset: str, window: Window, *, after: str | None = None
    ) -> Iterator[Page]:
        """Read every record changed inside `window`.

        The window is complete when the iterator ends by itself. Rows may come twice, also on
        several pages; none is left out.

        Args:
            dataset: Name below `datasets`.
            window: Half-open; longer windows than the source allows are asked in pieces.
            after: `next_cursor` of the last page that was kept, to go on after it.

        Yields:
            Pages as received, each with the cursor of the one after it; the last has none.

        Raises:
            OutsideBudget: Hours or rows are used up; go on later from the last `next_cursor`.
            PagingBroken, UnexpectedlyEmpty, AnswerUnreadable: See there; pages up to now are good.
        """
        pulled, call = self._pulled(dataset)
        where = f"{self.system.system}: {dataset}"
        key = window_key(dataset, window)
        spans = Spans(window, self.system.window_rule(dataset), where)
        start = read_position(after, key) if after else None
        limit = self.system.budget.rows_per_run
        rows = 0

        def ask_for(part: Window) -> Ask:
            return self._asker(dataset, pulled, call, part)

        for step, following in read_steps(pulled.paging, ask_for, spans, start):
            rows += step.reply.count
            yield _page(step, following, key)
            if following is not None and limit is not None and rows >= limit:
                raise outside_budget(where, rows, limit)
        if not rows and pulled.never_zero and window.since is None and after is None:
            raise UnexpectedlyEmpty(
                f"{where} gave no row at all, which never happens; nothing is stored, ask the "
                "department",
                dataset=dataset,
            )

    def _asker(self, dataset: str, pulled: PulledDataset, call: Call, window: Window) -> Ask:
        """Give what asks for a page of one piece of a window."""
        bounds = self._bounds(dataset, window)
        where = f"{self.system.system}: {dataset}"
        skip = frozenset(pulled.encrypted.fields if pulled.encrypted else ())
        keeper = self._caller.transport.keeper
        layers = self.system.interface_of(call).success

        def ask(place: Place) -> Reply:
            size = pulled.paging.size
            values = {**_NOWHERE, **bounds, "size": size, **place.values}
            keeper.reserve_rows(size, where)
            came = 0
            try:
                outcome = self._caller.call(call, values, where, url=place.url)
                reply = Reply(
                    where=where,
                    body=outcome.answer.body,
                    headers=outcome.answer.headers,
                    url=outcome.url,
                    document=outcome.document,
                    records=pulled.records,
                    total_path=pulled.total,
                    skip=skip,
                    says_success=any(layer.check for layer in layers),
                )
                reply.check_count(pulled.count)
                self._caller.keep_unreadable(reply.body, where, reply.check_list)
                came = reply.count
            finally:
                keeper.settle_rows(came - size)
            return reply

        return ask

    def _bounds(self, dataset: str, window: Window) -> dict[str, Any]:
        rule = self.system.window_rule(dataset)
        since = window.since or rule.earliest
        return {
            "since": format_moment(since, rule.format),
            "until": format_moment(window.until, rule.format),
        }

    def decode(self, dataset: str, body: bytes, shape: RecordShape) -> Decoded:
        """Read a page into text columns, and which rows the source marks as deleted.

        Opens no socket.

        Numbers keep the source's digits; absent, null and nil are null; with `explode` each element
        of that list is a row and a parent without elements has none.

        Raises:
            AnswerUnreadable: The page is broken; `read_pages` would have refused it too.
        """
        sign = self._pulled(dataset)[0].deleted
        if sign is None:
            return self._decoded(dataset, body, shape)
        name = sign.path
        is_wanted = name in shape.fields
        fields = shape.fields if is_wanted else (*shape.fields, name)
        decoded = self._decoded(
            dataset, body, replace(shape, fields=fields, known=shape.known | {name})
        )
        words = [word.lower() for word in sign.equals]
        said = decoded.frame[name].str.strip_chars().str.to_lowercase()
        frame = decoded.frame if is_wanted else decoded.frame.drop(name)
        marked = said.is_in(words).fill_null(value=False).alias("deleted")
        return Decoded(frame, decoded.unknown_fields, marked)

    def _decoded(self, dataset: str, body: bytes, shape: RecordShape) -> Decoded:
        """Read a page into text columns; see `decode`."""
        pulled, call = self._pulled(dataset)
        interface = self.system.interface_of(call)
        where = f"{self.system.system}: {dataset}"
        if not body.strip():
            return _no_rows(shape)  # a status such as 204 said so, or the page was refused
        whole = self.system.datasets[dataset].shares_pages_of is None
        if interface.soap is not None:
            spoken = schemas_of(self._wsdl, interface.soap).operation(
                call.operation or "", interface.soap
            )
            encrypted = pulled.encrypted.fields if pulled.encrypted else ()
            reader = PageReader(interface, where, pulled.records, spoken, encrypted)
            found = reader.decode(body, shape, whole=whole)
        else:
            root = parse_body(body, interface, where)
            document = open_layers(root, interface, where, status=200, writes=False)
            found = document.columns(pulled.records, shape, whole=whole) if document else None
        if found is None:
            return _no_rows(shape)
        return self._decrypted(pulled, without_bytes(found, pulled.attachments))

    def _decrypted(self, pulled: PulledDataset, decoded: Decoded) -> Decoded:
        spec = pulled.encrypted
        wanted = [f for f in spec.fields if f in decoded.frame.columns] if spec else []
        if spec is None or not wanted:
            return decoded
        key = read_key(self._connection.secret(spec.key))
        opened = [
            pl.Series(
                name,
                open_column(spec.cipher, key, decoded.frame.get_column(name).to_list()),
                dtype=pl.String,
            )
            for name in wanted
        ]
        return Decoded(decoded.frame.with_columns(opened), decoded.unknown_fields)

    def send(self, dataset: str, records: Sequence[OutgoingRecord]) -> list[Receipt]:
        """Send one batch and give the receiver's answer for each record, in order.

        Raises:
            DeliveryUnclear: The answer, or one record's part of it, is missing; send the same
                batch again with the same keys.
            RetryLater: Nothing was written; send it later.
            SystemRefused: The batch as a whole was refused.
        """
        return self._delivery(dataset).send(records)

    def statement(self, dataset: str) -> Iterator[tuple[str, int, str]]:
        """List what the receiver holds of a dataset: guid, version, digest.

        Raises:
            ConfigInvalid: The receiver offers no statement.
        """
        for page in self._delivery(dataset).statement():
            yield from page.select("guid", "version", "digest").iter_rows()

    def statement_pages(self, dataset: str) -> Iterator[pl.DataFrame]:
        """List what the receiver holds of a dataset, one frame of `HELD` per page.

        Raises:
            ConfigInvalid: The receiver offers no statement.
            AnswerUnreadable: A line lacks its key, its version or its digest.
        """
        return self._delivery(dataset).statement()

    def held(self, dataset: str) -> int:
        """Ask how many records of a dataset the receiver holds.

        Raises:
            ConfigInvalid: The receiver does not tell.
        """
        return self._delivery(dataset).held()

    def compare(
        self, name: str, questions: Sequence[Mapping[str, Any]], about: Mapping[str, Any]
    ) -> list[Compared]:
        """Ask one batch of questions and give the answer to each, in order.

        Args:
            name: Name below `compares`.
            questions: Fields in their normal form, each with its `case_no` or None.
            about: purpose, purpose_label, asker, unit and batch_id.

        Raises:
            AnswerUnreadable: Not every question has one declared answer.
            RetryLater: Nothing is known; ask again.
        """
        if name not in self.system.compares:
            raise undeclared(self.system, "compares", name)
        return Comparing(self._caller, name, self.system.compares[name]).ask(questions, about)

    def _delivery(self, dataset: str) -> Delivery:
        if dataset not in self.system.accepts:
            raise undeclared(self.system, "accepts", dataset)
        return Delivery(self._caller, dataset, self.system.accepts[dataset])

    def observe(self, observer: Callable[[Draft, Answer], None]) -> None:
        """Show every request and its answer to `observer`; for `tongban system check`."""
        self._caller.transport.observer = observer

    def close(self) -> None:
        """Close pooled connections; the connector may be used again."""
        self._caller.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_NOWHERE: dict[str, Any] = {"page": None, "row": None, "cursor": None, "after": None}


def _no_rows(shape: RecordShape) -> Decoded:
    return Decoded(pl.DataFrame(schema=dict.fromkeys(shape.fields, pl.String)))


def _page(step: Step, following: Position | None, key: str) -> Page:
    total, before = step.reply.total, step.here.before
    return Page(
        number=step.here.number,
        body=step.reply.body,
        cursor=write_position(step.here, key),
        next_cursor=write_position(following, key) if following else None,
        declared_total=None if total is None or before is None else before + total,
    )
