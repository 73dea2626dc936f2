"""WS-Security against a server that checks it with its own code: tokens, times, signatures."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from connectors.errors import AnswerSignatureWrong
from connectors.wssecurity import add_timestamp, new_security
from connectors.xmlsignature import WSU, sign_elements
from tests.connectors.serving import Reply, answers, serving
from tests.connectors.test_soap_wire import ENV11, XML, claims, claims_page, read
from tongban.kernel.errors import CredentialsMissing

DS = "{http://www.w3.org/2000/09/xmldsig#}"
X509 = {"kind": "ws_security_x509"}
USERNAME = {"kind": "ws_security_username", "timestamp_s": 60, "must_understand": True}
SERVED = datetime(2018, 10, 8, 4, 0, tzinfo=UTC)  # the test clock's noon in Beijing


def pair(folder, name: str) -> tuple[rsa.RSAPrivateKey, dict[str, str]]:
    """Make a key and a certificate of it as files."""
    key = rsa.generate_private_key(65537, 2048)
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2018, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2030, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return key, {
        "private_key_file": str(folder / f"{name}.key"),
        "certificate_file": str(folder / f"{name}.crt"),
    }


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Make one pair for us and one for the server."""
    folder = tmp_path_factory.mktemp("keys")
    (_, ours), (server, theirs) = pair(folder, "hub"), pair(folder, "server")
    return {**ours, "server_certificate_file": theirs["certificate_file"]}, server, theirs


def c14n(element: etree._Element) -> bytes:
    """Canonicalise with lxml itself, not by our helper."""
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def covered(body: bytes) -> list[str]:
    """Verify a request as a server does and give the local names that were signed.

    The certificate comes from the request's token, as the X.509 token profile wants it.
    """
    root = etree.fromstring(body)
    signature = root.find(f".//{DS}Signature")
    reference = signature.find(f"{DS}KeyInfo/*/*").get("URI")[1:]
    token = next(e for e in root.iter() if e.get(f"{{{WSU}}}Id") == reference)
    certificate = x509.load_der_x509_certificate(base64.b64decode(token.text))
    info = signature.find(f"{DS}SignedInfo")
    certificate.public_key().verify(
        base64.b64decode(signature.findtext(f"{DS}SignatureValue")),
        c14n(info),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )
    names = []
    for at in info.iter(f"{DS}Reference"):
        element = next(e for e in root.iter() if e.get(f"{{{WSU}}}Id") == at.get("URI")[1:])
        found = base64.b64encode(hashlib.sha256(c14n(element)).digest()).decode()
        assert found == at.findtext(f"{DS}DigestValue")
        names.append(etree.QName(element).localname)
    return names


def signing(key, *, sign_body: bool = True, lasts_s: float = 60, now: datetime = SERVED):
    """Answer with an envelope that the server signs."""

    def serve(_asked) -> Reply:
        root = etree.fromstring(claims_page("1").encode())
        header = etree.Element(f"{{{ENV11}}}Header")
        root.insert(0, header)
        security = new_security()
        header.append(security)
        add_timestamp(security, now, lasts_s)
        body = root.find(f"{{{ENV11}}}Body")
        body.set(f"{{{WSU}}}Id", "b")
        signed = [security[0], body] if sign_body else [security[0]]
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        sign_elements(security, signed, pem, etree.Element("none"))
        return 200, XML, etree.tostring(root)

    return serve


@pytest.mark.parametrize("charset", ["utf-8", "GB18030"])
def test_body_and_timestamp_are_signed_as_they_travel(tmp_path, keys, charset):
    """The server recomputes every digest from the bytes that it got."""
    system = claims(tmp_path, auth=X509, charset=charset)
    with serving(answers(200, claims_page("1").encode(charset), XML)) as server:
        read(system, server.url, tmp_path, ("no",), extra=keys[0])
        assert ["Body", "Timestamp"] == covered(server.asked[0].body)


def test_a_changed_request_does_not_verify(tmp_path, keys):
    """The check above can fail."""
    with serving(answers(200, claims_page("1").encode(), XML)) as server:
        read(claims(tmp_path, auth=X509), server.url, tmp_path, ("no",), extra=keys[0])
        changed = re.sub(rb"(<ns\d+:page>)1<", rb"\g<1>2<", server.asked[0].body)
    assert changed != server.asked[0].body
    with pytest.raises(AssertionError):
        covered(changed)


def test_token_and_signature_share_one_header(tmp_path, keys):
    """One Security header with Timestamp, UsernameToken, certificate and signature over all."""
    signed = {**X509, "sign": ["username_token", "certificate"]}
    system = claims(tmp_path, auth=[USERNAME, signed])
    with serving(answers(200, claims_page("1").encode(), XML)) as server:
        read(system, server.url, tmp_path, ("no",), extra=keys[0])
        body = server.asked[0].body
    header = etree.fromstring(body).find(f"{{{ENV11}}}Header")
    assert ["Security"] == [etree.QName(e).localname for e in header]
    assert ["Timestamp", "UsernameToken", "BinarySecurityToken", "Signature"] == [
        etree.QName(e).localname for e in header[0]
    ]
    assert ["Body", "Timestamp", "UsernameToken", "BinarySecurityToken"] == covered(body)
    assert "1" == header[0].get(f"{{{ENV11}}}mustUnderstand")


def test_the_timestamp_is_valid_as_long_as_declared(tmp_path):
    """Created now, expires after the declared seconds, in UTC."""
    with serving(answers(200, claims_page("1").encode(), XML)) as server:
        read(claims(tmp_path, auth=USERNAME), server.url, tmp_path, ("no",))
        stamp = etree.fromstring(server.asked[0].body).find(f".//{{{WSU}}}Timestamp")
    times = [datetime.fromisoformat(child.text) for child in stamp]
    assert timedelta(seconds=60) == times[1] - times[0]
    assert SERVED == times[0].replace(second=0, microsecond=0)


def test_a_signed_answer_is_believed(tmp_path, keys):
    """Body and Timestamp, by the server's pinned certificate."""
    system = claims(tmp_path, auth={**X509, "verify": True})
    with serving(signing(keys[1])) as server:
        (frame,) = read(system, server.url, tmp_path, ("no",), extra=keys[0])
    assert [("1",)] == frame.rows()


def wrapping(key):
    """Move the signed Body aside and put another in its place."""

    def serve(asked) -> Reply:
        status, headers, body = signing(key)(asked)
        root = etree.fromstring(body)
        signed = root.find(f"{{{ENV11}}}Body")
        forged = etree.fromstring(claims_page("666").encode()).find(f"{{{ENV11}}}Body")
        root.replace(signed, forged)
        root.find(f"{{{ENV11}}}Header").append(signed)
        return status, headers, etree.tostring(root)

    return serve


def tampering(key):
    """Change a value after signing."""

    def serve(asked) -> Reply:
        status, headers, body = signing(key)(asked)
        return status, headers, body.replace(b"<paid>1", b"<paid>9")

    return serve


@pytest.mark.parametrize(
    "answer",
    [
        lambda _key: answers(200, claims_page("1").encode(), XML),
        tampering,
        wrapping,
        lambda _key: signing(rsa.generate_private_key(65537, 2048)),
        lambda key: signing(key, sign_body=False),
        lambda key: signing(key, now=SERVED - timedelta(hours=1)),
    ],
    ids=["unsigned", "tampered", "wrapped", "another key", "body left out", "stale"],
)
def test_an_answer_that_does_not_prove_itself_is_refused(tmp_path, keys, answer):
    """Each with the same code; the page is kept for evidence."""
    kept: list[bytes] = []
    system = claims(tmp_path, auth={**X509, "verify": True})
    with serving(answer(keys[1])) as server, pytest.raises(AnswerSignatureWrong):
        read(
            system,
            server.url,
            tmp_path,
            ("no",),
            extra=keys[0],
            on_unreadable=lambda _, body: kept.append(body),
        )
    assert kept


def test_a_file_that_is_no_certificate_is_a_missing_credential(tmp_path, keys):
    """Told before anything is sent."""
    extra = {**keys[0], "certificate_file": keys[0]["private_key_file"]}
    with serving(answers(200, b"", XML)) as server:
        with pytest.raises(CredentialsMissing, match=r"no X\.509 certificate"):
            read(claims(tmp_path, auth=X509), server.url, tmp_path, ("no",), extra=extra)
        assert [] == server.asked
