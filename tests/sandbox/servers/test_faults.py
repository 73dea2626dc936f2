"""Faults: every kind, at real servers, as a client meets it."""

from __future__ import annotations

import time

import pytest
import requests
from zeep.exceptions import Fault

from sandbox.servers.faults import Kind
from tests.sandbox.servers.json_callers import (
    gateway,
    gateway_post,
    housing_send,
    market_token,
    market_window,
    tif_send,
)
from tests.sandbox.servers.soap_callers import (
    bizml,
    registration_post,
    rights_query,
    social_auth,
    social_window,
    tax_layers,
    tax_post,
    tax_window,
)
from tests.sandbox.servers.test_housing import result_row
from tests.sandbox.servers.test_social import client
from tests.sandbox.servers.town import Town

UNITS = {
    "startTime": "2026-01-01 00:00:00",
    "endTime": "2027-01-01 00:00:00",
    "pageNo": 1,
    "pageSize": 500,
}


def units(town: Town) -> requests.Response:
    """Read the list of units."""
    return housing_send(town, "GET", "/api/v1/units", UNITS)


def push(town: Town, biz_id: str) -> requests.Response:
    """Push one registration result."""
    body = {"records": [result_row(biz_id)]}
    return housing_send(town, "POST", "/api/v1/registrations", body=body)


def test_latency_delays_the_answer_and_nothing_else(town):
    """The answer comes, later."""
    town.fault("housing", "latency", count=1, seconds=0.3)
    started = time.monotonic()

    answer = units(town)

    assert time.monotonic() - started >= 0.3
    assert "0000" == answer.json()["code"]


def test_error500_is_the_containers_page(town):
    """No JSON, no envelope."""
    town.fault("housing", "error500", count=1)

    answer = units(town)

    assert (500, "Internal Server Error\n") == (answer.status_code, answer.text)


def test_reset_before_loses_the_call(town):
    """The connection is reset and nothing was kept."""
    town.fault("housing", "reset_before", count=1)

    with pytest.raises(requests.ConnectionError):
        push(town, "f-before")

    assert "f-before" not in town.accepted("housing", "real_estate_right")


def test_reset_after_keeps_the_row_and_loses_only_the_answer(town):
    """The repeated call gets the receipt of the first one."""
    town.fault("housing", "reset_after", count=1)

    with pytest.raises(requests.ConnectionError):
        push(town, "f-after")
    kept = town.accepted("housing", "real_estate_right")["f-after"]
    again = push(town, "f-after").json()["data"]["results"][0]

    assert ("DUP", kept["receipt_no"]) == (again["status"], again["receiptNo"])


def test_half_body_promises_more_than_it_sends(town):
    """The client sees an incomplete read, not short JSON."""
    whole = len(units(town).content)
    town.fault("housing", "half_body", count=1)

    with pytest.raises(requests.exceptions.ChunkedEncodingError) as caught:
        units(town)

    assert f"{whole // 2} bytes read, {whole - whole // 2} more expected" in str(caught.value)


def test_too_many_names_the_time_to_wait(town):
    """429 with Retry-After from the fault's seconds."""
    town.fault("housing", "too_many", count=1, seconds=3)

    answer = units(town)

    assert (429, "3") == (answer.status_code, answer.headers["retry-after"])


def test_maintenance_is_a_page_with_http_200(town):
    """HTML where data was expected."""
    town.fault("housing", "maintenance", count=1)

    answer = units(town)

    assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert "系统维护" in answer.text


def test_token_death_kills_every_token_of_the_market(town):
    """401 now, and 401 for the same token later; a new token works."""
    url, token = f"{town.url('market')}/gateway/persons", market_token(town)

    def read(bearer: str) -> int:
        headers = {"authorization": f"Bearer {bearer}"}
        return requests.get(url, market_window(), headers=headers, timeout=10).status_code

    town.fault("market", "token_death", count=1)

    assert [401, 401, 200] == [read(token), read(token), read(market_token(town))]


def test_token_death_is_each_protocols_own_refusal(town):
    """Where there is no token, the credentials are dead for one call."""
    service = client(town)  # the WSDL is read before the fault is planned
    for system in ("tax", "registration", "housing", "social", "substation"):
        town.fault(system, "token_death", count=1)

    assert "wsse:FailedAuthentication" in tax_post(town, "A020", "x").text
    assert "FailedAuthentication" in registration_post(town, rights_query()).text
    assert "4001" == units(town).json()["code"]
    with pytest.raises(Fault, match="expired"):
        service.queryUnits(**{**social_auth(town.account("social")), **social_window()})
    assert "401" == gateway_post(town, "pull_evaluation", "{}").json()["code"]


def test_error_in_200_is_each_protocols_own_busy(town):
    """HTTP 200 and a well-formed envelope that says no."""
    for system in ("tax", "registration", "housing", "market"):
        town.fault(system, "error_in_200", count=1)
    town.fault("substation", "error_in_200", count=2)
    url = f"{town.url('market')}/gateway/persons"

    code, inner = tax_layers(tax_post(town, "A020", bizml("A020", tax_window())))
    assert ("0", "9999") == (code, inner.findtext("HEAD/FHM"))
    assert "<t:Code>503<" in registration_post(town, rights_query("QueryMortgages")).text
    assert (200, "5001") == (units(town).status_code, housing_busy(town))
    assert "99" == requests.get(url, timeout=10).json()["resultCode"]
    assert "9001" == gateway(town, "pull_evaluation", "{}")["code"]
    assert 500001 == tif_send(town, "GET", "/tif/statement?dataset=enterprise").json()["code"]


def housing_busy(town: Town) -> str:
    """Read the code of one busy answer."""
    town.fault("housing", "error_in_200", count=1)
    return units(town).json()["code"]


def test_a_busy_rpc_answer_has_every_part(town):
    """Zeep can read it: it is the answer of the operation that was called."""
    service = client(town)
    town.fault("social", "error_in_200", count=1)

    answer = service.queryUnits(**{**social_auth(town.account("social")), **social_window()})

    assert ("-9", 0) == (answer.rtnCode, answer.totalCount)


def test_a_count_is_used_up(town):
    """Two calls fail, the third works."""
    town.fault("housing", "error500", count=2)

    assert [500, 500, 200] == [units(town).status_code for _ in range(3)]


def test_a_fault_without_a_measure_is_for_one_call(town):
    """The shortest request does the least harm."""
    town.fault("housing", "error500")

    assert [500, 200] == [units(town).status_code for _ in range(2)]


@pytest.mark.parametrize(("rate", "expected"), [(0.0, {200}), (1.0, {500})])
def test_a_rate_is_a_share_of_the_calls(town, rate, expected):
    """Never at 0, always at 1."""
    town.fault("housing", "error500", rate=rate)

    assert expected == {units(town).status_code for _ in range(5)}


def test_seconds_end_a_fault(town):
    """Maintenance is over after its time."""
    town.fault("housing", "maintenance", seconds=0.3)

    first = units(town).headers["content-type"]
    time.sleep(0.35)

    assert ("text/html; charset=utf-8", "0000") == (first, units(town).json()["code"])


def test_a_match_spares_other_calls(town):
    """Only calls whose path or body contains the text, also inside a signed SOAP body."""
    town.fault("housing", "error500", rate=1, match="/contracts")
    town.fault("tax", "error500", rate=1, match="D001")

    assert 200 == units(town).status_code
    assert 500 == housing_send(town, "GET", "/api/v1/contracts", UNITS).status_code
    assert 200 == tax_post(town, "A020", bizml("A020", tax_window())).status_code
    assert 500 == tax_post(town, "D001", bizml("D001", tax_window())).status_code


def test_latency_and_another_fault_add_up(town):
    """A slow failure."""
    town.fault("housing", "latency", count=1, seconds=0.2)
    town.fault("housing", "error500", count=1)
    started = time.monotonic()

    answer = units(town)

    assert 500 == answer.status_code
    assert time.monotonic() - started >= 0.2


def test_faults_never_hit_the_control_address(town):
    """A tester can always end what it began."""
    town.fault("housing", "reset_before", rate=1)

    assert "housing" == town.control("housing", "GET", "health")["system"]
    assert [] == town.control("housing", "DELETE", "faults")["faults"]
    assert 200 == units(town).status_code


def test_a_nonce_of_a_call_that_never_arrived_stays_usable(town):
    """The department did not see the call, so it cannot know its nonce."""
    town.fault("housing", "error500", count=1)

    codes = [
        housing_send(town, "GET", "/api/v1/units", UNITS, nonce="early").status_code
        for _ in range(2)
    ]

    assert [500, 200] == codes


def test_the_server_survives_every_kind(town):
    """After one of each, the next call is answered."""
    for kind in Kind:
        town.fault("housing", kind, count=1, seconds=0.01)
    for _ in Kind:
        try:
            units(town)
        except requests.RequestException:
            continue

    town.control("housing", "DELETE", "faults")
    assert "0000" == units(town).json()["code"]
