"""A process that pulls one window into a landing, to be killed by a test: URL, folder, kind."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.connectors.serving import ALL, connect, rest_system
from tests.connectors.test_resume import KINDS
from tongban.kernel.records import Page
from tongban.pull import LandingStore, fetch_window


def main(url: str, folder: str, kind: str) -> None:
    """Pull until the window is complete; each landed page is told on standard output."""
    store = LandingStore(Path(folder).as_uri(), seal=same, unseal=same)
    landing = store.landing("fund", "account", "1")
    with connect(rest_system(dataset=KINDS[kind]), url) as connector:
        fetch_window(connector, landing, ALL, on_page=tell)


def tell(page: Page) -> None:
    """Say that a page is landed."""
    sys.stdout.write(f"{page.number}\n")
    sys.stdout.flush()


def same(_context: str, data: bytes) -> bytes:
    """Seal nothing: the landing's seal is tested elsewhere."""
    return data


if __name__ == "__main__":
    main(*sys.argv[1:4])
