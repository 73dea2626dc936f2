"""Fixtures of the reconciliation tests: the store's, a receiving office, and the running city."""

import pytest

from tests.pipeline.city import city, city_template
from tests.push.samples import Office
from tests.store.fixtures import engine, hub, keyring

__all__ = ["city", "city_template", "engine", "hub", "keyring", "office"]


@pytest.fixture
def office(hub):
    """A target office that takes payments and sale contracts."""
    return Office(hub)
