"""Code tables: complete, two-way, and with the history that old records need."""

from __future__ import annotations

from datetime import date

import pytest

from tests.mappings.city import CODES, ROOT, contract_of
from tongban.kernel.identifiers import credit_code

FOLDER = ROOT / "mappings" / "codes"
SYSTEM_TABLES = sorted(tuple(p.stem.split(".")) for p in FOLDER.glob("*.*.csv"))
CONTRACTS = sorted(path.parent.name for path in (ROOT / "contracts").glob("*/v1.yaml"))


@pytest.mark.parametrize("table", sorted(CODES.names))
def test_every_code_has_labels_in_both_languages(table):
    """Pages show the Chinese label, the English one serves developers."""
    rows = CODES.table(table)

    assert rows
    assert all(row.label_zh and row.label_en for row in rows)


@pytest.mark.parametrize(("table", "system"), SYSTEM_TABLES)
def test_code_comes_back_as_the_same_hub_code(table, system):
    """From the hub to a system and back is the identity, wherever the system's codes come in."""
    inward, outward = CODES.to_hub(table, system), CODES.from_hub(table, system)

    returned = {hub: inward[theirs] for hub, theirs in outward.items() if theirs in inward}
    assert {hub: hub for hub in returned} == returned


@pytest.mark.parametrize("dataset", CONTRACTS)
def test_code_tables_of_contracts_exist(dataset):
    """A contract may not promise a code of a table that is not there."""
    tables = {item.code_table for item in contract_of(dataset).fields if item.code_table}

    assert set() == tables - CODES.names


def test_no_table_is_left_over():
    """Every table is used by a contract or by a push; the department registry stands alone."""
    used = {item.code_table for name in CONTRACTS for item in contract_of(name).fields}
    pushes = "".join(p.read_text("utf-8") for p in (ROOT / "mappings").glob("*/*.push.yaml"))
    mentioned = {name for name in CODES.names if f"table: {name}}}" in pushes}

    assert {"department"} == CODES.names - used - mentioned


def test_area_codes_of_before_2002_are_known_and_lead_to_the_present_ones():
    """Old deeds and identity cards carry the codes of the former prefecture."""
    import csv

    with (FOLDER / "area.csv").open(encoding="utf-8", newline="") as stream:
        successor = {row["hub_code"]: row["successor"] for row in csv.DictReader(stream)}
    today = {row.code for row in CODES.table("area") if row.valid_to is None}

    def present(code: str) -> str:
        return present(successor[code]) if successor[code] else code

    assert "620802" == present("622701") == present("622721")
    assert "620881" == present("622725") == present("620824")
    assert {present(code) for code in successor} <= today


def test_huating_is_a_city_since_2018_and_was_a_county_before():
    """Both codes stay known; validity tells which one a date should have."""
    rows = {row.code: row for row in CODES.table("area")}

    assert date(2018, 12, 31) == rows["620824"].valid_to
    assert rows["620881"].valid_to is None


def test_the_56_nations_are_complete():
    """GB/T 3304 numbers them from 01 to 56."""
    assert [f"{n:02d}" for n in range(1, 57)] == [row.code for row in CODES.table("nation")]


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ("1|存续（在营、开业、在册）", "1"),
        ("1|在营（开业）", "1"),
        ("2|吊销,未注销", "2"),
        ("2|吊销，未注销", "2"),
        ("3|吊销,已注销", "3"),
        ("4|注销", "4"),
        ("5|撤销", "5"),
        ("6|迁出", "6"),
    ],
)
def test_synonyms_of_enterprise_states_are_known(written, state):
    """The same state is written in several ways by the same office."""
    assert state == CODES.to_hub("enterprise_state", "market")[written]


@pytest.mark.parametrize("written", ["1|注销", "4|存续", "9|状态不详", "1"])
def test_contradicting_or_unknown_enterprise_states_are_not_guessed(written):
    """Code and text must agree."""
    assert written not in CODES.to_hub("enterprise_state", "market")


def test_departments_are_named_by_valid_credit_codes_and_succeed_each_other():
    """Names change with every reform, the registry follows."""
    rows = {row.code: row for row in CODES.table("department")}
    merged = {row.label_zh for row in rows.values() if row.valid_to is not None}

    assert all(credit_code(code).is_valid for code in rows)
    assert {"平凉市国土资源局", "平凉市工商行政管理局", "平凉市国家税务局"} <= merged
