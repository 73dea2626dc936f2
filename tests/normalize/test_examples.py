"""The examples that stand beside every mapping are run as tests."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import load_contract
from tongban.kernel.mappings import load_mapping
from tongban.normalize import apply, compile_mapping

ROOT = Path(__file__).parents[2]
MAPPINGS = sorted(
    path for path in (ROOT / "mappings").glob("*/*.yaml") if not path.name.endswith(".push.yaml")
)


def shown(value: Any) -> Any:
    """A cell the way the examples write it."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_mapping_does_what_its_examples_say(path):
    """Each given record becomes the expected one; fields not named are left open."""
    mapping = load_mapping(path, root=ROOT)
    contract = load_contract(ROOT / "contracts" / mapping.dataset / "v1.yaml", root=ROOT)
    plan = compile_mapping(mapping, contract, CodeTables(ROOT / "mappings" / "codes"))

    assert mapping.examples
    for example in mapping.examples:
        given = {k: None if v is None else str(v) for k, v in example["given"].items()}
        done = apply(plan, pl.DataFrame([given], schema=dict.fromkeys(given, pl.String)))
        row = done.frame.row(0, named=True)
        assert example["expect"] == {name: shown(row[name]) for name in example["expect"]}
