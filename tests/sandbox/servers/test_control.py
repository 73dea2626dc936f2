"""The control address of a sandbox server."""

from __future__ import annotations

import pytest
import requests

from sandbox import truth
from sandbox.credentials import control_token
from tests.sandbox.servers.json_callers import gateway, housing_send
from tests.sandbox.servers.soap_callers import bizml, tax_post, tax_window
from tests.sandbox.servers.test_housing import result_row


@pytest.mark.parametrize("token", [None, "", "wrong"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "health"),
        ("GET", "accepted"),
        ("GET", "calls"),
        ("GET", "faults"),
        ("POST", "faults"),
        ("DELETE", "faults"),
        ("POST", "advance"),
    ],
)
def test_every_control_address_refuses_a_caller_without_the_token(town, method, path, token):
    """403, and nothing happened."""
    headers = {} if token is None else {"X-Sandbox-Control": token}

    url = f"{town.url('housing')}/_sandbox/{path}"
    answer = requests.request(method, url, headers=headers, json={}, timeout=10)

    assert 403 == answer.status_code


def test_health_counts_what_is_served_and_taken(town):
    """Records and accepted rows per dataset."""
    health = town.control("substation", "GET", "health")

    assert "substation" == health["system"]
    assert {"evaluation": 6, "online_application": 13, "service_item": 4} == health["records"]
    assert {} == health["accepted"]


def test_accepted_rows_come_with_content_and_receipt(town):
    """And can be narrowed to a dataset and a number."""
    body = {"records": [result_row(f"k-{n}") for n in range(3)]}
    housing_send(town, "POST", "/api/v1/registrations", body=body)

    rows = town.control("housing", "GET", "accepted?dataset=real_estate_right&limit=2")["rows"]

    assert ["k-0", "k-1"] == [row["row_guid"] for row in rows]
    assert "YW1" == rows[0]["doc"]["businessNo"]
    assert [] == town.control("housing", "GET", "accepted?dataset=other")["rows"]


def test_calls_are_counted_per_path_and_service(town):
    """SOAP and gateway calls by what they asked for."""
    before = town.control("tax", "GET", "calls")["calls"]
    tax_post(town, "A020", bizml("A020", tax_window()))
    tax_post(town, "A020", bizml("A020", tax_window()))
    content = {"limit": 1, "since": "20260101000000", "until": "20270101000000"}
    gateway(town, "pull_evaluation", content)

    after = town.control("tax", "GET", "calls")["calls"]
    label = "POST /services/TaxExchange A020"
    gateway_label = "POST /jpaas-jags-server/interface/gateway pull_evaluation"
    assert 2 == after[label] - before.get(label, 0)
    assert 1 == town.control("substation", "GET", "calls")["calls"][gateway_label]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "earthquake"},
        {"kind": "latency", "rate": 2},
        {"kind": "latency", "count": -1},
        {"kind": "latency", "seconds": "long"},
        {"kind": "latency", "counts": 1},
        [],
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(town, body):
    """400, and no fault is planned."""
    url = f"{town.url('housing')}/_sandbox/faults"
    headers = {"X-Sandbox-Control": control_token(town.state_dir)}

    answer = requests.post(url, json=body, headers=headers, timeout=10)

    assert 400 == answer.status_code
    assert [] == town.control("housing", "GET", "faults")["faults"]


def test_advance_serves_prepared_changes_as_changed_now(town):
    """One changed row moves, one new row appears, the truth file learns how far it went."""
    total = town.control("housing", "GET", "health")["records"]["sale_contract"]
    first = town.control("housing", "POST", "advance", {"changes": 1})
    noted = truth.applied(town.state_dir)
    rest = town.control("housing", "POST", "advance", {"days": 1})
    none = town.control("housing", "POST", "advance")

    assert (1, {"sale_contract": 1}, 1) == (first["applied"], first["datasets"], first["left"])
    assert {"housing": 1} == noted
    assert {"housing": 2} == truth.applied(town.state_dir)
    assert (1, 0) == (rest["applied"], none["applied"])
    records = town.control("housing", "GET", "health")["records"]
    assert total + 1 == records["sale_contract"]
    assert 460000 == _contract(town, "HT0005")["totalPrice"]
    assert ["HT0800"] == [_contract(town, "HT0800")["contractNo"]]


def _contract(town, contract_no):
    """Find a contract among the newest ones."""
    query = {
        "startTime": "2026-01-01 00:00:00",
        "endTime": "2100-01-01 00:00:00",
        "pageNo": 1,
        "pageSize": 500,
    }
    rows = housing_send(town, "GET", "/api/v1/contracts", query).json()["data"]["list"]
    return next(row for row in rows if row["contractNo"] == contract_no)
