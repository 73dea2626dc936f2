"""A database takes only the key ring that it was begun with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tongban.hub import open_hub
from tongban.kernel.errors import KeyUnknown
from tongban.kernel.settings import load_settings
from tongban.protect import KeyRing
from tongban.store.keys import bind_key_ring

pytestmark = pytest.mark.postgres
ROOT = Path(__file__).parents[2]


def test_the_first_ring_is_taken_and_taken_again(engine: Engine, keyring: KeyRing, tmp_path: Path):
    """Every process opens the hub anew, with the same folder."""
    bind_key_ring(engine, keyring.fingerprint, "keys")

    bind_key_ring(engine, KeyRing.open(tmp_path / "keys", {}).fingerprint, "keys")

    with engine.connect() as conn:
        assert [keyring.fingerprint] == list(
            conn.execute(text("SELECT fingerprint FROM hub.key_ring")).scalars()
        )


def test_another_ring_is_refused(engine: Engine, keyring: KeyRing, tmp_path: Path):
    """Else every record would be stored and pushed a second time under another id."""
    bind_key_ring(engine, keyring.fingerprint, "keys")
    other = KeyRing.open(tmp_path / "other", {})

    with pytest.raises(KeyUnknown, match="other: this key ring is not the one"):
        bind_key_ring(engine, other.fingerprint, "other")


def test_two_first_openings_with_different_rings_do_not_both_succeed(engine: Engine):
    """Two hosts that were set up at once, each with a folder of its own."""

    def opens(ring: int) -> bool:
        try:
            bind_key_ring(engine, bytes([ring]) * 16, f"host {ring}")
        except KeyUnknown:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(opens, range(4)))

    assert 1 == sum(results)


def test_new_data_keys_leave_the_fingerprint_as_it_is(keyring: KeyRing):
    """A rotation must not lock the installation out of its own database."""
    before = keyring.fingerprint

    keyring.add_key("payment")

    assert before == keyring.fingerprint


def test_a_hub_with_a_new_folder_of_keys_does_not_open_an_old_database(
    database_url: str, tmp_path: Path
):
    """What happens when TONGBAN_HOME is lost, or mistyped."""

    def settings(home: str):
        return load_settings(
            {
                "TONGBAN_ROOT": str(ROOT),
                "TONGBAN_HOME": str(tmp_path / home),
                "TONGBAN_DATABASE_URL": database_url,
            }
        )

    open_hub(settings("home")).close()
    open_hub(settings("home")).close()

    with pytest.raises(KeyUnknown):
        open_hub(settings("mistyped"))
