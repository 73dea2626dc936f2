"""Every edit of a contract is named with who breaks and the step that it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tongban.changes import compare, read_facts
from tongban.changes.effects import EFFECTS, Bump
from tongban.kernel.codes import CodeTables
from tongban.kernel.errors import ConfigInvalid

HERE = Path(__file__).parent
BASE = HERE / "contract.yaml"
CODES = CodeTables(HERE.parents[1] / "mappings" / "codes")
EDITS: list[dict[str, Any]] = yaml.safe_load((HERE / "edits.yaml").read_text("utf-8"))["edits"]
BREAKING = [edit for edit in EDITS if edit["needs"] == "major"]


def edited(edit: dict[str, Any], folder: Path, version: str = "1.3.0") -> Path:
    """The base contract after one edit."""
    text = BASE.read_text("utf-8").replace("version: 1.3.0", f"version: {version}")
    for part in (edit, edit.get("also")):
        if part is not None:
            assert 1 == text.count(part["find"]), part["find"]
            text = text.replace(part["find"], part["put"])
    path = folder / "v1.yaml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit["name"].replace(" ", "-"))
def test_an_edit_is_named_with_who_breaks_and_the_step_it_needs(edit, tmp_path):
    """Exactly the kinds that the corpus says, no others."""
    report = compare(read_facts(BASE, CODES), read_facts(edited(edit, tmp_path), CODES))

    assert edit["changes"] == sorted({change.kind for change in report.changes})
    assert edit["needs"] == report.needed.word
    assert edit["breaks"] == [party.value for party in report.breaks]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit["name"].replace(" ", "-"))
def test_a_step_is_refused_exactly_when_it_is_smaller_than_the_change(edit, tmp_path):
    """1.3.1 carries words, 1.4.0 what is safe for consumers, 2.0.0 everything."""
    old = read_facts(BASE, CODES)
    steps = {"1.3.0": Bump.NONE, "1.3.1": Bump.PATCH, "1.4.0": Bump.MINOR, "2.0.0": Bump.MAJOR}
    needed = Bump[edit["needs"].upper()]

    for version, step in steps.items():
        report = compare(old, read_facts(edited(edit, tmp_path, version), CODES))
        assert step == report.given
        assert (step >= needed) == report.is_accepted
        assert (step >= needed) == (report.refusals() == [])


def test_the_corpus_has_more_than_twenty_breaking_edits_and_every_one_is_caught(tmp_path):
    """As a whole: none of them goes out as a minor step."""
    old = read_facts(BASE, CODES)
    caught = [
        edit["name"]
        for edit in BREAKING
        if not compare(old, read_facts(edited(edit, tmp_path, "1.4.0"), CODES)).is_accepted
    ]

    assert len(BREAKING) > 20
    assert [edit["name"] for edit in BREAKING] == caught


def test_a_refusal_names_file_line_fact_and_what_to_do(tmp_path):
    """Enough to find the place and to choose."""
    edit = next(edit for edit in EDITS if edit["name"] == "an upper bound rises")
    path = edited(edit, tmp_path, "1.4.0")
    line = path.read_text("utf-8").splitlines().index("      - name: rent") + 1

    (refusal,) = compare(read_facts(BASE, CODES), read_facts(path, CODES)).refusals()

    assert refusal.startswith(f"v1.yaml:{line}: rent: maximum 1000000 → 5000000 (range.loosened)")
    assert refusal.endswith("undo it, or write it as v2.yaml with version 2.0.0")


def test_a_version_below_the_old_one_is_refused(tmp_path):
    """Even when nothing else changed."""
    path = edited({"find": "租赁合同备案", "put": "租赁合同备案"}, tmp_path, "1.2.9")

    report = compare(read_facts(BASE, CODES), read_facts(path, CODES))

    assert report.given is None
    assert "is below the released 1.3.0" in report.refusals()[0]


def test_code_tables_are_part_of_the_contract(tmp_path):
    """A code that goes breaks readers, one that ends early producers, a new one nobody."""
    folder = tmp_path / "codes"
    folder.mkdir()
    (folder / "area.csv").write_text("hub_code,label_zh,valid_from,valid_to\nA,甲,,\nB,乙,,\n")
    old = read_facts(BASE, CodeTables(folder))
    kinds = {}
    for name, rows in {
        "gone": "A,甲,,\n",
        "ended": "A,甲,,\nB,乙,,2026-12-31\n",
        "new": "A,甲,,\nB,乙,,\nC,丙,,\n",
        "words": "A,甲,,\nB,乙区,,\n",
    }.items():
        (folder / "area.csv").write_text(f"hub_code,label_zh,valid_from,valid_to\n{rows}")
        (change,) = compare(old, read_facts(BASE, CodeTables(folder))).changes
        kinds[name] = (change.kind, change.bump.word)

    assert {
        "gone": ("codes.removed", "major"),
        "ended": ("codes.ended", "minor"),
        "new": ("codes.added", "minor"),
        "words": ("text.changed", "patch"),
    } == kinds


def test_a_version_of_other_than_three_numbers_is_refused_with_its_line(tmp_path):
    """`1.3` says nothing about patches."""
    path = edited({"find": "租赁合同备案", "put": "租赁合同备案"}, tmp_path, "1.3")

    with pytest.raises(ConfigInvalid, match=r"v1\.yaml:6: expected a version such as 1\.2\.0"):
        read_facts(path, CODES)


def test_every_kind_of_change_that_takes_something_away_is_major():
    """Whoever breaks on the reading side decides about the step."""
    wrong = [
        kind
        for kind, effect in EFFECTS.items()
        if {"consumer", "people"} & {party.value for party in effect.breaks}
        and effect.bump is not Bump.MAJOR
    ]

    assert [] == wrong
