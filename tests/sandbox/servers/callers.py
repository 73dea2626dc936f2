"""Callers: the hub's side of the six protocols, as small as a test needs it.

Each builds a correctly signed request; keyword arguments let a test spoil one thing.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

import requests
from lxml import etree

from sandbox.servers import signatures
from sandbox.servers.inbox import canonical_digest
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


# --- tax


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


# --- registration


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
    key = signatures.load_private_key(Path(account["extra"]["private_key_file"]).read_bytes())
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


# --- social


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


# --- housing


def housing_send(
    town: Town,
    method: str,
    path: str,
    query: dict[str, Any] | None = None,
    body: Any = None,
    *,
    shift_ms: int = 0,
    nonce: str | None = None,
    signature: str | None = None,
) -> requests.Response:
    """Call the housing bureau with a signed request."""
    account = town.account("housing")
    pairs = [(name, str(value)) for name, value in (query or {}).items()]
    data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    timestamp, nonce = str(int(time.time() * 1000) + shift_ms), nonce or secrets.token_hex(8)
    made = signatures.housing_signature(
        account["password"],
        method,
        path,
        signatures.canonical_query(pairs),
        data,
        timestamp,
        nonce,
    )
    headers = {
        "X-App-Key": account["login"],
        "X-Timestamp": timestamp,
        "X-Nonce": nonce,
        "X-Signature": made if signature is None else signature,
        "content-type": "application/json",
    }
    url = f"{town.url('housing')}{path}" + (f"?{urlencode(pairs)}" if pairs else "")
    return requests.request(method, url, data=data, headers=headers, timeout=10)


def housing_page(town: Town, path: str, page: int, size: int) -> dict[str, Any]:
    """Read one page of a list."""
    query = {
        "startTime": f"{SINCE:%Y-%m-%d %H:%M:%S}",
        "endTime": f"{UNTIL:%Y-%m-%d %H:%M:%S}",
        "pageNo": page,
        "pageSize": size,
    }
    answer = housing_send(town, "GET", f"/api/v1/{path}", query).json()
    assert "0000" == answer["code"], answer
    return answer["data"]


# --- market


def market_token(town: Town, url: str | None = None) -> str:
    """Fetch a token."""
    account = town.account("market")
    answer = requests.post(
        f"{url or town.url('market')}/oauth2/token",
        {"grant_type": "client_credentials"},
        auth=(account["login"], account["password"]),
        timeout=10,
    )
    return str(answer.json()["access_token"])


def market_window(limit: int = 200) -> dict[str, Any]:
    """Write the query of a list."""
    return {
        "modifiedSince": f"{SINCE:%Y-%m-%dT%H:%M:%S}+08:00",
        "modifiedBefore": f"{UNTIL:%Y-%m-%dT%H:%M:%S}+08:00",
        "limit": limit,
    }


# --- substation


def gateway_post(
    town: Town, interface_id: str, content: Any, *, shift_ms: int = 0, **spoiled: str
) -> requests.Response:
    """Call the gateway with a signed form; keyword arguments replace fields after signing."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    form = {
        "app_id": town.account("substation")["login"],
        "interface_id": interface_id,
        "version": "1.0",
        "biz_content": text,
        "charset": "UTF-8",
        "origin": "1",
        "timestamp": str(int(time.time() * 1000) + shift_ms),
        "header": "{}",
    }
    form["sign"] = signatures.gateway_sign(form)
    url = f"{town.url('substation')}/jpaas-jags-server/interface/gateway"
    return requests.post(url, {**form, **spoiled}, timeout=10)


def gateway(town: Town, interface_id: str, content: Any) -> dict[str, Any]:
    """Call the gateway, check the outer layer, return the inner one."""
    outer = gateway_post(town, interface_id, content).json()
    assert outer["success"], outer
    return json.loads(outer["data"])


def case_row(row_guid: str, project_no: str, cd_time: str = "20260302090000", **more: Any) -> Any:
    """Write an up_pro row with its digest."""
    data = {"project_no": project_no, **more}
    row = {"row_guid": row_guid, "cd_operation": "I", "cd_time": cd_time}
    return {**row, "digest": canonical_digest(data), **data}


def accept_row(row_guid: str, project_no: str, cd_time: str = "20260302090000") -> Any:
    """Write a complete up_pro_accept row."""
    fields = {"task_code": "T1", "applyer_name": "张*", "accept_date": "20260302090000"}
    return case_row(row_guid, project_no, cd_time, **fields)


def tif_send(
    town: Town,
    method: str,
    path: str,
    body: Any = None,
    *,
    shift_s: float = 0,
    nonce: str | None = None,
    lower: bool = False,
    token: str | None = None,
) -> requests.Response:
    """Call TIF with signed headers."""
    extra = town.account("substation")["extra"]
    timestamp, nonce = str(int(time.time() + shift_s)), nonce or secrets.token_hex(8)
    signature = signatures.tif_signature(timestamp, token or extra["tif_token"], nonce)
    headers = {
        "x-tif-paasid": extra["paas_id"],
        "x-tif-timestamp": timestamp,
        "x-tif-nonce": nonce,
        "x-tif-signature": signature.lower() if lower else signature,
    }
    url = f"{town.url('substation')}{path}"
    return requests.request(method, url, json=body, headers=headers, timeout=10)


def tif_row(row_guid: str, version: int, data: Any, op: str = "I") -> dict[str, Any]:
    """Write a TIF row with its digest."""
    row = {"row_guid": row_guid, "op": op, "version": version, "data": data}
    return {**row, "digest": canonical_digest(data)}


def tif_push(town: Town, dataset: str, rows: list[Any]) -> list[dict[str, Any]]:
    """Push a batch and return the verdicts."""
    body = {"batch_id": secrets.token_hex(4), "rows": rows}
    answer = tif_send(town, "POST", f"/tif/datasets/{dataset}/batch", body).json()
    assert 0 == answer["code"], answer
    return answer["results"]
