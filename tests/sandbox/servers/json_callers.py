"""Callers of the JSON departments: the hub's side of three protocols, as small as a test needs it.

Each builds a correctly signed request; keyword arguments let a test spoil one thing.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import Any
from urllib.parse import urlencode

import requests

from sandbox.servers import signatures
from sandbox.servers.inbox import canonical_digest
from tests.sandbox.servers.town import SINCE, UNTIL, Town


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
    text: str | None = None,
) -> requests.Response:
    """Call the housing bureau with a signed request."""
    account = town.account("housing")
    pairs = [(name, str(value)) for name, value in (query or {}).items()]
    data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    data = data if text is None else text.encode()
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
    fields = {"task_code": "T1", "applyer_name": "张*", "apply_date": "20260302090000"}
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
