"""The whole city through mappings and contracts, held against what was really put into it.

The sandbox writes down every defect when it makes it. Mapping and validation must quarantine
exactly the rows whose defect one row can show, heal what can be healed, and let pass what only a
comparison between departments can see: no miss and no false alarm.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from sandbox import truth
from sandbox.datasets import DATASETS, SYSTEMS, beijing_now, stamp
from sandbox.plans import apply_changes, pending_for
from sandbox.population import populate
from sandbox.state import open_state, transaction
from tests.mappings.city import (
    PULLED,
    Pulled,
    documents,
    flat_rows,
    mapping_of,
    pull,
    pull_documents,
)
from tongban.validate import explain

PEOPLE = 2000
KINDS_TO_QUARANTINE = {
    "bad_check_digit", "missing_required", "unknown_code", "wrong_unit", "bad_date", "future_date",
    "negative_amount", "seq_out_of_order", "area_mismatch", "bad_month", "unit_no_malformed",
    "paid_above_due",
}  # fmt: skip
KINDS_TO_HEAL = {
    "full_width_digits", "fifteen_digit_id", "lower_case_x", "blanks_in_name", "late_change",
}  # fmt: skip
KINDS_FOR_THE_AUDIT = {"name_mismatch", "price_mismatch", "share_sum"}

City = tuple[Path, dict[str, Pulled]]
Row = tuple[str, str]


def _pull_all(state_dir: Path) -> dict[str, Pulled]:
    return {dataset: pull(state_dir, system, dataset, of) for system, dataset, of in PULLED}


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> City:
    """A city of 2,000 people with three times the usual number of defects, pulled whole."""
    state_dir = tmp_path_factory.mktemp("city")
    populate(state_dir, PEOPLE, seed=11, defect_rate=0.045)
    return state_dir, _pull_all(state_dir)


def _quarantined(pulled: dict[str, Pulled]) -> dict[Row, list[str]]:
    """Every quarantined row with the rules that it broke; rules only, never a value."""
    found: dict[Row, list[str]] = {}
    for dataset, part in pulled.items():
        for row in part.result.rejected["row_no"]:
            masks = (int(mask[row]) for mask in part.result.masks)
            found[dataset, part.keys[row]] = explain(part.plan, *masks)
    return found


def _expected(state_dir: Path, expect: str) -> dict[Row, str]:
    return {(t.dataset, t.key): t.defect for t in truth.load(state_dir) if t.expect == expect}


def test_exactly_the_rows_with_a_visible_defect_are_quarantined(city):
    """No miss, and no clean row is blamed."""
    state_dir, pulled = city
    expected, found = _expected(state_dir, "quarantined"), _quarantined(pulled)

    assert {} == {row: defect for row, defect in expected.items() if row not in found}
    assert {} == {row: rules for row, rules in found.items() if row not in expected}


def test_the_city_has_every_kind_of_defect(city):
    """Otherwise the test above could pass without having looked."""
    state_dir, _ = city
    kinds = {(line.defect, line.expect) for line in truth.load(state_dir)}

    assert {(kind, "quarantined") for kind in KINDS_TO_QUARANTINE} <= kinds
    assert {(kind, "accepted") for kind in KINDS_TO_HEAL} <= kinds
    assert {(kind, "audit") for kind in KINDS_FOR_THE_AUDIT} <= kinds


def test_every_row_is_accepted_or_quarantined(city):
    """Nothing is lost and nothing is counted twice."""
    _, pulled = city

    for part in pulled.values():
        assert part.keys.len() == part.result.accepted.height + part.result.rejected.height


@pytest.mark.parametrize("dataset", [dataset for _, dataset, _ in PULLED])
def test_mapping_knows_every_field_that_is_served(city, dataset):
    """An unknown field is drift; the first pull must not report any."""
    _, pulled = city

    assert frozenset() == pulled[dataset].unknown_fields


@pytest.mark.parametrize(("system", "dataset", "of"), PULLED)
def test_every_source_field_of_a_mapping_is_really_served(city, system, dataset, of):
    """A misspelt optional field would be null for ever without anybody noticing."""
    state_dir, _ = city
    mapping = mapping_of(system, dataset)
    served = {
        name
        for document in documents(state_dir, system, of)
        for row in flat_rows(document, mapping.explode)
        for name in row
    }

    assert set() == set(mapping.shape.fields) - served


@pytest.mark.parametrize("dataset", [dataset for _, dataset, _ in PULLED])
def test_every_mapped_column_holds_something(city, dataset):
    """A wrong format or unit would show as an empty column; nobody ever has an agent here."""
    _, pulled = city
    accepted = pulled[dataset].result.accepted

    empty = {name for name in accepted.columns if accepted[name].null_count() == accepted.height}
    assert set() == empty - {"agent_name"}


def test_healed_rows_are_stored_in_their_normal_form(city):
    """Full-width, 15-digit and lower-case numbers join with the others afterwards."""
    state_dir, pulled = city
    healed = _expected(state_dir, "accepted")
    accepted = Counter(dataset for dataset, _ in healed)

    assert set(healed).isdisjoint(_quarantined(pulled))
    assert 0 < accepted["person_insurance"]
    for number in pulled["person_insurance"].result.accepted["social_number"]:
        assert number.isascii()
        assert 18 == len(number)
        assert number == number.upper()


def test_same_person_has_the_same_name_whatever_blanks_were_typed(city):
    """Blanks in names are healed in every department."""
    _, pulled = city
    names = pulled["person_insurance"].result.accepted["name"]

    assert not names.str.contains(r"[\s\x{3000}]").any()


def test_certificates_join_whatever_brackets_they_came_with(city):
    """Three bracket forms become one."""
    _, pulled = city
    numbers = pulled["real_estate_right"].result.accepted["certificate_no"]

    assert numbers.str.contains("^甘（20[0-9]{2}）平凉市不动产权第[0-9]{7}号$").all()


def test_prices_of_three_departments_are_in_one_unit(city):
    """万元 at registration, 元 at housing and tax: equal but for the rows made for the audit."""
    state_dir, pulled = city
    contracts = pulled["sale_contract"].result.accepted
    rights = pulled["real_estate_right"].result.accepted.filter(registration_type="200")
    paid = pulled["deed_tax_payment"].result.accepted.filter(tax_kind="deed_tax")
    joined = contracts.select("contract_no", "total_price").join(
        rights.select("contract_no", "price", "business_no"), on="contract_no"
    )
    taxed = contracts.select("contract_no", "total_price").join(
        paid.select("contract_no", "tax_base", "ticket_no"), on="contract_no"
    )
    audit = {key for (_, key), defect in _expected(state_dir, "audit").items() if "price" in defect}

    odd = set(joined.filter(joined["price"] != joined["total_price"])["business_no"])
    odd |= set(taxed.filter(taxed["tax_base"] != taxed["total_price"])["ticket_no"])
    assert 0 < joined.height
    assert audit == odd


def test_audit_rows_are_accepted_and_identical_rows_too(city):
    """What one row cannot show is not the contract's business; duplicates are the store's."""
    state_dir, pulled = city
    wrong = _quarantined(pulled)

    for expect in ("audit", "duplicate"):
        assert {} == {row: wrong[row] for row in _expected(state_dir, expect) if row in wrong}


def test_warnings_are_rare(city):
    """A warning on clean data is noise: at most a few rows, all of them with a defect nearby."""
    _, pulled = city
    warned = sum(sum(part.result.warnings.values()) for part in pulled.values())

    assert warned <= 15


def test_clean_city_passes_without_any_finding(tmp_path):
    """Another seed, no defects: not one rule is broken, warnings included."""
    populate(tmp_path, PEOPLE, seed=5, defect_rate=0)

    findings = {
        dataset: {**part.result.findings, **part.result.warnings}
        for dataset, part in _pull_all(tmp_path).items()
    }

    assert {dataset: {} for dataset in findings} == findings


def test_truth_still_holds_after_later_changes(tmp_path):
    """New defects arrive, old ones are mended: the quarantine follows."""
    populate(tmp_path, PEOPLE, seed=12, defect_rate=0.03)
    before = set(_expected(tmp_path, "quarantined"))
    for system in SYSTEMS:
        connection = open_state(tmp_path, system)
        try:
            with transaction(connection):
                due = apply_changes(connection, 1000, beijing_now())
        finally:
            connection.close()
        truth.note_applied(tmp_path, system, due[-1].n)

    expected = set(_expected(tmp_path, "quarantined"))

    assert before - expected
    assert expected - before
    assert expected == set(_quarantined(_pull_all(tmp_path)))


def test_records_that_pushes_will_bring_are_valid(city):
    """Payments and rights of cases in flight pass once their department has dated them."""
    state_dir, _ = city
    forms = {
        "deed_tax_payment": ("JKRQ", "%Y%m%d%H%M%S"),
        "real_estate_right": ("DJSJ", "%Y-%m-%dT%H:%M:%S+08:00"),
    }
    now = beijing_now()
    for dataset, (event, form) in forms.items():
        system = DATASETS[dataset].system
        served = _waiting(state_dir, system, dataset)
        for document in served:
            document[event] = document[event] or now.strftime(form)
            stamp(dataset, document, now)

        part = pull_documents(served, system, dataset)

        assert 0 < len(served)
        assert {} == part.result.findings


def _waiting(state_dir: Path, system: str, dataset: str) -> list[dict]:
    """Rows of a dataset that wait for a push, as the population prepared them."""
    connection = open_state(state_dir, system)
    try:
        keys = connection.execute(
            "SELECT DISTINCT trigger_kind, trigger_key FROM pending"
        ).fetchall()
        rows = [row for kind, key in keys for row in pending_for(connection, kind, key)]
    finally:
        connection.close()
    return [row.doc for row in rows if row.dataset == dataset]
