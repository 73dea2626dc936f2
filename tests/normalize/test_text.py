"""Text operations: what is trimmed, narrowed, joined, and what is left alone."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.normalize.one_operation import run
from tongban.kernel.errors import ConfigInvalid
from tongban.normalize import text

NASTY = st.text(
    alphabet=st.one_of(
        st.sampled_from(" \u3000\u200b\ufeff\t\n·・•ＡａＺ０９（）％，¥￥甲乙𠮷x0-"),
        st.characters(codec="utf-8"),
    ),
    max_size=20,
)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (" a ", "a"),
        ("\u3000甲\u3000", "甲"),
        ("\u200b\ufeff甲\u2060", "甲"),
        ("\ufeff \u3000\u200b", None),
        ("", None),
        ("   ", None),
        (None, None),
        ("甲 乙", "甲 乙"),
        ("\xa0a\x85", "a"),
        ("𠮷\u3000", "𠮷"),
    ],
)
def test_text_is_trimmed_of_every_blank_and_empty_is_null(cell, expected):
    """Ideographic, zero-width and byte-order blanks too; inner blanks stay."""
    assert [expected] == run("text", [cell])


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("６２０８９９", "620899"),
        ("ＡｂＣ（１）", "AbC(1)"),
        ("￥１，０００", "¥1,000"),
        ("甲\u3000乙", "甲 乙"),
        ("《甲》。", "《甲》。"),
        ("㎡", "㎡"),
        ("plain", "plain"),
        (None, None),
    ],
)
def test_half_width_narrows_letters_digits_and_signs_only(cell, expected):
    """Unlike NFKC, which would turn ㎡ into m2."""
    assert [expected] == run("half_width", [cell])


@pytest.mark.parametrize(
    ("name", "args", "cell", "expected"),
    [
        ("upper", None, "62x", "62X"),
        ("lower", None, "Ab甲", "ab甲"),
        ("strip_chars", {"chars": "#*"}, "*#12#", "12"),
        ("strip_chars", "-", "--", None),
        ("strip_suffix", ["㎡", "平方米"], "89.5 平方米", "89.5"),
        ("strip_suffix", ["元", "万元"], "3万元", "3"),
        ("strip_suffix", ["㎡"], "㎡", None),
        ("replace", {"find": "-", "with": ""}, "1-2-3", "123"),
        ("replace", {"find": "."}, "1.2", "12"),
        ("null_if", ["-1", "0"], "-1", None),
        ("null_if", [-1, 0], "0", None),
        ("null_if", ["-1"], "-10", "-10"),
        ("split", {"separator": ";", "index": 1}, "甲; 乙", "乙"),
        ("split", {"separator": ";", "index": 5}, "甲;乙", None),
        ("slice", {"start": 2, "length": 3}, "abcdefg", "cde"),
        ("slice", {"start": 20, "length": 3}, "abc", None),
        ("constant", "156", "x", "156"),
        ("constant", {"value": 7}, None, "7"),
    ],
)
def test_a_text_operation_does_what_its_name_says(name, args, cell, expected):
    """One row of the golden table."""
    assert [expected] == run(name, [cell], args)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("张\u3000伟", "张伟"),
        (" 王 小 明 ", "王小明"),
        ("阿依夏・买买提", "阿依夏·买买提"),
        ("阿依夏 • 买买提", "阿依夏·买买提"),
        ("阿依夏·买买提", "阿依夏·买买提"),
        ("JOHN   SMITH", "JOHN SMITH"),
        ("𠮷 田", "𠮷田"),
        ("欧阳\t娜 娜", "欧阳娜娜"),
        (None, None),
    ],
)
def test_a_persons_name_has_one_kind_of_dot_and_no_blanks_between_characters(cell, expected):
    """Minority names with every middle dot that people type, and rare characters."""
    assert [expected] == run("person_name", [cell])


def test_cells_of_several_sources_are_joined_or_chosen_row_by_row():
    """Missing cells are left out; all missing is missing."""
    left = pl.Series(["a", None, None])
    right = pl.Series(["b", "b", None])

    assert ["a-b", "b", None] == text.join([left, right], "-").to_list()
    assert ["a", "b", None] == text.first_present([left, right]).to_list()


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("甲\n乙\t丙", "甲\n乙\t丙"),
        ("a\x00b", None),
        ("a\x1fb", None),
        ("a\x7f", None),
        ("\ufffe", None),
    ],
)
def test_a_control_character_that_nobody_could_store_is_no_text(cell, expected):
    """NUL breaks PostgreSQL, the others break XML; line breaks and tabs are fine."""
    assert [expected] == text.printable(pl.Series([cell])).to_list()


@given(st.lists(NASTY, min_size=1, max_size=8))
def test_every_text_form_is_idempotent(cells):
    """Doing it again changes nothing, for any text."""
    for form in (text.clean, text.half_width, text.code_form, text.person_name):
        once = form(text.clean(pl.Series(cells, dtype=pl.String)))

        assert once.to_list() == form(once).to_list(), form.__name__


@given(st.lists(NASTY, min_size=1, max_size=8))
def test_one_cell_never_changes_its_neighbours(cells):
    """A column gives what its cells alone would give, though ASCII columns take a shortcut."""
    assert text.clean(pl.Series(cells)).to_list() == [text.clean(pl.Series([c]))[0] for c in cells]
    column = text.clean(pl.Series(cells))
    for form in (text.half_width, text.code_form, text.person_name):
        alone = [form(pl.Series([cell], dtype=pl.String))[0] for cell in column]

        assert alone == form(column).to_list(), form.__name__


def test_the_source_column_is_never_changed_in_place():
    """Polars' scatter works in place; our operations must not."""
    column = pl.Series(["ＡＢ", "x"])

    text.half_width(column)

    assert ["ＡＢ", "x"] == column.to_list()


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("uper", None, r'thing\.yaml:7: unknown operation "uper", did you mean "upper"\?'),
        ("slice", {"start": 1}, 'operation slice needs the argument "length" as a whole number'),
        ("slice", {"start": "1", "length": 2}, 'needs the argument "start" as a whole number'),
        ("replace", {"fnd": "x"}, 'has no argument "fnd", did you mean "find"'),
        ("replace", {"find": ""}, 'not empty as "find"'),
        ("replace", "x", "takes no bare argument"),
        ("null_if", None, 'needs the argument "values" as a list'),
        ("upper", {"x": 1}, 'has no argument "x"'),
    ],
)
def test_a_wrong_operation_is_refused_with_its_place_and_a_suggestion(name, args, message):
    """At compile time, never on data."""
    with pytest.raises(ConfigInvalid, match=message):
        run(name, ["x"], args)
