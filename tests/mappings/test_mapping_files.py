"""Every mapping of the way in loads, fits its contract, and does what its examples say."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from sandbox.datasets import DATASETS
from tests.mappings.city import CODES, PULLED, ROOT, columns, contract_of, mapping_of
from tongban.kernel.catalog import load_catalog
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.mappings import check_mapping
from tongban.normalize import Normalized, apply, compile_mapping
from tongban.validate import check, compile_contract

SANDBOX = [(system, dataset) for system, dataset, _ in PULLED]
NAMES = [(r.system, name) for r in load_catalog(ROOT).pull_routes for name in r.datasets]
EXAMPLES = [
    (system, dataset, at)
    for system, dataset in NAMES
    for at in range(len(mapping_of(system, dataset).examples))
]


def _normalized(system: str, dataset: str, given: dict[str, Any]) -> Normalized:
    mapping = mapping_of(system, dataset)
    row = {name: None if value is None else str(value) for name, value in given.items()}
    plan = compile_mapping(mapping, contract_of(dataset), CODES)
    return apply(plan, columns([row], mapping.shape.fields))


def _written(value: Any) -> Any:
    """A typed value as the examples write it."""
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def test_there_is_a_mapping_for_every_dataset_that_is_pulled():
    """Those of the sandbox's systems among them."""
    files = {
        (path.parent.name, path.stem)
        for path in (ROOT / "mappings").glob("*/*.yaml")
        if not path.name.endswith(".push.yaml")
    }

    assert set(NAMES) == files
    assert set(SANDBOX) < files


@pytest.mark.parametrize(("system", "dataset"), NAMES)
def test_mapping_fits_its_contract(system, dataset):
    """No target that the contract has not, no required field without a source."""
    mapping = mapping_of(system, dataset)

    check_mapping(mapping, contract_of(dataset), root=ROOT)

    assert (system, dataset) == (mapping.system, mapping.dataset)


@pytest.mark.parametrize(("system", "dataset"), NAMES)
def test_every_field_of_the_contract_has_a_source(system, dataset):
    """A field that nothing fills would be promised to consumers in vain."""
    fields = [item.name for item in contract_of(dataset).fields]

    assert fields == list(mapping_of(system, dataset).fields)


@pytest.mark.parametrize(("system", "dataset"), SANDBOX)
def test_key_is_the_key_of_the_source(system, dataset):
    """The truth of the sandbox, the quarantine and the source name a row by the same fields."""
    mapping = mapping_of(system, dataset)
    of = next(row for row in DATASETS.values() if dataset in {row.name, row.child_dataset})
    own = (f"{mapping.explode}.{of.child_key}",) if mapping.explode else ()

    assert of.key_fields + own == mapping.source_key


@pytest.mark.parametrize(("system", "dataset"), NAMES)
def test_ignored_names_are_not_used(system, dataset):
    """A name is carried or knowingly left out, never both."""
    mapping = mapping_of(system, dataset)

    assert set() == set(mapping.ignore) & set(mapping.shape.fields)


@pytest.mark.parametrize(("system", "dataset", "at"), EXAMPLES)
def test_example_gives_what_it_says(system, dataset, at):
    """Examples beside the mapping are its specification."""
    example = mapping_of(system, dataset).examples[at]

    row = _normalized(system, dataset, example["given"]).frame.row(0, named=True)

    assert example["expect"] == {name: _written(row[name]) for name in example["expect"]}


@pytest.mark.parametrize(("system", "dataset"), NAMES)
def test_first_example_is_a_record_that_the_contract_accepts(system, dataset):
    """The plain case comes first: nothing fails, nothing is found."""
    example = mapping_of(system, dataset).examples[0]
    normalized = _normalized(system, dataset, example["given"])

    result = check(compile_contract(contract_of(dataset), CODES), normalized)

    assert {} == normalized.failed_operations
    assert {} == {**result.findings, **result.warnings}


@pytest.mark.parametrize(("system", "dataset", "at"), EXAMPLES)
def test_example_uses_only_names_that_the_mapping_knows(system, dataset, at):
    """A misspelt name in an example would test nothing."""
    mapping = mapping_of(system, dataset)
    example = mapping.examples[at]

    assert set() == set(example["given"]) - mapping.shape.known
    assert set() == set(example["expect"]) - set(mapping.fields)


@pytest.mark.parametrize(
    ("system", "dataset", "field", "wrong", "rule"),
    [
        ("tax", "deed_tax_payment", "JKRQ", "20230230101010", "paid_at.type"),
        ("tax", "deed_tax_payment", "JSJE", "五十六万", "tax_base.type"),
        ("tax", "deed_tax_payment", "SZDM", "99999", "tax_kind.code"),
        ("tax", "deed_tax_payment", "JSJE", "560000.001", "tax_base.type"),
        ("registration", "mortgage", "DJSJ", "2023-02-30T10:00:00+08:00", "registered_at.type"),
        ("registration", "right_holder", "QLRLIST.QLR.QLBL", "150%", "share.type"),
        ("registration", "right_status", "DYZT", "5", "is_mortgaged.type"),
        ("housing", "house_unit", "floor", "一层", "floor.type"),
        ("social", "contribution", "AAE003", "202313", "period_month.type"),
        ("market", "enterprise", "regstateCn", "状态不详", "state.code"),
        ("market", "enterprise", "updatedAt", "today", "changed_at.type"),
        ("substation", "evaluation", "level", "9", "satisfaction_level.type"),
    ],
)  # fmt: skip
def test_value_that_cannot_be_read_is_a_finding_and_not_a_missing_value(
    system, dataset, field, wrong, rule
):
    """What was there and was lost is told apart from what was never there."""
    given = {**mapping_of(system, dataset).examples[0]["given"], field: wrong}

    result = check(
        compile_contract(contract_of(dataset), CODES), _normalized(system, dataset, given)
    )

    assert [rule] == [found for found in result.findings if not found.startswith(dataset)]


def test_unknown_operation_is_refused_with_its_place(tmp_path):
    """A typing error in a mapping stops before the first record."""
    from tongban.kernel.mappings import load_mapping

    path = ROOT / "mappings" / "housing" / "house_unit.yaml"
    wrong = tmp_path / "house_unit.yaml"
    wrong.write_text(path.read_text("utf-8").replace("[unit_no]", "[unit_nr]"), "utf-8")

    with pytest.raises(ConfigInvalid, match=r"house_unit\.yaml:\d+: .*unit_nr.*unit_no"):
        compile_mapping(load_mapping(wrong), contract_of("house_unit"), CODES)
