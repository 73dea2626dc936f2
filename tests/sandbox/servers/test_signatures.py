"""Signatures against the vectors of the interface notes."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sandbox.servers import signatures

GATEWAY_FORM = {
    "app_id": "plzz",
    "biz_content": '{"a":1}',
    "charset": "UTF-8",
    "interface_id": "demo",
    "origin": "1",
    "timestamp": "1538352000000",
    "version": "1.0",
    "header": "{}",
}
KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")  # GB/T 32907-2016, example 1


def test_sm3_gives_the_standards_example():
    """GB/T 32905-2016, example 1."""
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"

    assert expected == signatures.sm3_hex(b"abc")


def test_the_gateway_sign_gives_the_noted_vector():
    """Seven fields in alphabetical order; header stays outside."""
    expected = "e882e5e692d4eb14e1e103d37bd327ff2403b6523d791f0179eadeb80edce0d2"

    assert expected == signatures.gateway_sign(GATEWAY_FORM)
    assert expected == signatures.gateway_sign({**GATEWAY_FORM, "header": "x"})
    assert expected != signatures.gateway_sign({**GATEWAY_FORM, "origin": "2"})


def test_the_tif_signature_gives_the_noted_vector():
    """Upper-case hex of SHA-256."""
    expected = "7A84EA52454A7443A37A5220EEEBB02D10E3E4AEDCF53DA7E5DD8E4C38114661"

    assert expected == signatures.tif_signature("1538352000", "demo-token-not-secret", "nonce0001")


def test_the_cipher_is_sm4():
    """GB/T 32907-2016, example 1, with the library that the servers use."""
    encryptor = Cipher(SM4(KEY), modes.ECB()).encryptor()  # noqa: S305 - the standard's example

    assert "681edf34d206965e86b3e94f536e4246" == encryptor.update(KEY).hex()


@pytest.mark.parametrize("text", ["", "1", "620899198503140011", "王秀英𠅤", "x" * 16])
def test_a_sealed_field_opens_to_what_it_was(text):
    """Also for the empty text, a whole block, and characters outside the BMP."""
    assert text == signatures.sm4_decrypt(KEY, signatures.sm4_encrypt(KEY, text))


def test_a_canonical_query_is_sorted_and_encoded_by_rfc_3986():
    """Blank is %20, tilde stays, order is by name and then by value."""
    pairs = [("b", "2"), ("a", "x y~"), ("b", "1"), ("名", "/")]

    assert "a=x%20y~&b=1&b=2&%E5%90%8D=%2F" == signatures.canonical_query(pairs)


def test_a_password_digest_follows_the_username_token_profile():
    """Base64 of SHA-1 over nonce, created and password."""
    expected = hashlib.sha1(b"n2026-01-01T00:00:00Zp", usedforsecurity=False).digest()

    digest = signatures.password_digest(b"n", "2026-01-01T00:00:00Z", "p")
    assert base64.b64encode(expected).decode() == digest


def test_a_comparison_takes_any_text():
    """Non-ASCII from a caller is just wrong, not a crash."""
    assert not signatures.same("签名", "x")
    assert signatures.same("签名", "签名")


def test_a_password_protected_or_foreign_key_is_refused():
    """The registration client signs with RSA only."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )

    with pytest.raises(TypeError, match="no RSA key"):
        signatures.load_private_key(pem)
