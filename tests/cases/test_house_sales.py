"""House sales from the online application to the result at the substation, one number each."""

from __future__ import annotations

import time

from tests.pipeline.city import CityHub
from tongban.cases.number import is_accept_no
from tongban.cases.run import advance_cases

ROUND = ("sale_contract", "deed_tax_payment", "real_estate_right", "online_application")


def states(city: CityHub) -> dict[str, int]:
    """Cases by state."""
    rows = city.rows("SELECT state, count(*) AS n FROM cases.gov_case GROUP BY state")
    return {row["state"]: row["n"] for row in rows}


def test_every_application_gets_one_number_however_often_cases_advance(city: CityHub):
    """A second run opens nothing."""
    city.pull("online_application", "service_item", *ROUND[:3])

    first = advance_cases(city.hub)
    second = advance_cases(city.hub)

    applications = city.one("SELECT count(*) FROM data.online_application_v1")
    numbers = [row["accept_no"] for row in city.rows("SELECT accept_no FROM cases.gov_case")]
    assert applications == first["opened"] == len(set(numbers))
    assert 0 == second["opened"]
    assert 0 == second["told"]
    assert all(is_accept_no(number) for number in numbers)


def test_cases_move_as_the_departments_records_arrive(city: CityHub):
    """Contract → tax → registration: each round carries the open sales one step on."""
    city.pull()
    advance_cases(city.hub)
    before = states(city)
    city.push_all()  # the contract reaches tax, which takes the payment
    time.sleep(1.1)  # its change time has seconds, and a window ends before the present one
    city.pull("deed_tax_payment")
    advance_cases(city.hub)
    after_tax = states(city)
    city.push_all()  # contract and payment reach the registration, which enters the right
    time.sleep(1.1)
    city.pull("real_estate_right")
    advance_cases(city.hub)
    after_registration = states(city)

    assert before["IN_TAX"] > 0
    assert after_tax.get("IN_REGISTRATION", 0) > 0
    assert after_registration["DONE"] > before.get("DONE", 0)
    assert "IN_REGISTRATION" not in after_registration


def test_the_order_in_which_records_arrive_does_not_matter(city: CityHub):
    """Registration first, contract last: the case ends where it would have ended."""
    for dataset in ("real_estate_right", "deed_tax_payment", "sale_contract"):
        city.pull(dataset)
        city.hub.engine.dispose()
    city.pull("online_application", "service_item")

    advance_cases(city.hub)

    done = states(city).get("DONE", 0)
    with_right = city.one(
        "SELECT count(DISTINCT r.contract_no) FROM data.real_estate_right_v1 r"
        " JOIN cases.gov_case c ON c.contract_no = r.contract_no WHERE r.right_status = 'current'"
    )
    assert done == with_right > 0


def test_acceptance_process_and_result_reach_the_substation_parent_first(city: CityHub):
    """No process or result row is refused for a missing parent."""
    city.pull()
    advance_cases(city.hub)

    pushed = city.push_all()

    accept, process, result = (
        pushed[f"substation_case_{kind}"] for kind in ("acceptance", "process", "result")
    )
    assert states(city)["DONE"] == result.accepted
    assert sum(states(city).values()) == accept.accepted
    assert process.accepted > accept.accepted
    assert 0 == accept.rejected + process.rejected + result.rejected


def test_process_rows_that_go_first_wait_for_their_parent(city: CityHub):
    """They are refused as orphans, wait, and are accepted once the acceptance is there."""
    from tongban.protect import Vault
    from tongban.push import deliver  # the run without patience

    city.pull()
    advance_cases(city.hub)
    hub = city.hub
    route = hub.catalog.push_route("substation", "case_process")
    connector = hub.connector("substation")
    try:
        early = deliver(hub.engine, Vault(hub.keyring), hub.catalog, route, connector)
    finally:
        connector.close()

    city.push_all()

    assert early.waiting > 0
    assert 0 == early.accepted
    left = city.one(
        "SELECT count(*) FROM hub.outbox WHERE dataset = 'case_process'"
        " AND state NOT IN ('accepted', 'duplicate', 'superseded')"
    )
    assert 0 == left


def test_the_promised_day_counts_working_days(city: CityHub):
    """The promise comes from the item and lies on a working day."""
    from tongban.kernel.calendar import load_working_days

    city.pull("online_application", "service_item", *ROUND[:3])
    advance_cases(city.hub)
    calendar = load_working_days(city.settings.root / "mappings" / "calendar" / "working_days.csv")

    for row in city.rows("SELECT promised_on, applied_at FROM cases.gov_case"):
        assert calendar.is_working(row["promised_on"])
        assert row["promised_on"] > row["applied_at"].date()


def test_applicants_are_sealed_in_the_case_datasets(city: CityHub):
    """The case tables hold an index and envelopes, no name and no number."""
    city.pull("online_application", "service_item", *ROUND[:3])
    advance_cases(city.hub)

    rows = city.rows("SELECT * FROM data.case_acceptance_v1 LIMIT 5")

    assert rows
    assert all(isinstance(row["applicant_name"], bytes) for row in rows)
    assert all(isinstance(row["applicant_id_no"], bytes) for row in rows)
