"""WS-Security: who we are in the SOAP header — UsernameToken, Timestamp, X.509 signature.

All kinds of one interface share one Security header. Tokens are written before the envelope is
serialized; the signature is made over the envelope that travels, and an answer's signature is
verified against the pinned certificate where the system's YAML wants it. Constant and custom SOAP
headers are here too. Secrets enter neither messages nor logs.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree

from connectors.clock import Clock
from connectors.drafts import Answer, Draft
from connectors.errors import AnswerSignatureWrong
from connectors.identity import Silent, identity_values
from connectors.protocols.attachments import is_package
from connectors.protocols.xmldoc import local, parse_xml, to_utf8
from connectors.signatures import key_material
from connectors.templates import fill
from connectors.xmlsignature import (
    DS,
    WSU,
    SignatureWrong,
    certificate_bytes,
    sign_elements,
    verified_elements,
)
from tongban.kernel.connections import Connection
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.interfaces import (
    Interface,
    WsSecurityUsername,
    WsSecurityX509,
)

Element = etree._Element  # noqa: SLF001 - lxml has no public name for its element type

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
_MESSAGES = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0"
_X509 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
_ID = f"{{{WSU}}}Id"
SKEW_S = 300  # that an answer's Timestamp may be off


def new_security() -> Element:
    """Make an empty Security header."""
    return etree.Element(f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU})


def security_of(draft: Draft) -> Element:
    """Give the draft's Security header; all kinds of identity share it."""
    for element in draft.soap_headers:
        if element.tag == f"{{{WSSE}}}Security":
            return element  # type: ignore[no-any-return] # drafts hold any
    security = new_security()
    draft.soap_headers.append(security)
    return security


def add_username_token(
    security: Element, login: str, password: str, *, nonce: bytes, created: str, as_digest: bool
) -> Element:
    """Add a UsernameToken: digest = base64(SHA-1(nonce + created + password)).

    Source:
        OASIS Web Services Security UsernameToken Profile 1.0, section 3.1.
    """
    token = etree.SubElement(security, f"{{{WSSE}}}UsernameToken")
    etree.SubElement(token, f"{{{WSSE}}}Username").text = login
    secret = etree.SubElement(token, f"{{{WSSE}}}Password")
    if as_digest:
        digest = hashlib.sha1(
            nonce + created.encode() + password.encode(), usedforsecurity=False
        ).digest()
        secret.set("Type", f"{_PROFILE}#PasswordDigest")
        secret.text = base64.b64encode(digest).decode()
    else:
        secret.set("Type", f"{_PROFILE}#PasswordText")
        secret.text = password
    coded = etree.SubElement(token, f"{{{WSSE}}}Nonce", EncodingType=f"{_MESSAGES}#Base64Binary")
    coded.text = base64.b64encode(nonce).decode()
    etree.SubElement(token, f"{{{WSU}}}Created").text = created
    return token


def add_timestamp(security: Element, now: datetime, seconds: float) -> None:
    """Put a Timestamp of that validity first into a Security header, unless it has one."""
    if security.find(f"{{{WSU}}}Timestamp") is not None:
        return
    stamp = etree.Element(f"{{{WSU}}}Timestamp")
    stamp.set(_ID, f"TS-{secrets.token_hex(8)}")
    etree.SubElement(stamp, f"{{{WSU}}}Created").text = _moment(now)
    etree.SubElement(stamp, f"{{{WSU}}}Expires").text = _moment(now + timedelta(seconds=seconds))
    security.insert(0, stamp)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class UsernameToken(Silent):
    """WS-Security UsernameToken 1.0, digest or text."""

    def __init__(self, spec: WsSecurityUsername, connection: Connection, clock: Clock) -> None:
        self._spec = spec
        self._connection = connection
        self._clock = clock

    def renew(self) -> bool:
        """A fresh nonce and time may be believed where the last ones were not."""
        return True

    def before(self, draft: Draft) -> None:
        """Add the token with a fresh nonce and creation time."""
        security = security_of(draft)
        now = self._clock.now()
        if self._spec.timestamp_s is not None:
            add_timestamp(security, now, self._spec.timestamp_s)
        if self._spec.must_understand:
            draft.understood.add(security.tag)
        add_username_token(
            security,
            self._connection.secret("login"),
            self._connection.secret("password"),
            nonce=secrets.token_bytes(16),
            created=_moment(now),
            as_digest=self._spec.password == "digest",  # noqa: S105 - a password type
        )


class X509Signature(Silent):
    """WS-Security X.509: our certificate travels, Body and Timestamp are signed with its key."""

    def __init__(self, spec: WsSecurityX509, connection: Connection, clock: Clock) -> None:
        self._spec = spec
        self._connection = connection
        self._clock = clock

    def renew(self) -> bool:
        """A fresh time may be believed where the last one was not."""
        return True

    def before(self, draft: Draft) -> None:
        """Add Timestamp and certificate."""
        security = security_of(draft)
        if self._spec.must_understand:
            draft.understood.add(security.tag)
        add_timestamp(security, self._clock.now(), self._spec.timestamp_s)
        pem = key_material(self._connection.secret(self._spec.certificate))
        token = etree.SubElement(
            security,
            f"{{{WSSE}}}BinarySecurityToken",
            EncodingType=f"{_MESSAGES}#Base64Binary",
            ValueType=_X509,
        )
        token.set(_ID, f"X509-{secrets.token_hex(8)}")
        token.text = base64.b64encode(certificate_bytes(pem)).decode()

    def after(self, draft: Draft) -> None:
        """Sign the envelope that travels."""
        root = etree.fromstring(draft.body, etree.XMLParser(resolve_entities=False))
        security = next(root.iter(f"{{{WSSE}}}Security"))
        token = next(security.iter(f"{{{WSSE}}}BinarySecurityToken"))
        body = next(part for part in root if local(part.tag) == "Body")
        body.set(_ID, f"Body-{secrets.token_hex(8)}")
        signed = [body, next(security.iter(f"{{{WSU}}}Timestamp"))]
        for name in self._spec.sign:
            for element in security.iter(f"{{{WSSE}}}{_SIGNABLE[name]}"):
                if element.get(_ID) is None:
                    element.set(_ID, f"ID-{secrets.token_hex(8)}")
                signed.append(element)
        info = etree.Element(f"{{{WSSE}}}SecurityTokenReference", nsmap={"wsse": WSSE})
        etree.SubElement(info, f"{{{WSSE}}}Reference", URI=f"#{token.get(_ID)}", ValueType=_X509)
        key = key_material(self._connection.secret(self._spec.key))
        sign_elements(security, signed, key, info)
        charset = root.getroottree().docinfo.encoding or "UTF-8"
        draft.body = write_envelope(root, charset)

    def check(self, answer: Answer, interface: Interface, where: str) -> None:
        """Verify the answer's signature, where that is declared.

        Raises:
            AnswerSignatureWrong: It is missing, wrong, stale, or does not cover the Body.
        """
        if not self._spec.verify:
            return
        if is_package(answer.body):
            raise AnswerSignatureWrong(f"{where}: the signature of a MIME package is not verified")
        root = parse_xml(to_utf8(answer.body, interface.charset, where), where).element
        certificate = key_material(self._connection.secret(self._spec.server_certificate))
        try:
            verify_envelope(root, certificate, self._clock.now())
        except SignatureWrong as exc:
            raise AnswerSignatureWrong(
                f"{where}: the answer's signature cannot be trusted, {exc}; look at the kept page "
                "and at the server's certificate"
            ) from None


_SIGNABLE = {"username_token": "UsernameToken", "certificate": "BinarySecurityToken"}


def verify_envelope(root: Element, certificate: bytes, now: datetime) -> None:
    """Check that the Body, and a Timestamp that is still good, were signed by the server.

    Raises:
        SignatureWrong: They were not.
    """
    headers = [part for part in root if local(part.tag) == "Header"]
    bodies = [part for part in root if local(part.tag) == "Body"]
    security = [s for header in headers for s in header.iterchildren(f"{{{WSSE}}}Security")]
    signatures = [s for owner in security for s in owner.iterchildren(f"{{{DS}}}Signature")]
    if len(signatures) != 1 or len(bodies) != 1:
        raise SignatureWrong("there is not exactly one")
    covered = verified_elements(root, signatures[0], certificate)
    if bodies[0] not in covered:
        raise SignatureWrong("it leaves the Body out")
    for stamp in (s for owner in security for s in owner.iterchildren(f"{{{WSU}}}Timestamp")):
        expires = stamp.findtext(f"{{{WSU}}}Expires")
        if stamp not in covered:
            raise SignatureWrong("it leaves the Timestamp out")
        if expires and _read_moment(expires) < now - timedelta(seconds=SKEW_S):
            raise SignatureWrong("its time is over")


def _read_moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise SignatureWrong("its Timestamp is no time") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def write_envelope(root: Element, charset: str) -> bytes:
    """Write an envelope in a charset; characters that it lacks become references."""
    text = str(etree.tostring(root, encoding="unicode"))
    return (f'<?xml version="1.0" encoding="{charset}"?>\n' + text).encode(
        charset, "xmlcharrefreplace"
    )


class SoapHeaders(Silent):
    """The SOAP headers that the system's YAML declares."""

    def __init__(self, headers: dict[str, Any], connection: Connection, clock: Clock) -> None:
        self._headers = headers
        self._connection = connection
        self._clock = clock

    def before(self, draft: Draft) -> None:
        """Add every declared header."""
        values = identity_values(self._connection, self._clock)
        for name, template in self._headers.items():
            draft.soap_headers.append(header_element(name, fill(template, values)))


def header_element(name: str, content: Any) -> Element:
    """Build a header: elements inherit its namespace, `@name` is an attribute, lists repeat.

    Raises:
        ConfigInvalid: The name has no namespace, which SOAP demands of headers.
    """
    if not name.startswith("{"):
        raise ConfigInvalid(
            f'soap.headers: "{name}" needs its namespace, written as "{{namespace}}{name}"'
        )
    space = name[1:].partition("}")[0]
    prefixes: dict[Any, str] = {None: space}  # the stubs do not know default namespaces
    element = etree.Element(name, nsmap=prefixes)
    _add(element, content, space)
    return element


def _add(element: Element, content: Any, space: str) -> None:
    if isinstance(content, dict):
        for name, item in content.items():
            if name.startswith("@"):
                element.set(name[1:], str(item))
                continue
            full = name if name.startswith("{") else f"{{{space}}}{name}"
            for each in item if isinstance(item, list) else [item]:
                _add(etree.SubElement(element, full), each, space)
    elif content is not None:
        element.text = (
            ("true" if content else "false") if isinstance(content, bool) else str(content)
        )
