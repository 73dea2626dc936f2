"""Fixtures that the tests of store and push share: an engine, a key ring, a loading hub."""

from __future__ import annotations

import pytest

from tests.store.samples import PARTY, PAYMENT, SALE, Hub
from tongban.protect import KeyRing
from tongban.store.engine import open_engine
from tongban.store.migrate import migrate


@pytest.fixture
def engine(database_url):
    """An engine on a fresh database with the tables of the sample contracts."""
    engine = open_engine(database_url)
    migrate(engine, [PAYMENT, SALE, PARTY])
    yield engine
    engine.dispose()


@pytest.fixture
def keyring(tmp_path):
    """A key ring of its own."""
    return KeyRing.open(tmp_path / "keys", {})


@pytest.fixture
def hub(engine, keyring):
    """Loads frames the way the pipeline does."""
    return Hub(engine, keyring)
