"""The key ring: made once, shared by many processes, useless without its master key."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
import threading
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tongban.kernel.errors import ConfigInvalid, EnvelopeBroken, KeyUnknown
from tongban.protect import KeyRing, KeyShredded, MasterKeyWrong
from tongban.protect.envelope import OVERHEAD

MASTER = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(32)).decode()
SAME_RING = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@SAME_RING
@given(data=st.binary(max_size=500), context=st.text(max_size=40))
def test_what_is_sealed_opens_again(keyring, data, context):
    """Any bytes under any context."""
    assert data == keyring.unseal(context, keyring.seal(context, data))


@SAME_RING
@given(data=st.binary(max_size=50), at=st.integers(0, 200), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(keyring, data, at, bit):
    """Header, nonce, ciphertext or tag: nothing opens to something else."""
    envelope = bytearray(keyring.seal("a", data))
    envelope[at % len(envelope)] ^= 1 << bit

    with pytest.raises((EnvelopeBroken, KeyUnknown)):
        keyring.unseal("a", bytes(envelope))


@SAME_RING
@given(data=st.binary(max_size=50), length=st.integers(0, 80))
def test_any_truncation_is_found(keyring, data, length):
    """A cut envelope has a named outcome."""
    envelope = keyring.seal("a", data)

    with pytest.raises(EnvelopeBroken):
        keyring.unseal("a", envelope[: min(length, len(envelope) - 1)])


def test_envelope_opens_only_under_its_own_context(keyring):
    """A page that is moved to another place is not that place's page."""
    envelope = keyring.seal("landing|1", b"page")

    with pytest.raises(EnvelopeBroken, match="belongs to another"):
        keyring.unseal("landing|2", envelope)


def test_equal_values_give_different_envelopes(keyring):
    """Nobody can see who has the same number."""
    assert keyring.seal("a", b"x") != keyring.seal("a", b"x")


def test_envelope_is_as_long_as_its_value_plus_a_fixed_part(keyring):
    """Storage can be planned."""
    assert OVERHEAD + 18 == len(keyring.seal("a", b"1" * 18))


def test_unknown_algorithm_is_named(keyring):
    """Written by a newer version, or broken."""
    envelope = b"\x7f" + keyring.seal("a", b"x")[1:]

    with pytest.raises(EnvelopeBroken, match="algorithm id 127 is unknown"):
        keyring.unseal("a", envelope)


def test_unknown_key_is_named(keyring, tmp_path):
    """Another installation's envelope, or a destroyed key."""
    other = KeyRing.open(tmp_path, {}).seal("a", b"x")

    with pytest.raises(KeyUnknown, match="no key with the id"):
        keyring.unseal("a", other)


def test_second_opening_reads_what_the_first_sealed(tmp_path):
    """A restart loses nothing."""
    envelope = KeyRing.open(tmp_path, {}).seal("a", b"x")

    assert b"x" == KeyRing.open(tmp_path, {}).unseal("a", envelope)


def test_every_file_is_readable_by_its_owner_only(tmp_path):
    """The master key above all."""
    KeyRing.open(tmp_path, {}).seal("a", b"x")

    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    assert {0o600} == modes


def test_no_key_lies_in_the_folder_in_plain(tmp_path):
    """With the master key in the environment the folder alone opens nothing."""
    ring = KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": MASTER})
    ring.seal("a", b"x")

    assert not (tmp_path / "master.key").exists()
    assert [48 + 12] == list(
        {len(base64.b64decode(json.loads(p.read_text())["wrapped"])) for p in tmp_path.iterdir()}
    )


def test_wrong_master_key_has_its_own_error(tmp_path):
    """Never a silent new ring beside the old data."""
    KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": MASTER})

    with pytest.raises(MasterKeyWrong, match="does not open this key"):
        KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": OTHER})


def test_lost_master_key_file_is_not_replaced_by_a_new_one(tmp_path):
    """A new one would make every envelope unreadable for good."""
    KeyRing.open(tmp_path, {})
    (tmp_path / "master.key").unlink()

    with pytest.raises(MasterKeyWrong, match="restore the file"):
        KeyRing.open(tmp_path, {})


@pytest.mark.parametrize("text", ["short", "!!!", base64.b64encode(b"x" * 31).decode()])
def test_master_key_of_the_wrong_form_is_refused_without_showing_it(tmp_path, text):
    """The message names the place, not the secret."""
    with pytest.raises(ConfigInvalid, match="TONGBAN_MASTER_KEY") as caught:
        KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": text})

    assert text not in str(caught.value)


def test_renamed_key_file_does_not_open(tmp_path):
    """A key is bound to its dataset."""
    ring = KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": MASTER})
    ring.sealing_key("payment")
    (name,) = ring.files.names()
    ring.files.path(name).rename(tmp_path / f"{name.replace('payment', 'sale')}.json")

    with pytest.raises(MasterKeyWrong):
        KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": MASTER}).sealing_key("sale")


def test_every_dataset_has_a_key_of_its_own(keyring):
    """So that one dataset can be shredded alone."""
    assert keyring.sealing_key("payment").key_id != keyring.sealing_key("sale").key_id


def test_new_key_seals_and_the_old_one_still_opens(tmp_path):
    """Rotation never waits for old data."""
    ring = KeyRing.open(tmp_path, {})
    old = ring.seal("a", b"x", scope="payment")
    key_id = ring.add_key("payment")

    assert key_id == ring.sealing_key("payment").key_id
    assert old[1:5] != ring.seal("a", b"x", scope="payment")[1:5]
    assert b"x" == ring.unseal("a", old)


def test_key_that_another_process_added_is_found(tmp_path):
    """Two workers, one of them newer."""
    first = KeyRing.open(tmp_path, {})
    second = KeyRing.open(tmp_path, {})
    second.add_key("payment")

    assert b"x" == first.unseal("a", second.seal("a", b"x", scope="payment"))


def test_rotation_does_not_change_the_index_keys(tmp_path):
    """Equal values must stay equal."""
    ring = KeyRing.open(tmp_path, {})
    before = ring.derived("index:subject")
    ring.add_key("payment")

    assert before == KeyRing.open(tmp_path, {}).derived("index:subject")


def test_keys_for_different_purposes_differ(keyring):
    """One leaked index key says nothing about another."""
    assert 3 == len({keyring.derived(p) for p in ("index:subject", "index:unit", "row:payment")})


def test_many_starters_share_one_ring(tmp_path):
    """Whoever loses the race reads the winner's keys."""
    rings = []
    starters = [
        threading.Thread(target=lambda: rings.append(KeyRing.open(tmp_path, {}))) for _ in range(8)
    ]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()

    assert 8 == len(rings)
    assert 1 == len({ring.derived("index:subject") for ring in rings})
    assert 1 == len({ring.sealing_key("payment").key_id for ring in rings})


def test_repr_of_a_ring_shows_no_key(keyring):
    """It ends up in logs."""
    assert "object at 0x" in repr(keyring)


def test_ring_is_usable_from_another_process(tmp_path):
    """Airflow's tasks are processes."""
    envelope = KeyRing.open(tmp_path, {}).seal("a", b"x")
    code = (
        "import sys; from pathlib import Path; from tongban.protect import KeyRing;"
        "print(KeyRing.open(Path(sys.argv[1]), {}).unseal('a', bytes.fromhex(sys.argv[2])))"
    )

    answer = subprocess.run(
        [sys.executable, "-c", code, tmp_path, envelope.hex()],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "b'x'" == answer.stdout.strip()


def test_a_running_worker_seals_with_a_new_key_at_once(tmp_path):
    """Else a rotation would never find the last envelope of the old one."""
    worker, keeper = KeyRing.open(tmp_path, {}), KeyRing.open(tmp_path, {})
    worker.sealing_key("payment")
    for _ in range(5):
        added = keeper.add_key("payment")

        assert added == worker.sealing_key("payment").key_id


def test_a_new_year_has_a_new_key(tmp_path):
    """So that each year can be shredded alone; the worker is not restarted for it."""
    today = [date(2026, 12, 31)]
    ring = KeyRing.open(tmp_path, {}, today=lambda: today[0])
    old = ring.seal("a", b"x", scope="payment")
    today[0] = date(2027, 1, 1)

    new = ring.seal("a", b"x", scope="payment")

    assert old[1:5] != new[1:5]
    assert ["2026", "2027"] == [key.period for key in ring.active_keys("payment")]
    assert b"x" == ring.unseal("a", old)


def test_a_retired_key_seals_nothing_and_still_opens(tmp_path):
    """What a backup holds stays readable."""
    ring, worker = KeyRing.open(tmp_path, {}), KeyRing.open(tmp_path, {})
    sealed = worker.seal("a", b"x", scope="payment")
    (key,) = ring.active_keys("payment")

    ring.retire(key.name, {})

    assert sealed[1:5] != worker.seal("a", b"x", scope="payment")[1:5]
    assert b"x" == KeyRing.open(tmp_path, {}).unseal("a", sealed)


def test_a_destroyed_key_opens_nothing_and_is_named_as_such(tmp_path):
    """Destroyed by order is another thing than lost."""
    ring = KeyRing.open(tmp_path, {})
    sealed = ring.seal("a", b"x", scope="payment")
    (key,) = ring.active_keys("payment")
    ring.files.mark(key.name, ".shredded", {})
    ring.files.destroy(key.name)
    ring.files.destroy(key.name)

    with pytest.raises(KeyShredded, match="unreadable for good"):
        KeyRing.open(tmp_path, {}).unseal("a", sealed)


def test_a_mark_of_destruction_counts_before_the_file_is_gone(tmp_path):
    """A crash between both never opens it again."""
    ring = KeyRing.open(tmp_path, {})
    sealed = ring.seal("a", b"x", scope="payment")
    (key,) = ring.active_keys("payment")

    ring.files.mark(key.name, ".shredded", {})

    with pytest.raises(KeyShredded):
        KeyRing.open(tmp_path, {}).unseal("a", sealed)
