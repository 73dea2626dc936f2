"""What the console needs of a hub: a database to read and the catalog to name things.

`tongban.pipeline.Hub` fits, and so does the smaller view that the plugin opens, which has no keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine

from tongban.kernel.catalog import Catalog, load_catalog
from tongban.store.engine import open_engine

CATALOG_AGE_S = 60.0
STATEMENT_TIMEOUT_S = 10  # a page must not weigh on the database that loads records


class HubView(Protocol):
    """The part of a hub that pages are made of."""

    @property
    def engine(self) -> Engine:
        """Where the counts are."""
        ...

    @property
    def catalog(self) -> Catalog:
        """How systems, datasets and rules are called."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """A hub that can only be looked at."""

    engine: Engine
    catalog: Catalog


def keyless_view(root: Path, database_url: Callable[[], str]) -> Callable[[], View]:
    """Give a function that opens the view on first use and reads changed YAML within a minute.

    Args:
        root: Folder with connectors/, mappings/ and contracts/.
        database_url: Asked once, when the first page is wanted.
    """
    engines: list[Engine] = []
    catalogs: list[tuple[float, Catalog]] = []

    def get() -> View:
        if not engines:
            url = database_url()
            engines.append(open_engine(url, pool_size=2, statement_timeout_s=STATEMENT_TIMEOUT_S))
        now = time.monotonic()
        if not catalogs or now - catalogs[-1][0] > CATALOG_AGE_S:
            catalogs[:] = [(now, load_catalog(root))]
        return View(engine=engines[0], catalog=catalogs[-1][1])

    return get
