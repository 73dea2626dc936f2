"""Login data: one shape for hub and servers, secret by file mode, kept when the city is rebuilt."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sandbox.credentials import control_token, load_credentials, set_port, write_credentials
from sandbox.datasets import SYSTEMS
from sandbox.errors import StateMissing


@pytest.fixture
def folder(tmp_path):
    """A folder with fresh credentials."""
    write_credentials(tmp_path)
    return tmp_path


def test_every_system_has_the_four_fields_of_a_connection(folder):
    """The hub's connections take them as they are."""
    credentials = load_credentials(folder)

    assert set(SYSTEMS) == credentials.keys()
    for entry in credentials.values():
        assert {"base_url", "login", "password", "extra"} == entry.keys()


def test_ports_follow_one_another_from_the_first(tmp_path):
    """18101 for tax unless told otherwise."""
    write_credentials(tmp_path, 29000)
    urls = [entry["base_url"] for entry in load_credentials(tmp_path).values()]

    assert [f"http://127.0.0.1:{29000 + at}" for at in range(6)] == urls


def test_the_extras_are_what_the_protocols_need(folder):
    """A key file, an SM4 key of 16 bytes, and the token of the substation's second gateway."""
    credentials = load_credentials(folder)
    key = load_pem_private_key(
        Path(credentials["registration"]["extra"]["private_key_file"]).read_bytes(), None
    )

    assert isinstance(key, RSAPrivateKey)
    assert 16 == len(bytes.fromhex(credentials["social"]["extra"]["field_key"]))
    assert credentials["substation"]["password"] == credentials["substation"]["extra"]["tif_token"]
    assert credentials["substation"]["extra"]["paas_id"]


def test_secrets_are_readable_by_their_owner_only(folder):
    """As real ones would be."""
    for path in folder.iterdir():
        assert 0o600 == stat.S_IMODE(path.stat().st_mode), path.name


def test_a_rebuilt_city_keeps_its_secrets_and_takes_new_ports(folder):
    """The hub's connections go on working."""
    before, token = load_credentials(folder), control_token(folder)
    after = write_credentials(folder, 30000)

    assert token == control_token(folder)
    for system in SYSTEMS:
        assert before[system]["password"] == after[system]["password"]
    assert "http://127.0.0.1:30000" == after["tax"]["base_url"]


def test_two_folders_share_no_secret(tmp_path):
    """Secrets are random, not built from the seed."""
    one, other = write_credentials(tmp_path / "a"), write_credentials(tmp_path / "b")

    assert one["tax"]["password"] != other["tax"]["password"]
    assert control_token(tmp_path / "a") != control_token(tmp_path / "b")


def test_a_port_can_be_noted_later(folder):
    """Only that system's address changes."""
    set_port(folder, "housing", 31000)
    urls = {name: entry["base_url"] for name, entry in load_credentials(folder).items()}

    assert "http://127.0.0.1:31000" == urls["housing"]
    assert "http://127.0.0.1:18101" == urls["tax"]


def test_the_control_token_is_no_departments_business(folder):
    """It is not among the credentials."""
    assert control_token(folder) not in json.dumps(load_credentials(folder))


def test_missing_credentials_say_what_to_do(tmp_path):
    """The message names the command."""
    with pytest.raises(StateMissing, match="population"):
        load_credentials(tmp_path)
    with pytest.raises(StateMissing, match="population"):
        control_token(tmp_path)
