"""Fixtures of the evidence's tests."""

from __future__ import annotations

import pytest

from tests.store.samples import PAYMENT
from tongban.store.engine import open_engine
from tongban.store.migrate import migrate


@pytest.fixture
def engine(database_url):
    """An engine on a fresh database."""
    engine = open_engine(database_url)
    migrate(engine, [PAYMENT])
    yield engine
    engine.dispose()
