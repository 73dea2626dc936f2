"""The good and bad records that stand beside every contract are run as tests."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.validate.batches import Batch, batch
from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, load_contract
from tongban.validate import check, compile_contract, explain

ROOT = Path(__file__).parents[2]
CONTRACTS = sorted((ROOT / "contracts").glob("*/v1.yaml"))
READERS = {
    "decimal": lambda value: Decimal(str(value)),
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
}


def records(contract: Contract, rows: list[dict[str, Any]]) -> Batch:
    """Records of the examples as a typed batch."""
    columns: dict[str, list[Any]] = {}
    for item in contract.fields:
        reader = READERS.get(item.type, lambda value: value)
        cells = [row.get(item.name) for row in rows]
        columns[item.name] = [None if cell is None else reader(cell) for cell in cells]
    return batch(contract, **columns)


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.parent.name)
def test_good_records_pass_and_bad_ones_break_the_rules_they_name(path):
    """Exactly those rules, no more and no less."""
    contract = load_contract(path, root=ROOT)
    plan = compile_contract(contract, CodeTables(ROOT / "mappings" / "codes"))
    good = json.loads((path.parent / "examples" / "good.json").read_text("utf-8"))
    bad = json.loads((path.parent / "examples" / "bad.json").read_text("utf-8"))

    passed = check(plan, records(contract, good), refuse_dirty=False)
    assert (len(good), {}, {}) == (passed.accepted.height, passed.findings, passed.warnings)
    for example in bad:
        found = check(plan, records(contract, [example["row"]]), refuse_dirty=False)
        assert set(example["rules"]) == set(explain(plan, *(mask[0] for mask in found.masks)))


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.parent.name)
def test_every_explicit_rule_of_a_contract_is_broken_by_a_bad_example(path):
    """A rule that nothing can break checks nothing."""
    contract = load_contract(path, root=ROOT)
    bad = json.loads((path.parent / "examples" / "bad.json").read_text("utf-8"))

    assert {rule.id for rule in contract.rules} <= {r for example in bad for r in example["rules"]}
