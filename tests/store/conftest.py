"""Fixtures of the store's tests."""

from tests.store.fixtures import engine, hub, keyring

__all__ = ["engine", "hub", "keyring"]
