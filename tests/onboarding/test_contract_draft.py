"""A drafted contract is one that check accepts, with what a person has to say beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tongban.changes import compare
from tongban.changes.releases import find_facts
from tongban.kernel.catalog import load_catalog
from tongban.kernel.errors import ConfigInvalid
from tongban.onboarding.contract_draft import draft_contract, write_contract
from tongban.onboarding.sample import read_sample
from tongban.onboarding.sources import Source

ROOT = Path(__file__).parents[2]
ANSWER = """{"code": 0, "data": [
  {"djbh": "DJ001", "sfzh": "620899199002280248", "gxsj": "2024-03-01 10:00:00"}
]}"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the catalog that may be written to."""
    for name in ("contracts", "mappings", "connectors"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.py*"))
    return tmp_path


def test_a_contract_drafted_from_a_sample_is_accepted_and_says_what_it_guessed(root):
    """Personal numbers are protected before anybody has looked at them."""
    sample = read_sample(Source("answer.json", "answer.json", ANSWER.encode()))

    found = draft_contract(
        load_catalog(root), "parking_permit", owner="tax", title="停车证", sample=sample
    )
    write_contract(root, found)

    assert [] == found.problems
    assert [] == load_catalog(root).check()
    contract = load_catalog(root).contract("parking_permit")
    assert ("draft", "tax", "停车证") == (contract.status, contract.owner, contract.label)
    assert ("sensitive", "subject") == (
        contract.field("id_no").classification,
        contract.field("id_no").index,
    )
    assert "changed_at" == contract.changed_at
    assert "# sfzh: 0." in found.files["contracts/parking_permit/v1.yaml"]


def test_fields_may_be_named_instead_and_none_at_all_is_said(root):
    """Either way the file is one that loads."""
    catalog = load_catalog(root)

    named = draft_contract(catalog, "permit_a", owner="tax", names=["许可编号", "户主姓名"])
    empty = draft_contract(catalog, "permit_b", owner="tax")
    for found in (named, empty):
        write_contract(root, found)

    assert [[], []] == [named.problems, empty.problems]
    assert 2 == len(load_catalog(root).contract("permit_a").fields)
    assert "no field was named: give --field NAME or --sample FILE" in empty.to_fill


def test_the_next_major_begins_as_a_copy_that_nothing_loads_yet(root):
    """With its mapping; the old one lives on unchanged, and the copy differs in nothing else."""
    catalog = load_catalog(root)

    found = draft_contract(catalog, "sale_contract", owner="hub")
    write_contract(root, found)

    after = load_catalog(root)
    assert [
        "contracts/sale_contract/v2.yaml",
        "mappings/housing/sale_contract_v2.yaml",
    ] == list(found.files)
    assert [] == found.problems
    assert [] == after.check()
    assert catalog.pull_routes == after.pull_routes
    report = compare(
        find_facts(after, "sale_contract@v1"), find_facts(after, "sale_contract@2.0.0")
    )
    assert ["status.changed"] == [change.kind for change in report.changes]


def test_the_next_major_is_loaded_once_it_is_active(root):
    """Nothing else has to be declared."""
    write_contract(root, draft_contract(load_catalog(root), "sale_contract", owner="hub"))
    path = root / "contracts" / "sale_contract" / "v2.yaml"
    path.write_text(path.read_text("utf-8").replace("status: draft", "status: active"), "utf-8")

    catalog = load_catalog(root)

    assert [] == catalog.check()
    assert ("sale_contract", "sale_contract_v2") == catalog.majors("sale_contract")


def test_nothing_that_exists_is_overwritten_and_a_wrong_name_is_refused(root):
    """A second draft finds the first one."""
    found = draft_contract(load_catalog(root), "parking_permit", owner="tax")
    write_contract(root, found)

    with pytest.raises(ConfigInvalid, match="exists already; nothing was written"):
        write_contract(root, found)
    with pytest.raises(ConfigInvalid, match="cannot be a name"):
        draft_contract(load_catalog(root), "Parking Permit", owner="tax")
