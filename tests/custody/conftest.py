"""Fixtures of the custody tests: a store with sealed rows, and a hub around it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.store.fixtures import engine, hub, keyring
from tongban.pull import LandingStore

__all__ = ["engine", "hub", "keeper", "keyring"]


@pytest.fixture
def keeper(hub, tmp_path):
    """What rotation and shredding need of a hub: engine, ring and landings."""
    ring = hub.keyring
    landing = LandingStore((tmp_path / "landing").as_uri(), seal=ring.seal, unseal=ring.unseal)
    return SimpleNamespace(engine=hub.engine, keyring=ring, landing=landing, store=hub)
