"""Shadow: landed pages through a changed mapping and contract, beside the ones that are in force.

The files are given by path and need not be in the catalog. Each row is compared with what the
present mapping and contract make of the same row: accepted or not, and every field. Rows come in
chunks, so memory stays flat; examples are masked and named by a keyed digest. The database is
only asked which landings there are, in a transaction that cannot write.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
from sqlalchemy import Engine

from connectors import Connector, open_connector
from tongban.kernel.catalog import Catalog, load_catalog
from tongban.kernel.connections import Connection
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.mappings import Mapping
from tongban.kernel.settings import Settings
from tongban.onboarding.difference import Difference, Pairing
from tongban.onboarding.trial import NOWHERE, compile_files
from tongban.protect import KeyRing
from tongban.pull import LandingStore
from tongban.rows import DatasetPlan, compile_dataset
from tongban.store.engine import open_engine
from tongban.store.landed import LandedTransfer, landing_of, last_landings, read_only

ROWS_PER_CHUNK = 20_000


@dataclass(frozen=True)
class Shadow:
    """What a shadow run reads; nothing here can write to the database."""

    catalog: Catalog
    engine: Engine
    keyring: KeyRing
    landing: LandingStore

    def compare(
        self,
        mapping_file: Path,
        *,
        contract_file: Path | None = None,
        transfer: str | None = None,
        last: int = 1,
        examples: int = 5,
    ) -> Difference:
        """Replay landings through the changed files and count what would differ.

        Raises:
            ConfigInvalid: The files do not fit together, explode another list, or there is no
                such landing.
            LandingMissing: A landing's pages are gone.
        """
        mapping, new = compile_files(self.catalog, mapping_file, contract_file)
        present = self._present(mapping, new)
        old_mapping = self.catalog.mapping(mapping.system, present.dataset)
        if old_mapping.explode != mapping.explode:
            raise ConfigInvalid(
                f"{mapping.path.name}: explode is another list than now, so rows cannot be "
                "compared one by one; use `tongban map try` on a page"
            )
        found = Difference(
            dataset=new.dataset,
            removed=tuple(n for n in present.contract.by_name if n not in new.contract.by_name),
        )
        pairing = Pairing(present, new, found, self.keyring, examples)
        system = self.catalog.system(mapping.system)
        here = Connection(system.connection, NOWHERE)
        with open_connector(system, here, self.catalog.root) as connector:
            for landed in self._landings(mapping, present.dataset, transfer, last):
                found.landings += 1
                for frames in self._chunks(landed, present, new, connector, found):
                    pairing.add(*frames)
        return found

    def _present(self, mapping: Mapping, new: DatasetPlan) -> DatasetPlan:
        """What is in force: the same major, or where it is not loaded yet the newest that is."""
        loaded = self.catalog.majors(new.contract.name)
        dataset = new.dataset if new.dataset in loaded else next(iter(reversed(loaded)), "")
        if not dataset or mapping.system not in self.catalog.providers(dataset):
            raise ConfigInvalid(
                f"{mapping.system} does not provide {new.contract.name} yet, so nothing has landed"
            )
        return compile_dataset(self.catalog, mapping.system, dataset)

    def _landings(
        self, mapping: Mapping, dataset: str, transfer: str | None, last: int
    ) -> tuple[LandedTransfer, ...]:
        """The landings that were asked for, oldest first."""
        with read_only(self.engine) as conn:
            if transfer is None:
                found = last_landings(conn, mapping.system, dataset, last)
            else:
                one = landing_of(conn, _uuid(transfer))
                found = (one,) if one is not None and one.system == mapping.system else ()
        if not found:
            which = "that transfer" if transfer else f"{mapping.system}/{dataset}"
            raise ConfigInvalid(f"no landing of {which}; `tongban transfers` lists what there is")
        return tuple(reversed(found))

    def _chunks(
        self,
        landed: LandedTransfer,
        present: DatasetPlan,
        new: DatasetPlan,
        connector: Connector,
        found: Difference,
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Rows of whole pages as both shapes read them, at least 20,000 at a time."""
        landing = self.landing.landing(landed.system, landed.dataset, landed.landing_id)
        parts: list[tuple[pl.DataFrame, pl.DataFrame]] = []
        rows = 0
        for page in landing.pages():
            pair = [
                _kept(connector.decode(present.dataset, page.body, plan.shape))
                for plan in (present, new)
            ]
            found.pages += 1
            parts.append((pair[0], pair[1]))
            rows += pair[0].height
            if rows >= ROWS_PER_CHUNK:
                yield _joined(parts)
                parts, rows = [], 0
        if parts:
            yield _joined(parts)


@contextmanager
def open_shadow(settings: Settings) -> Generator[Shadow]:
    """Open what a shadow run reads; no migration runs and nothing is noted as evidence.

    Raises:
        ConfigInvalid: There is no database.
        DatabaseUnavailable: PostgreSQL did not answer.
    """
    if settings.database_url is None:
        raise ConfigInvalid(
            "no database: TONGBAN_DATABASE_URL is not set and the local stack is not running; "
            "start it with `bin/tongban up`"
        )
    engine = open_engine(settings.database_url, pool_size=1)
    try:
        keyring = KeyRing.open(settings.keys_dir)
        yield Shadow(
            catalog=load_catalog(settings.root),
            engine=engine,
            keyring=keyring,
            landing=LandingStore(settings.landing_url, seal=_no_seal, unseal=keyring.unseal),
        )
    finally:
        engine.dispose()


def _no_seal(context: str, data: bytes) -> bytes:
    """A shadow run lands nothing."""
    raise ConfigInvalid(f"a shadow run writes nothing, {len(data)} bytes for {context} neither")


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ConfigInvalid("--transfer: expected the id of a transfer (a UUID)") from None


def _kept(decoded: Any) -> pl.DataFrame:
    """Rows that the source does not mark as deleted."""
    frame: pl.DataFrame = decoded.frame
    return frame if decoded.deleted is None else frame.filter(~decoded.deleted)


def _joined(parts: list[tuple[pl.DataFrame, pl.DataFrame]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    return pl.concat([old for old, _ in parts]), pl.concat([new for _, new in parts])
