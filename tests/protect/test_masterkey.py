"""The master key: its places, and its exchange for another one."""

from __future__ import annotations

import base64
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from tongban.kernel.errors import ConfigInvalid, CredentialsMissing
from tongban.protect import KeyRing, MasterKeyWrong
from tongban.protect.keyring import master_text
from tongban.protect.rewrap import finish, new_master, prepare, rewrap_file, switch, waiting

TEXT = base64.b64encode(bytes(range(32))).decode()
NEW = bytes(32)


def test_a_mounted_file_may_hold_it(tmp_path):
    """A secret of the container's platform; the ring's folder keeps no copy."""
    (tmp_path / "secret").write_text(TEXT + "\n")
    ring = KeyRing.open(tmp_path / "keys", {"TONGBAN_MASTER_KEY_FILE": str(tmp_path / "secret")})

    assert b"x" == ring.unseal("a", ring.seal("a", b"x"))
    assert not (tmp_path / "keys" / "master.key").exists()


def test_a_file_that_is_not_there_is_named(tmp_path):
    """A mount that was forgotten; a new key is never made in its place."""
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY_FILE": str(tmp_path / "none")})

    assert [] == list(tmp_path.glob("*.json"))


def test_a_secrets_backend_may_hold_it(tmp_path):
    """Asked by name; in Airflow that is a Variable or a Connection."""
    asked: list[str] = []

    def secret(name: str) -> str:
        asked.append(name)
        return TEXT

    ring = KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY_SECRET": "hub_master"}, secret=secret)

    assert b"x" == ring.unseal("a", ring.seal("a", b"x"))
    assert {"hub_master"} == set(asked)


def test_outside_airflow_the_variables_environment_form_is_read(tmp_path):
    """So that the command line opens the same ring."""
    env = {"TONGBAN_MASTER_KEY_SECRET": "hub_master", "AIRFLOW_VAR_HUB_MASTER": TEXT}
    sealed = KeyRing.open(tmp_path, env).seal("a", b"x")

    assert b"x" == KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": TEXT}).unseal("a", sealed)


def test_a_secret_that_nobody_has_is_named(tmp_path):
    """With what to create."""
    with pytest.raises(CredentialsMissing, match="AIRFLOW_VAR_HUB_MASTER"):
        KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY_SECRET": "hub_master"}, secret=lambda _: None)


def test_a_new_master_key_opens_what_the_old_one_sealed(tmp_path):
    """One call where it lies in a file; running processes find the new one by themselves."""
    ring = KeyRing.open(tmp_path, {})
    sealed, before = ring.seal("a", b"x"), (tmp_path / "master.key").read_text()
    running = KeyRing.open(tmp_path, {})

    done = rewrap_file(KeyRing.open(tmp_path, {}))

    assert (2, []) == (done.keys, waiting(ring))
    assert before != (tmp_path / "master.key").read_text()
    assert b"x" == KeyRing.open(tmp_path, {}).unseal("a", sealed)
    assert b"x" == running.unseal("a", sealed)
    running.make("data.payment.2026-0001")
    assert KeyRing.open(tmp_path, {}).active_keys("payment")


def test_the_old_master_key_opens_nothing_afterwards(tmp_path):
    """That is the purpose."""
    KeyRing.open(tmp_path, {}).seal("a", b"x")
    old = (tmp_path / "master.key").read_text()
    rewrap_file(KeyRing.open(tmp_path, {}))

    with pytest.raises(MasterKeyWrong):
        KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": old.strip()})


def test_between_both_steps_either_master_key_opens(tmp_path):
    """Where a person exchanges it, workers restart one after the other."""
    old = KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": TEXT})
    sealed = old.seal("a", b"x")
    prepare(old, NEW)

    new = KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": master_text(NEW)})

    assert not switch(old, NEW)
    assert b"x" == new.unseal("a", sealed)
    assert b"x" == KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": TEXT}).unseal("a", sealed)
    assert 2 == finish(new).keys
    with pytest.raises(MasterKeyWrong):
        KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": TEXT})


def test_finishing_with_the_old_master_key_is_refused(tmp_path):
    """It would drop the only wrap that opens."""
    ring = KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": TEXT})
    prepare(ring, NEW)

    with pytest.raises(ConfigInvalid, match="not changed yet"):
        finish(ring)

    assert ["root"] == waiting(ring)


def test_a_key_that_was_made_meanwhile_stops_the_finish(tmp_path):
    """Under the new master key alone it would be lost."""
    old = KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": TEXT})
    prepare(old, NEW)
    old.sealing_key("payment")

    with pytest.raises(MasterKeyWrong, match="again with the old one"):
        finish(KeyRing.open(tmp_path, {"TONGBAN_MASTER_KEY": master_text(NEW)}))


def test_rewrapping_changes_neither_ids_nor_indexes(tmp_path):
    """The root is wrapped anew, not made anew."""
    before = KeyRing.open(tmp_path, {}).fingerprint

    rewrap_file(KeyRing.open(tmp_path, {}))

    assert before == KeyRing.open(tmp_path, {}).fingerprint


KILLED = """
import os, signal, sys
from pathlib import Path
from tongban.protect import KeyRing
from tongban.protect.rewrap import rewrap_file

ring, lines, after = KeyRing.open(Path(sys.argv[1]), {}), 0, int(sys.argv[2])

def trace(frame, event, arg):
    global lines
    if not any(name in frame.f_code.co_filename for name in ("rewrap.py", "keyfiles.py")):
        return None
    lines += event == "line"
    if lines >= after:
        os.kill(os.getpid(), signal.SIGKILL)
    return trace

sys.settrace(trace)
rewrap_file(ring)
"""


@pytest.mark.slow
def test_killed_anywhere_the_ring_still_opens(tmp_path):
    """SIGKILL at lines spread over all three steps."""
    ring = KeyRing.open(tmp_path, {}, today=lambda: date(2026, 1, 1))
    sealed = {scope: ring.seal(scope, b"x", scope=scope) for scope in ("hub", "payment", "sale")}
    killed = 0

    for after in (15, 60, 110, 160, 185, 200, 230, 280, 330):
        program = [sys.executable, "-c", KILLED, str(tmp_path), str(after)]
        ended = subprocess.run(program, capture_output=True, cwd=Path.cwd(), check=False)
        assert ended.returncode in {0, -signal.SIGKILL}, ended.stderr.decode()
        killed += ended.returncode != 0
        again = KeyRing.open(tmp_path, {})
        assert dict.fromkeys(sealed, b"x") == {
            scope: again.unseal(scope, envelope) for scope, envelope in sealed.items()
        }

    rewrap_file(KeyRing.open(tmp_path, {}))
    assert killed >= 5
    assert [] == waiting(KeyRing.open(tmp_path, {}))


def test_a_new_master_key_is_never_the_same():
    """From the system's random source."""
    assert new_master() != new_master()
    assert 32 == len(new_master())
