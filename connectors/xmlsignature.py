"""XML signatures for WS-Security: exclusive C14N, SHA-256, RSA PKCS#1 v1.5, and nothing weaker.

Signing and verifying work on lxml trees with the primitives of `signatures`. What must be signed
is decided by the caller; what an answer's references say is believed only for elements that are
found once, so that a signed element cannot be moved aside for another one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from connectors.signatures import rsa_sha256
from tongban.kernel.errors import CredentialsMissing

Element = etree._Element  # noqa: SLF001 - lxml has no public name for its element type

DS = "http://www.w3.org/2000/09/xmldsig#"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_ID = f"{{{WSU}}}Id"


class SignatureWrong(Exception):  # noqa: N818 - mapped by the caller
    """The signature is missing or does not hold; the text says why."""


def canonical(element: Element, prefixes: Sequence[str] = ()) -> bytes:
    """Write an element in exclusive canonical form (W3C, 2002), without comments."""
    return bytes(
        etree.tostring(
            element,
            method="c14n",
            exclusive=True,
            with_comments=False,
            inclusive_ns_prefixes=list(prefixes) or None,
        )
    )


def digest(element: Element, prefixes: Sequence[str] = ()) -> str:
    """Give the base64 SHA-256 digest of an element's canonical form."""
    return base64.b64encode(hashlib.sha256(canonical(element, prefixes)).digest()).decode()


def sign_elements(
    parent: Element, elements: Sequence[Element], key: bytes, key_info: Element
) -> Element:
    """Append a signature over elements to `parent`.

    Args:
        parent: The Security header, already at its place in the envelope.
        elements: What is signed; each has a wsu:Id.
        key: RSA private key in PEM.
        key_info: Content of KeyInfo.

    Source:
        XML Signature 1.1, section 3.1; WS-Security X.509 Token Profile 1.1.
    """
    signature = etree.SubElement(parent, f"{{{DS}}}Signature", nsmap={"ds": DS})
    signed = etree.SubElement(signature, f"{{{DS}}}SignedInfo")
    etree.SubElement(signed, f"{{{DS}}}CanonicalizationMethod", Algorithm=EXCLUSIVE)
    etree.SubElement(signed, f"{{{DS}}}SignatureMethod", Algorithm=RSA_SHA256)
    for element in elements:
        at = etree.SubElement(signed, f"{{{DS}}}Reference", URI=f"#{element.get(_ID)}")
        transforms = etree.SubElement(at, f"{{{DS}}}Transforms")
        etree.SubElement(transforms, f"{{{DS}}}Transform", Algorithm=EXCLUSIVE)
        etree.SubElement(at, f"{{{DS}}}DigestMethod", Algorithm=SHA256)
        etree.SubElement(at, f"{{{DS}}}DigestValue").text = digest(element)
    value = etree.SubElement(signature, f"{{{DS}}}SignatureValue")
    value.text = base64.b64encode(rsa_sha256(key, canonical(signed))).decode()
    etree.SubElement(signature, f"{{{DS}}}KeyInfo").append(key_info)
    return signature


def verified_elements(root: Element, signature: Element, certificate: bytes) -> list[Element]:
    """Verify a signature with a pinned certificate and give the elements that it covers.

    Raises:
        SignatureWrong: It does not verify, uses another algorithm, or refers ambiguously.
        CredentialsMissing: The certificate cannot be read or holds no RSA key.
    """
    signed = signature.find(f"{{{DS}}}SignedInfo")
    value = signature.findtext(f"{{{DS}}}SignatureValue")
    if signed is None or value is None:
        raise SignatureWrong("it is incomplete")
    method = signed.find(f"{{{DS}}}CanonicalizationMethod")
    _demand(method, EXCLUSIVE)
    _demand(signed.find(f"{{{DS}}}SignatureMethod"), RSA_SHA256)
    text = canonical(signed, _prefixes(method))
    try:
        raw = base64.b64decode("".join(value.split()), validate=True)
        public_key(certificate).verify(raw, text, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error):
        raise SignatureWrong("it was not made with the server's key") from None
    return [_covered(root, at) for at in signed.iterchildren(f"{{{DS}}}Reference")]


def _covered(root: Element, reference: Element) -> Element:
    """Find what a reference covers and compare its digest."""
    wanted = reference.get("URI", "")[1:]
    found = [e for e in root.iter() if wanted in {e.get(_ID), e.get("Id"), e.get("ID")}]
    if not wanted or len(found) != 1:
        raise SignatureWrong("a reference leads to no element, or to several")
    transforms = list(reference.iter(f"{{{DS}}}Transform"))
    for transform in transforms:
        _demand(transform, EXCLUSIVE)
    _demand(reference.find(f"{{{DS}}}DigestMethod"), SHA256)
    prefixes = _prefixes(transforms[0]) if transforms else ()
    said = "".join((reference.findtext(f"{{{DS}}}DigestValue") or "").split())
    if not transforms or not hmac.compare_digest(
        said.encode(), digest(found[0], prefixes).encode()
    ):
        raise SignatureWrong("a signed element was changed")
    return found[0]


def _demand(element: Element | None, algorithm: str) -> None:
    if element is None or element.get("Algorithm") != algorithm:
        raise SignatureWrong("it uses an algorithm that is not accepted")


def _prefixes(element: Element | None) -> list[str]:
    inner = element.find(f"{{{EXCLUSIVE}}}InclusiveNamespaces") if element is not None else None
    return inner.get("PrefixList", "").split() if inner is not None else []


def read_certificate(pem: bytes) -> x509.Certificate:
    """Read a certificate in PEM or DER.

    Raises:
        CredentialsMissing: It is none.
    """
    try:
        if b"-----BEGIN" in pem:
            return x509.load_pem_x509_certificate(pem)
        return x509.load_der_x509_certificate(pem)
    except ValueError:
        raise CredentialsMissing(
            "the certificate file that the connection names holds no X.509 certificate; replace it"
        ) from None


def certificate_bytes(pem: bytes) -> bytes:
    """Give a certificate as it travels in a token (DER).

    Raises:
        CredentialsMissing: It is none.
    """
    return read_certificate(pem).public_bytes(Encoding.DER)


def public_key(certificate: bytes) -> rsa.RSAPublicKey:
    """Give a certificate's RSA key.

    Raises:
        CredentialsMissing: It has another kind of key.
    """
    key = read_certificate(certificate).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise CredentialsMissing("the certificate holds no RSA key; replace the file")
    return key
