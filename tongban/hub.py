"""The hub: everything that the six verbs need, opened once per process or task.

Opening reads files and makes objects; the first connection to PostgreSQL is made by the
migration check, the first socket to a department by the first call of a connector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tongban.evidence.configuration import note_configuration
from tongban.evidence.heads import Heads
from tongban.evidence.sealer import Sealer
from tongban.evidence.signing import KEY_PURPOSE, open_signer
from tongban.kernel.catalog import Catalog, load_catalog
from tongban.kernel.connections import Connections, Resolver
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.settings import Settings, load_settings
from tongban.protect import KeyRing
from tongban.pull import LandingStore
from tongban.store.engine import open_engine
from tongban.store.keys import bind_key_ring
from tongban.store.ledger import PostgresLedger
from tongban.store.migrate import migrate

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from connectors import Connector
    from tongban.evidence.signing import Signer


@dataclass(frozen=True)
class Hub:
    """One opened hub; close it, or use it as a context manager."""

    settings: Settings
    catalog: Catalog
    engine: Engine
    keyring: KeyRing
    landing: LandingStore
    connections: Connections
    sealer: Sealer

    def connector(
        self, system: str, *, on_unreadable: Callable[[str, bytes], None] | None = None
    ) -> Connector:
        """A connector to a system; opens no socket before its first call.

        Its budget is shared with every worker of this database.

        Args:
            system: Name of the declared system.
            on_unreadable: Gets place and body of every answer that could not be read.
        """
        from connectors import open_connector

        declared = self.catalog.system(system)
        connection = self.connections.get(declared.connection)
        return open_connector(
            declared,
            connection,
            self.settings.root,
            on_unreadable=on_unreadable,
            ledger=PostgresLedger(self.engine),
        )

    def close(self) -> None:
        """Seal the evidence of this process and give the database connections back."""
        self.sealer.close()
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_hub(
    settings: Settings | None = None,
    *,
    resolver: Resolver | None = None,
    secret: Callable[[str], str | None] | None = None,
) -> Hub:
    """Open the hub of an installation and bring its database to the newest schema.

    Args:
        settings: Where everything lies; from the environment when not given.
        resolver: First place to look for connections (Airflow's, inside tasks).
        secret: Looks up a master key that is kept in a secrets backend (Airflow's, inside tasks).

    Raises:
        ConfigInvalid: No database URL, or a contract that the stored tables contradict.
        DatabaseUnavailable: PostgreSQL did not answer.
        KeyUnknown: The database was begun with another key ring.
    """
    found = settings or load_settings()
    if found.database_url is None:
        raise ConfigInvalid(
            "no database: TONGBAN_DATABASE_URL is not set and the local stack is not running; "
            "start it with `bin/tongban up`"
        )
    catalog = load_catalog(found.root)
    engine = open_engine(found.database_url)
    try:
        _migrate_once(found.database_url, engine, catalog)
        keyring = KeyRing.open(found.keys_dir, secret=secret)
        bind_key_ring(engine, keyring.fingerprint, str(found.keys_dir))
        sealer = _sealer(found, engine, keyring)
    except BaseException:
        engine.dispose()  # nobody gets a hub to close
        raise
    return Hub(
        settings=found,
        catalog=catalog,
        engine=engine,
        keyring=keyring,
        landing=LandingStore(found.landing_url, seal=keyring.seal, unseal=keyring.unseal),
        connections=Connections(found.connections_dir, resolver),
        sealer=sealer,
    )


def _sealer(settings: Settings, engine: Engine, keyring: KeyRing) -> Sealer:
    """What seals the evidence; also notes a changed configuration and what nobody sealed."""

    def signer() -> Signer:
        return open_signer(keyring.derived(KEY_PURPOSE))

    sealer = Sealer(engine, signer, Heads(settings.heads_file))
    if note_configuration(engine, settings.root):
        sealer.note()
    return sealer


def _migrate_once(url: str, engine: Engine, catalog: Catalog) -> None:
    """Check the schema once per process; every task is a process of its own."""
    digests = tuple(catalog.contract(name).digest for name in catalog.datasets)
    if (url, digests) in _migrated():
        return
    migrate(engine, catalog.contracts().values())
    _migrated().add((url, digests))


@cache
def _migrated() -> set[tuple[str, tuple[str, ...]]]:
    """Databases that this process has migrated, with the contracts it did it for."""
    return set()
