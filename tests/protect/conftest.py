"""Fixtures of the protection tests."""

from __future__ import annotations

import pytest

from tongban.protect import KeyRing


@pytest.fixture(scope="session")
def keyring(tmp_path_factory):
    """One key ring for all tests that do not touch its files."""
    return KeyRing.open(tmp_path_factory.mktemp("keys"), {})
