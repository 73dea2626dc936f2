"""Codes are translated by table or become a finding; words become true or false."""

from __future__ import annotations

import pytest

from tests.normalize.one_operation import run
from tongban.kernel.errors import ConfigInvalid


@pytest.fixture
def codes(tmp_path):
    """A code table whose rows differ by direction."""
    (tmp_path / "usage.csv").write_text(
        "hub_code,label_zh,label_en,valid_from,valid_to\n10,住宅,home,,\n20,商业,shop,,\n"
    )
    (tmp_path / "usage.tax.csv").write_text(
        "source_code,hub_code,direction,valid_from,valid_to\n"
        "A,10,both,,\nB,20,both,,\nA2,10,in,,\nZ,20,out,,\n"
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
