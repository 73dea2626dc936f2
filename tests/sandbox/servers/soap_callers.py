"""Callers of the SOAP departments: the hub's side of three protocols, as small as a test needs it.

Each builds a correctly signed request; keyword arguments let a test spoil one thing.
"""

from __future__ import annotations

import base64
import os
import secrets
import time
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from lxml import etree

from sandbox.servers import signatures
from tests.sandbox.servers.town import SINCE, UNTIL, Town

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
DIGEST = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
    "#PasswordDigest"
)
S11 = "http://schemas.xmlsoap.org/soap/envelope/"
S12 = "http://www.w3.org/2003/05/soap-envelope"
COMPACT = "%Y%m%d%H%M%S"


def beijing_compact(shift_s: float = 0) -> str:
    """Spell the present Beijing moment, shifted."""
    moment = datetime.fromtimestamp(time.time() + shift_s + 8 * 3600, UTC)
    return moment.strftime(COMPACT)


def token(
    account: dict[str, Any],
    *,
    nonce: bytes | None = None,
    created: str | None = None,
    password: str | None = None,
    kind: str = DIGEST,
) -> str:
    """Write a WS-Security header."""
    nonce = os.urandom(16) if nonce is None else nonce
    created = created or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = signatures.password_digest(nonce, created, password or account["password"])
    return (
        f'<wsse:Security xmlns:wsse="{WSSE}" s:mustUnderstand="1"><wsse:UsernameToken>'
        f"<wsse:Username>{account['login']}</wsse:Username>"
        f'<wsse:Password Type="{kind}">{digest}</wsse:Password>'
        f"<wsse:Nonce>{base64.b64encode(nonce).decode()}</wsse:Nonce>"
        f'<wsu:Created xmlns:wsu="{WSU}">{created}</wsu:Created>'
        "</wsse:UsernameToken></wsse:Security>"
    )


def tax_window(page: int = 1, size: int = 1000, since: Any = SINCE, until: Any = UNTIL) -> str:
    """Write the BODY of a pull."""
    return (
        f"<GXSJQ>{since:%Y%m%d%H%M%S}</GXSJQ><GXSJZ>{until:%Y%m%d%H%M%S}</GXSJZ>"
        f"<YM>{page}</YM><MYTS>{size}</MYTS>"
    )


def bizml(service: str, body: str) -> str:
    """Write a whole inner document."""
    return f"<TAXBIZML><HEAD><QQFW>{service}</QQFW></HEAD><BODY>{body}</BODY></TAXBIZML>"


def tax_post(
    town: Town,
    service: str,
    inner: str,
    *,
    header: str | None = None,
    charset: str = "GB18030",
    declared: str = "GB18030",
    action: str = "doService",
    prolog: str = "",
) -> requests.Response:
    """Call doService; `inner` is the text of xmlString."""
    security = token(town.account("tax")) if header is None else header
    text = (
        f'<?xml version="1.0" encoding="{declared}"?>{prolog}<s:Envelope xmlns:s="{S11}">'
        f'<s:Header>{security}</s:Header><s:Body><t:doService xmlns:t="http://tax.sandbox.invalid'
        f'/exchange"><t:serviceCode>{service}</t:serviceCode><t:xmlString>{escape(inner)}'
        "</t:xmlString></t:doService></s:Body></s:Envelope>"
    )
    headers = {"content-type": f"text/xml; charset={charset}", "soapaction": f'"{action}"'}
    url = f"{town.url('tax')}/services/TaxExchange"
    return requests.post(url, text.encode(charset), headers=headers, timeout=10)


def tax_layers(answer: requests.Response) -> tuple[str, etree._Element]:
    """Unwrap both layers: responseCode and the inner document."""
    root = etree.fromstring(answer.content)
    inner = root.findtext(".//{*}responseData") or "<none/>"
    return root.findtext(".//{*}responseCode") or "", etree.fromstring(inner)


def tax(town: Town, service: str, body: str) -> etree._Element:
    """Call a service that must answer, and return the inner document."""
    code, inner = tax_layers(tax_post(town, service, bizml(service, body)))
    assert "0" == code
    return inner


@lru_cache
def private_key(path: str) -> RSAPrivateKey:
    """Load a key once: OpenSSL checks it for tens of milliseconds."""
    return signatures.load_private_key(Path(path).read_bytes())


def registration_post(
    town: Town,
    inner: str,
    *,
    shift_s: float = 0,
    nonce: str | None = None,
    app_id: str | None = None,
    spoil: bytes = b"",
    envelope: str = S12,
) -> requests.Response:
    """Call the share service with a signed envelope around `inner` (prefix t)."""
    account = town.account("registration")
    body = (
        f'<s:Envelope xmlns:s="{envelope}" xmlns:t="urn:bdc:share:v2"><s:Body>{inner}</s:Body>'
        "</s:Envelope>"
    ).encode()
    key = private_key(account["extra"]["private_key_file"])
    timestamp, nonce = str(int(time.time() + shift_s)), nonce or secrets.token_hex(8)
    app = app_id or account["login"]
    signed = signatures.registration_text(app, timestamp, nonce, body)
    headers = {
        "content-type": "application/soap+xml; charset=utf-8",
        "X-BDC-AppId": app,
        "X-BDC-Timestamp": timestamp,
        "X-BDC-Nonce": nonce,
        "X-BDC-Signature": signatures.rsa_sign(key, signed),
    }
    url = f"{town.url('registration')}/bdc/services/ShareService"
    return requests.post(url, body + spoil, headers=headers, timeout=10)


def registration(town: Town, inner: str) -> etree._Element:
    """Call an operation that must answer, and return the response element."""
    answer = registration_post(town, inner)
    assert 200 == answer.status_code, answer.text
    return etree.fromstring(answer.content).find(f"{{{S12}}}Body")[0]


def rights_query(
    operation: str = "QueryRights",
    *,
    limit: int = 500,
    cursor: str = "",
    since: Any = SINCE,
    until: Any = UNTIL,
) -> str:
    """Write a query element."""
    after = f"<t:cursor>{cursor}</t:cursor>" if cursor else ""
    return (
        f"<t:{operation}><t:since>{since:%Y-%m-%dT%H:%M:%S}+08:00</t:since>"
        f"<t:until>{until:%Y-%m-%dT%H:%M:%S}+08:00</t:until>{after}"
        f"<t:limit>{limit}</t:limit></t:{operation}>"
    )


def social_auth(account: dict[str, Any], shift_s: float = 0) -> dict[str, str]:
    """Sign: the three first parts of every request."""
    timestamp = beijing_compact(shift_s)
    sign = signatures.social_signature(account["login"], timestamp, account["password"])
    return {"appId": account["login"], "timestamp": timestamp, "sign": sign}


def social_window(start: int = 1, count: int = 2000) -> dict[str, Any]:
    """Write the other parts of a query."""
    return {
        "startTime": SINCE.strftime(COMPACT),
        "endTime": UNTIL.strftime(COMPACT),
        "startRow": start,
        "rowCount": count,
    }
