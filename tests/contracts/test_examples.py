"""The examples beside each contract pass and fail exactly as they say."""

from __future__ import annotations

import pytest

from tests.contracts.odcs import CODES, DATASETS, bad_rows, batch_of, contract_of, good_rows
from tongban.validate import check, compile_contract, explain


@pytest.mark.parametrize("dataset", DATASETS)
def test_good_rows_break_no_rule_not_even_a_warning(dataset):
    """A contract that finds fault with clean data floods the departments."""
    contract = contract_of(dataset)
    plan = compile_contract(contract, CODES)

    result = check(plan, batch_of(contract, good_rows(dataset)), refuse_dirty=False)

    assert {} == {**result.findings, **result.warnings}
    assert len(good_rows(dataset)) == result.accepted.height


@pytest.mark.parametrize("dataset", DATASETS)
def test_bad_rows_break_exactly_the_rules_they_name(dataset):
    """One wrong value is found by its own rule and blamed on no other."""
    contract = contract_of(dataset)
    plan = compile_contract(contract, CODES)
    examples = bad_rows(dataset)

    result = check(plan, batch_of(contract, [e["row"] for e in examples]), refuse_dirty=False)

    for at, example in enumerate(examples):
        broken = explain(plan, *(int(mask[at]) for mask in result.masks))
        assert sorted(example["rules"]) == sorted(broken), f"example {at}"


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_rule_has_a_row_that_breaks_it(dataset):
    """A rule nobody can break is no rule; conversion failures are shown by the mappings."""
    plan = compile_contract(contract_of(dataset), CODES)
    shown = {rule for example in bad_rows(dataset) for rule in example["rules"]}

    assert set() == {r.id for r in plan.rules if r.kind != "type"} - shown


@pytest.mark.parametrize("dataset", DATASETS)
def test_rows_with_a_broken_error_rule_are_rejected_and_others_are_not(dataset):
    """Severity alone decides between quarantine and a counted finding."""
    contract = contract_of(dataset)
    plan = compile_contract(contract, CODES)
    examples = bad_rows(dataset)
    errors = {rule.id for rule in plan.rules if rule.severity == "error"}

    result = check(plan, batch_of(contract, [e["row"] for e in examples]), refuse_dirty=False)

    expected = [at for at, e in enumerate(examples) if errors & set(e["rules"])]
    assert expected == result.rejected["row_no"].to_list()


@pytest.mark.parametrize("dataset", DATASETS)
def test_examples_have_exactly_the_fields_of_the_contract(dataset):
    """An example with a missing field would pass for the wrong reason."""
    names = [item.name for item in contract_of(dataset).fields]

    for row in [*good_rows(dataset), *(e["row"] for e in bad_rows(dataset))]:
        assert names == list(row)
