"""Signatures and field encryption against the published and the recorded vectors."""

from __future__ import annotations

import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from connectors.auth import Signature
from connectors.drafts import Draft
from connectors.fields import open_column, read_key, sm4_cbc_open
from connectors.signatures import hmac_sm3, key_material, sign, sm3
from connectors.wssecurity import WSSE, add_username_token, new_security
from tests.connectors.serving import FakeClock
from tongban.kernel.connections import Connection
from tongban.kernel.errors import AnswerUnreadable, CredentialsMissing
from tongban.kernel.interfaces import (
    Signed,
)

KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")


def seal(text: str, key: bytes = KEY) -> str:
    """Encrypt as a department does."""
    iv = b"0123456789abcdef"
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.SM4(key), modes.CBC(iv)).encryptor()
    body = encryptor.update(padder.update(text.encode()) + padder.finalize())
    return base64.b64encode(iv + body + encryptor.finalize()).decode()


def test_sm3_matches_the_standards_vector():
    """GB/T 32905-2016, appendix A.1."""
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert expected == sm3(b"abc").hex()


def test_hmac_sm3_differs_from_plain_sm3_and_depends_on_the_key():
    """A keyed hash is not a hash."""
    assert 3 == len({hmac_sm3(b"k", b"abc"), hmac_sm3(b"l", b"abc"), sm3(b"abc")})


def test_gateway_form_is_signed_as_recorded():
    """Vector of the Gansu gateway: SM3 over the sorted form without header and sign."""
    spec = Signed.model_validate(
        {
            "kind": "signed",
            "algorithm": "sm3",
            "text": "{form}",
            "unsigned": ["header", "sign"],
            "send": {"in": "form", "values": {"sign": "{signature}"}},
        }
    )
    form = {
        "app_id": "plzz",
        "interface_id": "demo",
        "version": "1.0",
        "biz_content": '{"a":1}',
        "charset": "UTF-8",
        "origin": "1",
        "timestamp": "1538352000000",
        "header": "{}",
    }
    draft = Draft("x", "POST", "http://127.0.0.1/gateway", form=dict(form))

    Signature(spec, Connection("c", "http://127.0.0.1"), FakeClock()).before(draft)

    assert "e882e5e692d4eb14e1e103d37bd327ff2403b6523d791f0179eadeb80edce0d2" == draft.form["sign"]


def test_tif_headers_are_signed_as_recorded():
    """Vector of the TIF headers: SHA-256 of ts + token + nonce + ts, upper hex."""
    text = "1538352000" + "demo-token-not-secret" + "nonce0001" + "1538352000"
    expected = "7A84EA52454A7443A37A5220EEEBB02D10E3E4AEDCF53DA7E5DD8E4C38114661"
    assert expected == sign("sha256", text, key=None, encoding="HEX")


def test_rsa_signature_verifies_with_the_public_key():
    """What we sign with the private key, the office checks with the public one."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    signature = sign("rsa_sha256", "app\n1\nn", key=key_material(pem.decode()), encoding="base64")

    def verified(text: bytes) -> bool:
        signed = base64.b64decode(signature)
        try:
            private.public_key().verify(signed, text, rsa_padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    assert verified(b"app\n1\nn")
    assert not verified(b"app\n2\nn")


def test_missing_key_file_is_a_missing_credential():
    """The message names neither the path's content nor the key."""
    with pytest.raises(CredentialsMissing, match="cannot be read"):
        key_material("/nowhere/key.pem")


def test_broken_key_file_is_a_missing_credential():
    """A file that is no PEM key."""
    with pytest.raises(CredentialsMissing, match="not an unencrypted PEM key"):
        sign("rsa_sha256", "x", key=b"no key", encoding="hex")


def test_password_digest_follows_the_username_token_profile():
    """Base64 of SHA-1 over nonce, creation time and password (example of WSS4J's own tests)."""
    header = new_security()
    add_username_token(
        header, "user", "pw", nonce=b"12345678", created="2018-10-08T04:00:00Z", as_digest=True
    )

    password = header.find(f".//{{{WSSE}}}Password")

    import hashlib

    digest = hashlib.sha1(b"12345678" + b"2018-10-08T04:00:00Z" + b"pw", usedforsecurity=False)
    assert base64.b64encode(digest.digest()).decode() == password.text
    assert password.get("Type").endswith("#PasswordDigest")


def test_text_password_travels_as_text():
    """The other type of the profile."""
    header = new_security()
    add_username_token(header, "user", "pw", nonce=b"1", created="t", as_digest=False)
    assert "pw" == header.find(f".//{{{WSSE}}}Password").text


@pytest.mark.parametrize("text", ["620899199001010012", "张三·买买提", "x" * 16, ""])
def test_sm4_field_opens_to_what_was_sealed(text):
    """Also for whole blocks and for nothing."""
    assert text == sm4_cbc_open(KEY, seal(text))


def test_one_broken_cipher_text_stays_as_it_came():
    """Its row is for the contract's rules, its neighbours are read."""
    assert ["甲", "???", None, ""] == open_column("sm4_cbc", KEY, [seal("甲"), "???", None, ""])


def test_a_wrong_key_is_noticed_at_once():
    """Not one value opens, so nothing is handed on."""
    with pytest.raises(AnswerUnreadable, match="none of 2"):
        open_column("sm4_cbc", KEY, ["AAAA", "BBBB"])


@pytest.mark.parametrize("secret", ["", "00", "zz" * 16])
def test_field_key_must_be_sixteen_bytes_of_hex(secret):
    """Said before any row is touched."""
    with pytest.raises(CredentialsMissing, match="32 hex"):
        read_key(secret)
