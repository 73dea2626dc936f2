"""Buyers of one contract are compared with civil affairs once their case has found it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.pipeline.city import ROOT, CityHub
from tongban.cases.family import PURPOSE, compare_buyers
from tongban.cases.run import advance_cases
from tongban.evidence.log import check
from tongban.kernel.catalog import load_catalog
from tongban.kernel.errors import CredentialsMissing
from tongban.onboarding.fake.department import Department
from tongban.onboarding.fake.server import serving

pytestmark = pytest.mark.postgres

NEEDED = ("online_application", "service_item", "sale_contract")
EXPECTED = """
SELECT sum(n * (n - 1) / 2)::int FROM (
    SELECT count(*) AS n
      FROM cases.gov_case c JOIN data.sale_contract_party_v1 p USING (contract_no)
     WHERE p.role = 'buyer' AND p.id_type = '111'
     GROUP BY accept_no) AS buyers
"""


@pytest.fixture
def sold(city: CityHub) -> Iterator[CityHub]:
    """A city whose cases have found their contracts, and a fake of civil affairs beside it."""
    department = Department(load_catalog(ROOT), "civil_affairs", rows=1)
    with serving(department) as url:
        account = department.open_account(url, city.settings.home)
        path = city.settings.connections_dir / "civil_affairs.json"
        path.write_text(json.dumps(account), encoding="utf-8")
        city.pull(*NEEDED)
        advance_cases(city.hub)
        yield city


def test_every_pair_of_buyers_is_asked_once_for_its_case(sold: CityHub):
    """A second run finds nothing to ask; a receipt names case, purpose and the tax department."""
    expected = sold.one(EXPECTED)

    first = compare_buyers(sold.hub)
    second = compare_buyers(sold.hub)

    rows = sold.rows("SELECT * FROM hub.comparison")
    assert expected > 0
    assert {"pairs": expected, "compared": expected, "unaskable": 0} == first
    assert {"pairs": 0, "compared": 0, "unaskable": 0} == second
    assert expected == len(rows)
    assert {("answered", PURPOSE, "cases", "62089901", 1)} == {
        (r["state"], r["purpose"], r["asker"], r["unit"], r["times_asked"]) for r in rows
    }
    cases = {row["accept_no"] for row in sold.rows("SELECT accept_no FROM cases.gov_case")}
    assert {row["case_no"] for row in rows} <= cases
    assert check(sold.hub.engine) > 0


def test_a_case_that_was_quicker_than_the_question_is_asked_about_afterwards(sold: CityHub):
    """Contract, payment and registration may all arrive before civil affairs is open."""
    with sold.hub.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE cases.gov_case SET state = 'DONE' WHERE state = 'IN_TAX'")

    assert sold.one(EXPECTED) == compare_buyers(sold.hub)["compared"] > 0


def test_cases_that_have_not_moved_for_long_are_left_alone(sold: CityHub):
    """Nobody checks them any more."""
    with sold.hub.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE cases.gov_case SET changed_at = now() - interval '91 days'")

    assert 0 == compare_buyers(sold.hub)["pairs"]


def test_a_receipt_that_was_left_open_is_taken_up_again(sold: CityHub):
    """As after a kill between the question and its answer."""
    compare_buyers(sold.hub)
    with sold.hub.engine.begin() as conn:
        conn.exec_driver_sql(
            "UPDATE hub.comparison SET state = 'asked', answered_at = NULL, answer_digest = NULL"
            " WHERE comparison_id IN (SELECT comparison_id FROM hub.comparison LIMIT 2)"
        )
    before = sold.one("SELECT count(*) FROM hub.comparison")

    again = compare_buyers(sold.hub)

    assert min(2, before) == again["compared"]
    assert before == sold.one("SELECT count(*) FROM hub.comparison WHERE state = 'answered'")


def test_a_pair_whose_number_breaks_its_rule_is_counted_and_the_others_are_asked(sold: CityHub):
    """One bad record never stops its neighbours, nor is it asked about."""
    with sold.hub.engine.begin() as conn:
        conn.exec_driver_sql(
            "UPDATE data.sale_contract_party_v1 SET id_type = '111', name = NULL"
            " WHERE record_id = (SELECT p.record_id FROM data.sale_contract_party_v1 p"
            "   JOIN cases.gov_case c USING (contract_no)"
            "  WHERE p.role = 'buyer' AND p.id_type = '111'"
            "    AND 1 < (SELECT count(*) FROM data.sale_contract_party_v1 o"
            "              WHERE o.contract_no = p.contract_no AND o.role = 'buyer'"
            "                AND o.id_type = '111') LIMIT 1)"
        )

    counts = compare_buyers(sold.hub)

    assert counts["unaskable"] >= 1
    assert counts["pairs"] == counts["compared"] + counts["unaskable"]


def test_without_a_connection_nothing_is_noted_as_asked(city: CityHub):
    """The hub says what is missing."""
    city.pull(*NEEDED)
    advance_cases(city.hub)

    with pytest.raises(CredentialsMissing):
        compare_buyers(city.hub)

    assert 0 == city.one("SELECT count(*) FROM hub.comparison")
