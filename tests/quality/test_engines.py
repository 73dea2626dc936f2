"""Comparing the engines' counts, and which native expectations a contract gives."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest

from tests.contracts.odcs import CODES, DATASETS, contract_of
from tongban.quality.engines import ROWS, TOKENS, EngineCounts, disagreements
from tongban.quality.native import native_checks
from tongban.validate import compile_contract


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({"a": 1}, {ROWS: 0, "a": 1}, []),
        ({"a": 1}, {ROWS: 0, TOKENS: 0, "a": 1}, []),
        ({"a": 1}, {ROWS: 0, "a": 2}, [("a", 1, 2)]),
        ({"a": 1}, {ROWS: 0}, [("a", 1, None)]),
        ({}, {ROWS: 0, "b": 0}, [("b", None, 0)]),
        ({}, {ROWS: 1}, [(ROWS, 0, 1)]),
        ({}, {}, [(ROWS, 0, None)]),
        ({}, {ROWS: 0, TOKENS: 4}, [(TOKENS, 0, 4)]),
    ],
)
def test_engines_agree_only_when_every_count_is_there_and_equal(ours, theirs, expected):
    """An expectation that could not be evaluated is a difference, not a pass."""
    assert expected == disagreements(ours, EngineCounts("pay", theirs))


@pytest.mark.parametrize("dataset", DATASETS)
def test_native_checks_never_touch_an_encrypted_column(dataset):
    """Great Expectations asks the database only about what is open there."""
    contract = contract_of(dataset)
    encrypted = {item.name for item in contract.classified}

    assert not encrypted & {check.column for check in native_checks(contract, CODES)}


@pytest.mark.parametrize("dataset", DATASETS)
def test_native_checks_are_rules_of_the_contract(dataset):
    """Each has a rule of ours whose count it must give."""
    contract = contract_of(dataset)
    rules = {rule.id for rule in compile_contract(contract, CODES).rules}

    checks = [check.rule for check in native_checks(contract, CODES)]

    assert set(checks) <= rules
    assert len(checks) == len(set(checks)) > 0


def test_native_checks_cover_presence_codes_and_bounds():
    """Three kinds of expectation, with the contract's own bounds."""
    found = {c.rule: c for c in native_checks(contract_of("deed_tax_payment"), CODES)}

    assert "ExpectColumnValuesToNotBeNull" == found["ticket_no.required"].expectation
    assert ["deed_tax"] == [
        code for code in found["tax_kind.code"].parameters["value_set"] if code == "deed_tax"
    ]
    assert {"min_value": 0.01, "max_value": 99999999999} == found["tax_base.range"].parameters
    assert Decimal("0.01") == contract_of("deed_tax_payment").field("tax_base").minimum


def test_importing_quality_loads_neither_great_expectations_nor_pandas():
    """They cost seconds and 200 MB; only an audit that runs pays for them."""
    program = (
        "import sys, tongban.quality, tongban.commands.audit; "
        "sys.exit(bool({'great_expectations', 'pandas'} & set(sys.modules)))"
    )

    assert 0 == subprocess.run([sys.executable, "-c", program], check=False).returncode
