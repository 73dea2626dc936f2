"""How rows get into a test's database: the pipeline's own steps, without a network.

`Office.store` takes variations of a contract's good example; `Office.city` takes the documents of
a sandbox city through mapping, contract, protection and store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from tests.contracts.odcs import batch_of, good_rows
from tests.mappings.city import PULLED, columns, documents, flat_rows, mapping_of
from tongban.hub import Hub
from tongban.kernel.records import Decoded, Page, RecordShape
from tongban.rows import Chunk, child_of, chunks, compile_dataset, rows_chunk
from tongban.store.leases import release_lease, take_lease
from tongban.store.load import LoadChunk, write_chunk
from tongban.store.transfers import begin_transfer
from tongban.validate import compile_contract


class Documents:
    """Decodes pages that are lists of the sandbox's documents."""

    def decode(self, dataset: str, body: bytes, shape: RecordShape) -> Decoded:
        """One page as columns of text."""
        rows = [row for d in json.loads(body) for row in flat_rows(d, shape.explode)]
        return Decoded(frame=columns(rows, shape.fields), unknown_fields=frozenset())


class Office:
    """Stores rows in a hub the way the pipeline does."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def store(self, dataset: str, *changes: dict[str, Any], system: str = "hub") -> UUID:
        """Store one row per change: the contract's first good example with other values."""
        contract = self.hub.catalog.contract(dataset)
        rows = [{**good_rows(dataset)[0], **change} for change in changes]
        plan = compile_contract(contract, self.hub.catalog.codes)
        frame = batch_of(contract, rows).frame
        return self._write(dataset, [rows_chunk(frame, contract, plan, self.hub.keyring)], system)

    def city(self, state_dir: Path) -> None:
        """Store every dataset of a sandbox city."""
        for system, dataset, parent in PULLED:
            page = json.dumps(documents(state_dir, system, parent)).encode()
            plan = compile_dataset(self.hub.catalog, system, dataset)
            children = [
                child_of(plan, compile_dataset(self.hub.catalog, system, name))
                for _, name, of in PULLED
                if of == dataset and name != dataset
            ]
            pages = [Page(number=1, body=page, cursor="", next_cursor=None, declared_total=None)]
            made = chunks(pages, plan, Documents(), self.hub.keyring, children=children)
            self._write(dataset, made, system)

    def record_ids(self, system: str, dataset: str, source_keys: list[str]) -> list[str]:
        """Tokens of records that a source names by its own keys."""
        from tongban.normalize import apply, compile_mapping
        from tongban.protect.digest import record_ids

        contract, mapping = self.hub.catalog.contract(dataset), mapping_of(system, dataset)
        parts = zip(*(key.split("|") for key in source_keys), strict=True)
        frame = columns(
            [dict(zip(mapping.source_key, key, strict=True)) for key in zip(*parts, strict=True)],
            mapping.shape.fields,
        )
        rows = apply(compile_mapping(mapping, contract, self.hub.catalog.codes), frame).frame
        return [found.hex() for found in record_ids(self.hub.keyring, contract, rows)]

    def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        with self.hub.engine.begin() as conn:
            return [tuple(row) for row in conn.execute(text(statement), parameters)]

    def run(self, statement: str, **parameters: Any) -> None:
        """A statement behind the hub's back."""
        with self.hub.engine.begin() as conn:
            conn.execute(text(statement), parameters)

    def _write(self, dataset: str, made: Iterable[Chunk], system: str = "hub") -> UUID:
        contract = self.hub.catalog.contract(dataset)
        transfer = begin_transfer(self.hub.engine, system, dataset, contract_version="1.0.0")
        lease = take_lease(self.hub.engine, system, dataset)
        for chunk in made:
            write_chunk(
                self.hub.engine,
                LoadChunk(
                    contract=contract,
                    rows=chunk.rows,
                    quarantine=chunk.quarantine,
                    read=chunk.read,
                    transfer_id=transfer,
                    lease=lease,
                    chunk_no=chunk.number,
                    is_last=chunk.is_last,
                    findings=chunk.findings,
                    warnings=chunk.warnings,
                ),
            )
        release_lease(self.hub.engine, lease)
        return transfer
