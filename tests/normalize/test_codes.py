"""Codes are translated by table or become a finding; words become true or false."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.normalize.one_operation import run
from tongban.kernel.codes import CodeTables
from tongban.kernel.errors import ConfigInvalid

ROOT = Path(__file__).parents[2]


@pytest.fixture
def codes(tmp_path):
    """A code table whose rows differ by direction."""
    (tmp_path / "usage.csv").write_text(
        "hub_code,label_zh,label_en,valid_from,valid_to\n10,住宅,home,,\n20,商业,shop,,\n"
    )
    (tmp_path / "usage.tax.csv").write_text(
        "source_code,hub_code,direction,valid_from,valid_to\n"
        "A,10,both,,\nB,20,in,,\nA2,10,in,,\nZ,20,out,,\n"
    )
    (tmp_path / "empty.csv").write_text("hub_code,label_zh\n")
    return tmp_path


def test_a_systems_code_becomes_the_hubs(codes):
    """Several source codes may mean one; an outgoing-only code is not accepted on the way in."""
    found = run("code", ["A", "A2", "B", "Z", "10", None], {"table": "usage"}, codes=codes)

    assert ["10", "10", "20", None, None, None] == found


def test_an_unknown_code_table_is_refused_with_the_nearest_name(codes):
    """At compile time."""
    with pytest.raises(ConfigInvalid, match='no code table "usge", did you mean "usage"'):
        run("code", ["A"], "usge", codes=codes)


def test_a_table_without_codes_is_refused(codes):
    """It would turn every value into a finding."""
    with pytest.raises(ConfigInvalid, match='finds no code of tax in the table "empty"'):
        run("code", ["A"], "empty", codes=codes)


@pytest.mark.parametrize(
    "args",
    [{"true": ["Y", "1"], "false": ["N", "0"]}, {True: ["Y", 1], False: ["N", 0]}],
    ids=["quoted keys", "bare YAML keys"],
)
def test_words_become_true_or_false(args):
    """YAML reads the bare keys true and false as booleans; both spellings work."""
    found = run("boolean", ["Y", "1", "N", "0", "y", "是", None], args)

    assert [True, True, False, False, None, None, None] == found


def test_a_word_cannot_be_true_and_false():
    """Refused at compile time."""
    with pytest.raises(ConfigInvalid, match="lists '1' as true and as false"):
        run("boolean", ["1"], {"true": ["1"], "false": ["1"]})


REUSED = """\
source_code,hub_code,direction,valid_from,valid_to
1,10,both,,2018-12-31
1,20,both,2019-01-01,
2,10,both,2019-01-01,
"""


@pytest.fixture
def reused(codes):
    """A table in which one code changed its meaning with a reform."""
    (codes / "usage.tax.csv").write_text(REUSED)
    return codes


def test_code_means_what_it_meant_on_the_records_own_day(reused):
    """The last day of a meaning counts; without a day nothing is guessed."""
    days = ["20181231235959", "2019-01-01", "2019年01月01日", "2017/06/30", None, "soon"]

    found = run(
        "code", ["1", "1", "2", "2", "1", "1"], {"table": "usage", "at": "DAY"},
        codes=reused, columns={"DAY": days},
    )  # fmt: skip

    assert ["10", "20", "10", None, None, None] == found


def test_table_with_a_reused_code_needs_the_records_day(reused):
    """Else the newest meaning would be read into old records."""
    with pytest.raises(ConfigInvalid, match='needs the argument "at": codes of "usage" meant'):
        run("code", ["1"], "usage", codes=reused)


def test_both_ways_go_by_the_day(reused):
    """From a system to the hub and back is the identity on every day."""
    tables = CodeTables(reused)
    before, after = date(2018, 12, 31), date(2019, 1, 1)

    assert {"1": "10"} == tables.to_hub("usage", "tax", before)
    assert {"10": "1"} == tables.from_hub("usage", "tax", before)
    assert {"1": "20", "2": "10"} == tables.to_hub("usage", "tax", after)
    assert {"20": "1", "10": "2"} == tables.from_hub("usage", "tax", after)
    assert tables.to_hub("usage", "tax", after) == tables.to_hub("usage", "tax")
    assert (date(2019, 1, 1),) == tables.turns("usage", "tax")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,10,both,,2019-01-01\n1,20,both,2019-01-01,\n", "source's code overlaps line 2"),
        ("1,10,in,,\n1,20,in,,\n", "tax.csv:3: the source's code overlaps line 2"),
        ("1,10,both,,\n2,10,both,,\n", "the hub's code leads to a second code of the system"),
        ("1,10,both,2019-01-01,2018-01-01\n", "tax.csv:2: valid_to is before valid_from"),
        ("1,10,bohh,,\n", 'tax.csv:2: unknown direction, did you mean "both"'),
        ("1,11,both,,\n", "tax.csv:2: not a code of usage"),
    ],
)
def test_ambiguous_rows_are_refused_in_both_directions(codes, rows, message):
    """One code has one meaning at a time, on the way in and on the way out."""
    (codes / "usage.tax.csv").write_text(REUSED.splitlines()[0] + "\n" + rows)

    with pytest.raises(ConfigInvalid, match=message):
        CodeTables(codes).to_hub("usage", "tax")


def test_several_spellings_in_and_one_out_are_fine(codes):
    """The direction says which one is written."""
    (codes / "usage.tax.csv").write_text(REUSED.splitlines()[0] + "\nA,10,both,,\nA2,10,in,,\n")
    tables = CodeTables(codes)

    assert {"A": "10", "A2": "10"} == tables.to_hub("usage", "tax")
    assert {"10": "A"} == tables.from_hub("usage", "tax")


def test_codes_of_the_hub_are_valid_on_their_days():
    """Huating county ended with 2018, the city began with 2019."""
    area = CodeTables(ROOT / "mappings" / "codes")

    assert "620824" in area.valid_on("area", date(2018, 12, 31))
    assert "620824" not in area.valid_on("area", date(2019, 1, 1))
