"""The servers over a real, small city: what the population prepared works end to end."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from sandbox import truth
from sandbox.datasets import DATASETS, beijing_now
from sandbox.population import populate
from sandbox.state import open_state
from tests.sandbox.servers.json_callers import gateway, housing_send, market_token
from tests.sandbox.servers.soap_callers import (
    registration,
    rights_query,
    tax,
    tax_window,
)
from tests.sandbox.servers.test_registration import contract, payment, submit
from tests.sandbox.servers.test_tax import contract as tax_contract
from tests.sandbox.servers.test_tax import push as push_tax
from tests.sandbox.servers.town import Town

B = "{urn:bdc:share:v2}"
LONG_AGO, FAR = datetime(2000, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001


@pytest.fixture(scope="module", name="city")
def _city(tmp_path_factory):
    """Serve a city of 600 people."""
    city = Town(tmp_path_factory.mktemp("city"), lambda folder: populate(folder, 600, 5))
    yield city
    city.stop()


def pending(city: Town, system: str, dataset: str) -> list[tuple[str, dict]]:
    """Read what waits for a trigger: its key and the document."""
    connection = open_state(city.state_dir, system)
    sql = "SELECT trigger_key, doc FROM pending WHERE dataset=? ORDER BY id"
    rows = [(key, json.loads(doc)) for key, doc in connection.execute(sql, (dataset,))]
    connection.close()
    return rows


def served(city: Town, system: str, dataset: str) -> int:
    """Read how many rows a server has."""
    return city.control(system, "GET", "health")["records"][dataset]


def test_a_sale_in_flight_runs_through_tax_and_registration(city):
    """Contract at tax brings the payment; contract and payment bring the right, end the old."""
    since = beijing_now() - timedelta(seconds=2)
    contract_no, waiting = pending(city, "registration", "real_estate_right")[0]
    ended = dict(pending(city, "registration", "retire"))[contract_no]["YWH"]

    push_tax(city, tax_contract("g-1", contract_no))
    payments = tax(city, "A020", tax_window(since=since, until=FAR))
    submit(city, "SubmitContracts", contract("c-1", contract_no))
    submit(city, "SubmitTaxPayments", payment("p-1", contract_no))
    rights = registration(city, rights_query(since=since, until=FAR))

    assert {contract_no} == {row.findtext("HTBH") for row in payments.iter("WSXX")}
    assert {"10119"} <= {row.findtext("SZDM") for row in payments.iter("WSXX")}
    states = {
        row.findtext(f"{B}YWH"): row.findtext(f"{B}QSZT") for row in rights.iter(f"{B}FDCQ_YZ")
    }
    assert {waiting["YWH"]: "1", ended: "2"} == states


def test_every_row_of_every_json_service_is_reached(city):
    """As many rows as the state holds."""
    window = {"startTime": "2000-01-01 00:00:00", "endTime": "2100-01-01 00:00:00"}
    query = {**window, "pageSize": 500}
    contracts = []
    for page in range(1, 20):
        answer = housing_send(city, "GET", "/api/v1/contracts", {**query, "pageNo": page}).json()
        contracts += answer["data"]["list"]
    after, items = "", []
    while True:
        content = {
            "after": after,
            "limit": 200,
            "since": "20000101000000",
            "until": "21000101000000",
        }
        inner = gateway(city, "pull_evaluation", content)
        items, after = items + inner["rows"], inner["next"]
        if not after:
            break

    assert served(city, "housing", "sale_contract") == len(contracts)
    assert served(city, "substation", "evaluation") == len(items)
    assert market_token(city)


def test_every_right_is_reached_by_cursor(city):
    """Duplicated rows included."""
    cursor, count = "", 0
    while True:
        query = rights_query(limit=100, cursor=cursor, since=LONG_AGO, until=FAR)
        answer = registration(city, query)
        count += len(list(answer.iter(f"{B}FDCQ_YZ")))
        cursor = answer.findtext(f"{B}NextCursor") or ""
        if not cursor:
            break

    assert served(city, "registration", "real_estate_right") == count


@pytest.mark.parametrize("system", ["tax", "registration", "housing", "social", "market"])
def test_advance_moves_the_truth_along(city, system):
    """Each system applies its own next changes, with the present as change time."""
    before = truth.applied(city.state_dir).get(system, 0)

    done = city.control(system, "POST", "advance", {"changes": 5})

    assert 5 == done["applied"]
    assert before + 5 <= truth.applied(city.state_dir)[system]
    assert set(done["datasets"]) <= {row.name for row in DATASETS.values() if row.system == system}
