"""Suites: which algorithm seals, what stays readable, and what never changes."""

from __future__ import annotations

import hashlib
import hmac
import json
from importlib.metadata import EntryPoint

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.samples import PAYMENT, payments
from tongban.kernel.errors import ConfigInvalid, EnvelopeBroken, KeyUnknown
from tongban.protect import KeyRing, blind_index, open_column, seal_column, suites
from tongban.protect.digest import record_ids, row_digests
from tongban.protect.envelope import OVERHEAD, Sm4Gcm
from tongban.protect.suites import Sm3Key, keyed_digest, signatures_of, suite_of

NATIONAL = {"TONGBAN_CRYPTO_SUITE": "national"}
SAME_RING = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
RECORD = b"r" * 16


@pytest.fixture(scope="module")
def national(tmp_path_factory):
    """A ring that was begun under the national suite."""
    return KeyRing.open(tmp_path_factory.mktemp("national"), NATIONAL)


def test_sm4_gcm_gives_the_ciphertext_of_rfc_8998():
    """RFC 8998, A.1: same key, nonce and data, same bytes as every other implementation."""
    cipher = Sm4Gcm(bytes(32))
    cipher._sm4 = type(cipher._sm4)(bytes.fromhex("0123456789abcdeffedcba9876543210"))
    nonce = bytes.fromhex("00001234567800000000abcd")
    plain = bytes.fromhex(
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
        "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"
    )
    bound = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")

    sealed = cipher.encrypt(nonce, plain, bound)

    assert (
        "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
        "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
        "83de3541e4c2b58177e065a9bf7b62ec"
    ) == sealed.hex()
    assert plain == cipher.decrypt(nonce, sealed, bound)
    with pytest.raises(InvalidTag):
        cipher.decrypt(nonce, sealed, bound + b"?")


def test_hmac_sm3_is_the_one_of_the_standard_library():
    """Only its blocks are absorbed once."""
    key, data = Sm3Key(bytes(range(32))), b"620899198503140011"

    assert hmac.new(key, data, "sm3").digest()[:16] == keyed_digest(key)(data)


def test_sm3_is_the_one_of_the_standard():
    """GB/T 32905-2016, example 1."""
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"

    assert expected == hashlib.new("sm3", b"abc").hexdigest()


@SAME_RING
@given(values=st.lists(st.one_of(st.none(), st.text(max_size=30)), max_size=10))
def test_column_of_the_national_suite_opens_to_what_was_sealed(national, values):
    """As of the other."""
    ids = [RECORD] * len(values)

    sealed = seal_column(national, values, "payment", "name", ids)

    assert values == open_column(national, sealed, "payment", "name", ids)
    assert {2} >= {envelope[0] for envelope in sealed if envelope}


@SAME_RING
@given(at=st.integers(0, 200), bit=st.integers(0, 7))
def test_any_flipped_bit_of_a_national_envelope_is_found(national, at, bit):
    """Algorithm, key, nonce, ciphertext or tag."""
    envelope = bytearray(national.seal("a", b"value"))
    envelope[at % len(envelope)] ^= 1 << bit

    with pytest.raises((EnvelopeBroken, KeyUnknown)):
        national.unseal("a", bytes(envelope))


@SAME_RING
@given(length=st.integers(0, OVERHEAD + 4))
def test_any_truncation_of_a_national_envelope_is_found(national, length):
    """A cut envelope has a named outcome."""
    with pytest.raises(EnvelopeBroken):
        national.unseal("a", national.seal("a", b"value")[:length])


def test_one_column_may_hold_both_suites(tmp_path):
    """The setting rules what is sealed from now on."""
    old = seal_column(KeyRing.open(tmp_path, {}), ["张三"], "payment", "name", [RECORD])
    ring = KeyRing.open(tmp_path, NATIONAL)
    new = seal_column(ring, ["李四", None], "payment", "name", [RECORD] * 2)

    opened = open_column(ring, old + new, "payment", "name", [RECORD] * 3)

    assert ["张三", "李四", None] == opened
    assert [1, 2] == [envelope[0] for envelope in old + new if envelope]


def test_switching_back_leaves_all_readable(tmp_path):
    """No way is a dead end."""
    sealed = KeyRing.open(tmp_path, NATIONAL).seal("a", b"x")

    assert b"x" == KeyRing.open(tmp_path, {}).unseal("a", sealed)


def test_identity_never_follows_the_setting(tmp_path):
    """Else every record would look new, and be stored and delivered a second time."""
    rings = [KeyRing.open(tmp_path, {}), KeyRing.open(tmp_path, NATIONAL)]
    frame = payments(3)

    ids, digests, indexes = (
        [record_ids(ring, PAYMENT, frame) for ring in rings],
        [row_digests(ring, PAYMENT, frame) for ring in rings],
        [blind_index(ring, "subject", ["1"]) for ring in rings],
    )

    assert ids[0] == ids[1]
    assert digests[0] == digests[1]
    assert indexes[0] == indexes[1]
    assert rings[0].fingerprint == rings[1].fingerprint


def test_a_ring_begun_under_the_national_suite_keeps_its_hmac_sm3(tmp_path):
    """Also when the setting is changed afterwards."""
    KeyRing.open(tmp_path, NATIONAL)
    ring = KeyRing.open(tmp_path, {})

    (made,) = blind_index(ring, "subject", ["1"])

    assert "hmac-sm3" == ring.digests
    assert hmac.new(ring.derived("index:subject"), b"1", "sm3").digest()[:16] == made


def test_a_ring_of_before_there_were_suites_is_international(tmp_path):
    """Its files say nothing of suites, wraps or years."""
    ring = KeyRing.open(tmp_path, {})
    sealed, before = ring.seal("a", b"x"), ring.derived("index:subject")
    for name in ring.files.names("*"):
        document = ring.files.document(name)
        for word in ("digests", "wrap"):
            document.pop(word, None)
        ring.files.replace(name, document)

    again = KeyRing.open(tmp_path, NATIONAL)

    assert (b"x", before, "blake2b") == (
        again.unseal("a", sealed),
        again.derived("index:subject"),
        again.digests,
    )


def test_unknown_suite_is_refused_with_a_suggestion():
    """A typo in a setting never means the default."""
    with pytest.raises(ConfigInvalid, match='did you mean "national"'):
        suite_of({"TONGBAN_CRYPTO_SUITE": "nationl"})


def test_sm2_is_off_and_says_so_while_nobody_provides_it():
    """It is never replaced silently."""
    assert "SM2 is off" in signatures_of(suite_of(NATIONAL))
    assert "Ed25519" == signatures_of(suite_of({}))


def test_sm2_is_on_when_a_package_provides_it(monkeypatch):
    """An entry point of that name is enough; it is not loaded for the answer."""
    found = [EntryPoint("SM2", "nowhere:signer", "tongban.signers")]
    monkeypatch.setattr(suites, "entry_points", lambda **_: found)

    assert "SM2" == signatures_of(suite_of(NATIONAL))


def test_new_keys_of_a_national_ring_are_wrapped_by_sm4(tmp_path):
    """The master key is used under the suite too."""
    ring = KeyRing.open(tmp_path, NATIONAL)
    ring.seal("a", b"x")

    wraps = {json.loads(path.read_text())["wrap"] for path in tmp_path.glob("*.json")}

    assert {2} == wraps
