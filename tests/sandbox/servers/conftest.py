"""Fixtures of the sandbox server tests: one tiny town per test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.servers.town import Town


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Give a town whose servers start when first asked for."""
    built = Town(tmp_path_factory.mktemp("town"))
    yield built
    built.stop()


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Forget planned faults after each test that used the town."""
    yield
    if "town" in request.fixturenames:
        running = request.getfixturevalue("town")
        for system in list(running._running):
            running.control(system, "DELETE", "faults")
