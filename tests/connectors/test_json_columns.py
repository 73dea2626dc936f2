"""JSON answers become text columns: digits untouched, nothing invented, nothing silent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.protocols.jsondoc import parse_json
from tongban.kernel.errors import AnswerUnreadable
from tongban.kernel.records import RecordShape


def read(body: str | bytes, fields, *, path="rows", explode=None, known=(), whole=True):
    """Read a body's rows."""
    data = body.encode() if isinstance(body, str) else body
    shape = RecordShape(tuple(fields), explode, frozenset(known) | frozenset(fields))
    return parse_json(data, "here").columns(path, shape, whole=whole)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("12345678901234567890123", "12345678901234567890123"),
        ("18446744073709551616", "18446744073709551616"),
        ("20181008000000000001", "20181008000000000001"),
        ("1.10", "1.10"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("123456789012345678.123456", "123456789012345678.123456"),
        ("-0.5", "-0.5"),
        ("1e3", "1000"),
        ("1.234567E7", "12345670"),
        ("3.10E-2", "0.0310"),
        ("-2.5E+5", "-250000"),
        ("1e400", "1e400"),
        ('"1E5"', "1E5"),
        ("7", "7"),
        ("true", "true"),
        ("false", "false"),
        ("null", None),
        ('"007"', "007"),
        ('""', ""),
        ('"甘肃"', "甘肃"),
        ('[1,"a"]', '[1,"a"]'),
    ],
)
def test_values_keep_their_own_text(written, expected):
    """No number becomes a float, null stays null, an empty text stays empty."""
    assert [expected] == read(f'{{"rows":[{{"a":{written}}}]}}', ["a"]).frame["a"].to_list()


@pytest.mark.parametrize(
    "row", ['{"a":1.10,"b":"x"}', '{"b":"x","a":1.10,"z":0}', '{"b":"x","a":1.10}']
)
def test_the_fast_way_and_the_general_way_agree(row):
    """Known flat records take the fast one, an unknown name the other."""
    decoded = read(f'{{"rows":[{row},{{}}]}}', ["a", "b"], known=["c"])
    assert [("1.10", "x"), (None, None)] == decoded.frame.rows()
    assert ({"z"} if "z" in row else set()) == decoded.unknown_fields


def test_absent_fields_are_null_and_all_columns_are_text():
    """Rows may lack fields; the columns stand in the wanted order."""
    decoded = read('{"rows":[{"a":1},{"b":"x"}]}', ["b", "a", "c"])
    assert [(None, "1", None), ("x", None, None)] == decoded.frame.rows()
    assert ["b", "a", "c"] == decoded.frame.columns


def test_numbers_and_texts_may_share_a_column():
    """Departments change their mind in the middle of a page."""
    decoded = read('{"rows":[{"a":1},{"a":"1"},{"a":1.0},{"a":null}]}', ["a"])
    assert ["1", "1", "1.0", None] == decoded.frame["a"].to_list()


def test_nested_fields_are_reached_by_dots():
    """An object that is null or missing gives null."""
    body = '{"rows":[{"p":{"q":{"r":5}}},{"p":null},{}]}'
    assert ["5", None, None] == read(body, ["p.q.r"]).frame["p.q.r"].to_list()


def test_exploded_list_gives_one_row_per_element_with_the_parents_fields():
    """A parent without elements has no row; a lone object counts as a list of one."""
    body = (
        '{"rows":[{"k":1,"l":[{"x":"a"},{"x":"b"}]},{"k":2,"l":[]},{"k":3},{"k":4,"l":{"x":"c"}}]}'
    )
    decoded = read(body, ["k", "l.x"], explode="l")
    assert [("1", "a"), ("1", "b"), ("4", "c")] == decoded.frame.rows()


def test_exploded_list_may_lie_deeper():
    """`a.b` as the list's path."""
    body = '{"rows":[{"k":1,"a":{"b":[{"x":"1"},{"x":2}]}}]}'
    assert [("1", "1"), ("1", "2")] == read(body, ["k", "a.b.x"], explode="a.b").frame.rows()


def test_unknown_names_are_reported_also_inside_objects():
    """Drift is never silent."""
    decoded = read('{"rows":[{"a":1,"new":2,"p":{"q":1,"z":1}}]}', ["a", "p.q"])
    assert {"new", "p.z"} == decoded.unknown_fields


def test_knowingly_ignored_objects_are_not_looked_into():
    """`ignore: [p]` covers everything below p."""
    assert set() == read('{"rows":[{"a":1,"p":{"q":1}}]}', ["a"], known=["p"]).unknown_fields


def test_children_of_shared_pages_report_only_their_own_drift():
    """The parent's dataset reports the parent's."""
    body = '{"rows":[{"k":1,"m":0,"l":[{"x":1,"y":2}]}]}'
    assert {"l.y"} == read(body, ["k", "l.x"], explode="l", whole=False).unknown_fields
    assert {"l.y", "m"} == read(body, ["k", "l.x"], explode="l").unknown_fields


def test_list_where_one_value_was_promised_is_drift_not_a_guess():
    """Two values for one cell: null, and a finding."""
    decoded = read('{"rows":[{"p":[{"q":1},{"q":2}]},{"p":[{"q":3}]}]}', ["p.q"])
    assert [None, "3"] == decoded.frame["p.q"].to_list()
    assert "p.q[]" in decoded.unknown_fields


def test_absent_record_list_gives_no_rows_but_all_columns():
    """An empty page has the shape of a full one."""
    decoded = read("{}", ["a", "b"])
    assert (0, 2) == decoded.frame.shape


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"rows":[{"a":1}',
        b'{"rows":[{"a":01}]}',
        b'{"rows":[{"a":NaN}]}',
        b'{"rows":[]} trailing',
        b'{"rows":[{"a":"\xff"}]}',
        b"<html></html>",
        b'{"rows":' + b"[" * 100_000,
    ],
)
def test_broken_json_is_unreadable(body):
    """Cut, trailing, not UTF-8, too deep: one named error, no text of the answer in it."""
    with pytest.raises(AnswerUnreadable, match="no valid JSON"):
        read(body, ["a", "b"])


@pytest.mark.parametrize("rows", ['"x"', "5", '{"other":1}', "[1]", '["x"]'])
def test_rows_that_are_no_records_are_unreadable(rows):
    """A list of numbers is no list of records."""
    with pytest.raises(AnswerUnreadable):
        read(f'{{"rows":{rows}}}', ["a"])


def test_error_never_quotes_the_answer():
    """The place is told, the value is not."""
    with pytest.raises(AnswerUnreadable) as caught:
        parse_json('{"name":"张三",}'.encode(), "here")
    assert "张三" not in str(caught.value)


def test_fingerprints_ignore_fields_that_change_every_time():
    """A fresh iv does not make another row."""
    one = parse_json(b'{"rows":[{"a":1,"e":"x"}]}', "")
    two = parse_json(b'{"rows":[{"a":1,"e":"y"}]}', "")
    assert one.prints("rows", frozenset({"e"})) == two.prints("rows", frozenset({"e"}))
    assert one.prints("rows", frozenset()) != two.prints("rows", frozenset())


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), st.one_of(st.none(), st.text(), st.integers()))
    )
)
def test_decoding_equals_plain_json(rows):
    """Against Python's own reader, for any rows of texts and whole numbers."""
    expected = [tuple(None if row.get(n) is None else str(row[n]) for n in "abc") for row in rows]
    assert expected == read(json.dumps({"rows": rows}), "abc").frame.rows()
