"""Push against the six real servers: every accepted record has its receipt, exactly once."""

from __future__ import annotations

import pytest

from tests.pipeline.city import CityHub
from tongban.kernel.errors import RetryLater
from tongban.local import results
from tongban.pipeline import push


def undelivered(city: CityHub) -> int:
    """Outbox rows without a receipt that are still due."""
    return city.one(
        "SELECT count(*) FROM hub.outbox WHERE state NOT IN"
        " ('accepted', 'duplicate', 'superseded', 'withheld')"
    )


def test_everything_accepted_is_acknowledged_by_its_receivers(city: CityHub):
    """Seven routes to departments and nine to the substation leave nothing behind."""
    city.pull()

    pushed = city.push_all()

    assert 0 == undelivered(city)
    assert 0 == sum(item.rejected for item in pushed.values())
    assert 17 == len(pushed)


def test_the_substation_holds_exactly_what_was_pushed(city: CityHub):
    """By key and by digest, from the substation's own statement."""
    import psycopg
    from psycopg.rows import dict_row

    city.pull()
    city.push_all()

    with psycopg.connect(city.database_url, row_factory=dict_row) as conn:
        assert [] == results._substation_differences(city.hub, conn)


def test_pushing_again_sends_nothing(city: CityHub):
    """An empty outbox costs the receivers no call."""
    city.pull("enterprise")
    city.push_all()
    before = city.town.control("substation", "GET", "calls")

    again = city.push_all()

    assert 0 == sum(item.sent for item in again.values())
    assert before == city.town.control("substation", "GET", "calls")


def test_an_answer_that_was_lost_after_the_commit_has_one_effect(city: CityHub):
    """The same key goes out again; the receiver answers with the original receipt."""
    city.pull("enterprise")
    city.town.fault("substation", "reset_after", count=1)

    try:
        push(city.hub, "substation", "enterprise")
    except RetryLater:
        push(city.hub, "substation", "enterprise")

    stored = city.one("SELECT count(*) FROM data.enterprise_v1")
    held = city.town.accepted("substation", "enterprise")
    states = {
        row["state"]: row["n"]
        for row in city.rows(
            "SELECT state, count(*) AS n FROM hub.outbox WHERE target = 'substation' GROUP BY state"
        )
    }
    assert stored == len(held)
    assert stored == states.get("accepted", 0) + states.get("duplicate", 0)


@pytest.mark.parametrize("kind", ["error500", "reset_before", "too_many", "half_body"])
def test_a_passing_fault_of_the_receiver_loses_no_record(city: CityHub, kind: str):
    """Whatever happens to one call, every record ends with a receipt."""
    city.pull("taxpayer")
    city.town.fault("market", kind, count=1, seconds=0.1, match="taxpayers")

    try:
        push(city.hub, "market", "taxpayer")
    except RetryLater:
        push(city.hub, "market", "taxpayer")

    assert 0 == undelivered(city)
    assert city.one("SELECT count(*) FROM data.taxpayer_v1") == len(
        city.town.accepted("market", "taxpayer")
    )


def test_a_contract_travels_to_tax_with_its_parties(city: CityHub):
    """The tax task lists seller and buyer; nothing else of the contract's file."""
    city.pull("sale_contract")

    done = push(city.hub, "tax", "sale_contract")

    recorded = city.one("SELECT count(*) FROM data.sale_contract_v1 WHERE status = 'recorded'")
    assert recorded == done.accepted


def test_a_quarantined_record_is_never_pushed(city: CityHub):
    """What the contract refused stays inside."""
    city.pull("real_estate_right", "house_unit")
    city.push_all()

    refused = {str(row["key_index"]) for row in city.rows("SELECT key_index FROM hub.quarantine")}
    sent = {str(row["record_id"]) for row in city.rows("SELECT record_id FROM hub.outbox")}

    assert refused
    assert not refused & sent


def test_evidence_has_an_entry_for_every_chunk_and_batch_and_verifies(city: CityHub):
    """The log can be checked from its first entry to its last."""
    from tongban.evidence import log

    city.pull("enterprise")
    push(city.hub, "social", "enterprise")

    kinds = {row["kind"] for row in city.rows("SELECT kind FROM hub.evidence_entry")}

    assert {"load", "receipts"} <= kinds
    assert log.check(city.hub.engine) >= 2
