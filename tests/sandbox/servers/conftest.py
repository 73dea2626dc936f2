"""Fixtures of the sandbox server tests: one tiny town per test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.servers.town import Town


@pytest.fixture(scope="module", name="module_town")
def _module_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Give a town whose servers start when first asked for."""
    built = Town(tmp_path_factory.mktemp("town"))
    yield built
    built.stop()


@pytest.fixture
def town(module_town: Town) -> Iterator[Town]:
    """Give the module's town, and forget planned faults after the test."""
    yield module_town
    module_town.clear_faults()
