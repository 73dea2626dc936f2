"""Fixtures of the push tests: the store's, and one target with its route."""

import pytest

from tests.push.samples import Office
from tests.store.fixtures import engine, hub, keyring

__all__ = ["engine", "hub", "keyring", "office"]


@pytest.fixture
def office(hub):
    """A target office that takes payments and sale contracts."""
    return Office(hub)
