"""The market regulation gateway, over HTTP."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from tests.sandbox.servers.json_callers import market_token, market_window
from tests.sandbox.servers.town import CREDIT_CODE, Town


def read(town: Town, path: str, query: Any = None, token: str | None = None) -> requests.Response:
    """Read from the gateway."""
    headers = {"authorization": f"Bearer {token or market_token(town)}"}
    url = path if path.startswith("http") else f"{town.url('market')}/gateway/{path}"
    return requests.get(url, query, headers=headers, timeout=10)


def taxpayer(biz_id: str, **changes: Any) -> dict[str, Any]:
    """Write one taxpayer row."""
    row = {"bizId": biz_id, "op": "I", "uniscid": CREDIT_CODE.format(1)}
    return {**row, "taxState": "03", "clearanceState": "0", "clearedOn": None, **changes}


def push(town: Town, *rows: dict[str, Any], message_id: str = "m1") -> dict[str, Any]:
    """Push taxpayers."""
    headers = {"authorization": f"Bearer {market_token(town)}"}
    url = f"{town.url('market')}/gateway/inbound/taxpayers"
    body = {"messageId": message_id, "records": list(rows)}
    return requests.post(url, json=body, headers=headers, timeout=10).json()


def test_link_headers_lead_through_every_page(town):
    """The next address is complete; the last page has none."""
    answer = read(town, "enterprises", market_window(10))
    codes, pages = [], 0
    while True:
        body = answer.json()
        codes += [row["uniscid"] for row in body["resultData"]]
        pages += 1
        if "next" not in answer.links:
            break
        answer = read(town, answer.links["next"]["url"])

    assert ("00", 21, 3) == (body["resultCode"], body["resultTotal"], pages)
    assert [CREDIT_CODE.format(n) for n in range(21)] == codes


def test_a_token_says_how_long_it_lives(town):
    """Twenty seconds unless the environment says otherwise."""
    account = town.account("market")
    answer = requests.post(
        f"{town.url('market')}/oauth2/token",
        {"grant_type": "client_credentials"},
        auth=(account["login"], account["password"]),
        timeout=10,
    ).json()

    assert ("Bearer", 20) == (answer["token_type"], answer["expires_in"])


def test_a_wrong_client_gets_no_token(town):
    """401 invalid_client."""
    url = f"{town.url('market')}/oauth2/token"
    form = {"grant_type": "client_credentials"}

    answer = requests.post(url, form, auth=("hub-market", "wrong"), timeout=10)

    assert (401, "invalid_client") == (answer.status_code, answer.json()["error"])


def test_another_grant_type_gets_no_token(town):
    """400 unsupported_grant_type."""
    account = town.account("market")
    answer = requests.post(
        f"{town.url('market')}/oauth2/token",
        {"grant_type": "password"},
        auth=(account["login"], account["password"]),
        timeout=10,
    )

    assert (400, "unsupported_grant_type") == (answer.status_code, answer.json()["error"])


@pytest.mark.parametrize("token", ["none", "x y"])
def test_an_unknown_token_is_401(town, token):
    """With the header that says why."""
    answer = read(town, "enterprises", market_window(), token)

    assert 401 == answer.status_code
    assert "invalid_token" in answer.headers["www-authenticate"]


def test_a_token_dies_after_its_time(monkeypatch, tmp_path):
    """SANDBOX_TOKEN_SECONDS shortens its life; a new one works."""
    monkeypatch.setenv("SANDBOX_TOKEN_SECONDS", "0.3")
    short = Town(tmp_path)
    try:
        token = market_token(short)
        alive = read(short, "persons", market_window(), token).status_code
        time.sleep(0.35)
        dead = read(short, "persons", market_window(), token).status_code
        renewed = read(short, "persons", market_window()).status_code
    finally:
        short.stop()

    assert (200, 401, 200) == (alive, dead, renewed)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"limit": 0}, "03"),
        ({"limit": 201}, "03"),
        ({"limit": "x"}, "02"),
        ({"modifiedSince": "2026-01-01T00:00:00"}, "05"),
        ({"modifiedBefore": "2025-01-01T00:00:00+08:00"}, "05"),
        ({"after": "nonsense"}, "06"),
        ({"page": 2}, "02"),
    ],
)
def test_a_bad_parameter_has_its_own_code(town, changes, code):
    """HTTP 200, the envelope says no."""
    answer = read(town, "enterprises", {**market_window(10), **changes})

    assert (200, code) == (answer.status_code, answer.json()["resultCode"])


def test_an_offset_other_than_beijings_is_understood(town):
    """The same moments in UTC give the same rows."""
    window = {
        "modifiedSince": "2026-03-02T01:00:00+00:00",
        "modifiedBefore": "2026-03-02T01:01:00Z",
        "limit": 10,
    }

    body = read(town, "enterprises", window).json()

    assert 2 == body["resultTotal"]


def test_an_unknown_service_answers_in_the_envelope(town):
    """ResultCode 04."""
    assert "04" == read(town, "nothing", market_window()).json()["resultCode"]


def test_taxpayers_are_taken_once(town):
    """State 0, then 2 with the same receipt."""
    first = push(town, taxpayer("t-1"))["resultData"][0]
    second = push(town, taxpayer("t-1"))["resultData"][0]

    assert ("0", "2") == (first["state"], second["state"])
    assert first["receiptNo"] == second["receiptNo"]
    assert second["receiptNo"]


def test_a_broken_taxpayer_is_refused_by_itself(town):
    """The reason begins with its code."""
    rows = (taxpayer("t-2", taxState=""), taxpayer("t-3", clearedOn="2026/1/1"), taxpayer("t-4"))

    data = push(town, *rows)["resultData"]

    assert ["1", "1", "0"] == [row["state"] for row in data]
    assert ["E101", "E102", ""] == [row["reason"][:4] for row in data]


def test_a_push_without_message_id_is_refused(town):
    """ResultCode 02."""
    assert "02" == push(town, taxpayer("t-5"), message_id="")["resultCode"]


def test_a_batch_above_the_limit_is_refused_whole(town):
    """At most 200 rows."""
    answer = push(town, *[taxpayer(f"many-{n}") for n in range(201)])

    assert "07" == answer["resultCode"]
    assert "many-0" not in town.accepted("market", "taxpayer")
