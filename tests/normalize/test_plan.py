"""A mapping is compiled once and applied to batches: types, failures, keys, refusals."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.normalize import thing
from tongban.kernel.column_types import columns_of
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING
from tongban.normalize import apply, shape_of

ROW = {
    "NO": " T1 ",
    "ID": "620802850314001",
    "YT": "1",
    "JG": "56.5",
    "CS": "18",
    "RQ": "20240229",
    "XF": "0",
    "NY": "202402",
    "SJ": "20240305100000",
}


def frame(*rows: dict[str, str | None]) -> pl.DataFrame:
    """Rows that differ from a good one in what is given."""
    return pl.DataFrame([ROW | row for row in rows], schema=dict.fromkeys(ROW, pl.String))


def test_a_row_comes_out_in_the_contracts_columns_order_and_types(tmp_path):
    """And nothing else; a field without a mapping is there and empty."""
    done = apply(thing.plan(tmp_path), frame({}))

    assert columns_of(thing.contract(tmp_path)) == dict(done.frame.schema)
    assert (
        "T1",
        "620802198503140012",
        "home",
        Decimal("565000.00"),
        18,
        date(2024, 2, 29),
        False,
        "2024-02",
        None,
        datetime(2024, 3, 5, 10, tzinfo=BEIJING),
    ) == done.frame.row(0)
    assert ({}, {}, {}) == (done.failures, done.code_failures, done.failed_operations)


def test_a_value_that_cannot_be_converted_is_a_failure_and_a_missing_one_is_not(tmp_path):
    """The rows are told apart, and the operation is named with a count."""
    done = apply(thing.plan(tmp_path), frame({}, {"JG": "x"}, {"JG": None}, {"JG": " "}))

    assert {"price": [False, True, False, False]} == {
        k: v.to_list() for k, v in done.failures.items()
    }
    assert {"price": {"money": 1}} == done.failed_operations
    assert [Decimal("565000.00"), None, None, None] == done.frame["price"].to_list()


def test_an_unknown_code_is_a_failure_of_its_own_kind(tmp_path):
    """Neither a conversion failure nor a missing value."""
    done = apply(thing.plan(tmp_path), frame({"YT": "9"}, {"YT": None}))

    assert {"usage": [True, False]} == {k: v.to_list() for k, v in done.code_failures.items()}
    assert {} == done.failures


def test_a_control_character_in_text_is_a_failure(tmp_path):
    """No database could store it."""
    done = apply(thing.plan(tmp_path), frame({"NO": "T\x00"}))

    assert ["thing_no"] == list(done.failures)


def test_a_source_field_that_the_page_lacks_counts_as_null(tmp_path):
    """Absence is for the contract to judge."""
    done = apply(thing.plan(tmp_path), frame({}).drop("JG"))

    assert [None] == done.frame["price"].to_list()
    assert {} == done.failures


def test_the_source_key_is_what_the_source_wrote(tmp_path):
    """Joined with |; a missing part is empty."""
    done = apply(thing.plan(tmp_path, key=("NO", "RQ")), frame({}, {"NO": None}))

    assert ["T1|20240229", "|20240229"] == done.source_key.to_list()


def test_two_different_keys_never_join_to_one(tmp_path):
    """A separator inside a value is escaped."""
    done = apply(
        thing.plan(tmp_path, key=("NO", "NY")),
        frame({"NO": "a|", "NY": "b"}, {"NO": "a", "NY": "|b"}, {"NO": "a\\|", "NY": "b"}),
    )

    assert 3 == done.source_key.n_unique()


def test_no_rows_give_no_rows_with_all_columns(tmp_path):
    """An empty page is a page."""
    done = apply(thing.plan(tmp_path), frame({}).clear())

    assert (0, 10) == done.frame.shape
    assert {} == done.failures


def test_several_sources_are_joined_or_chosen(tmp_path):
    """As the first operation; the others follow."""
    made = thing.plan(
        tmp_path,
        thing_no={"from": ["NO", "YT"], "ops": [{"concat": "-"}, "lower"]},
        remark={"from": ["ID", "NO"], "ops": ["coalesce"]},
    )

    done = apply(made, frame({"ID": None}))

    assert ("t1-1", "T1") == (done.frame["thing_no"][0], done.frame["remark"][0])


def test_a_constant_needs_no_source(tmp_path):
    """One value for every row, converted like any other."""
    done = apply(thing.plan(tmp_path, floors={"ops": [{"constant": 7}]}), frame({}, {}))

    assert [7, 7] == done.frame["floors"].to_list()


def test_a_number_of_one_column_may_become_text_in_another(tmp_path):
    """An integer operation on a text field gives its digits without zeros in front."""
    done = apply(
        thing.plan(tmp_path, remark={"from": "CS", "ops": ["integer"]}), frame({"CS": "007"})
    )

    assert ["7"] == done.frame["remark"].to_list()


def test_the_shape_names_the_key_and_every_source_once(tmp_path):
    """Also the field that decides the kind of a number."""
    made = thing.mapping(
        tmp_path,
        owner_id={"from": "ID", "ops": [{"id_by_type": {"type": "LX", "resident": ["1"]}}]},
    )

    assert ("NO", "ID", "LX", "YT", "JG", "CS", "RQ", "XF", "NY", "SJ") == shape_of(made).fields


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"prise": {"from": "JG"}},
            r'thing\.yaml:\d+: the contract has no field "prise", did you mean "price"',
        ),
        (
            {"built_on": {"from": "RQ"}},
            r'thing\.yaml:\d+: the field "built_on" is date, but its operations give text',
        ),
        ({"built_on": {"from": "RQ", "ops": [{"datetime": ["iso"]}]}}, "is date, .* give datetime"),
        ({"is_new": {"from": "XF"}}, "add an operation that gives boolean"),
        (
            {"floors": {"from": "CS", "ops": ["integer", "upper"]}},
            "works on text, but gets integer",
        ),
        ({"remark": {"from": ["NO", "ID"]}}, "several sources need concat or coalesce"),
        ({"remark": {"ops": ["upper"]}}, 'a field without "from" needs the operation constant'),
        ({"price": {"from": "JG", "ops": [{"money": "千元"}]}}, 'does not know the unit "千元"'),
        (
            {"price": {"from": "JG", "ops": ["decimals"]}},
            'unknown operation "decimals", did you mean',
        ),
        ({"usage": {"from": "YT", "ops": [{"code": "usag"}]}}, 'did you mean "usage"'),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_place(tmp_path, changes, message):
    """Before any data is seen."""
    with pytest.raises(ConfigInvalid, match=message):
        thing.plan(tmp_path, **changes)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """One plan for the properties, since compiling writes files."""
    return thing.plan(tmp_path_factory.mktemp("thing"))


CELLS = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.sampled_from([*ROW.values(), "20230229", "1.005", "９", "\u3000", "x\x00"]),
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries(dict.fromkeys(ROW, CELLS)), max_size=12))
def test_whatever_comes_every_row_stays_and_every_loss_is_noted(compiled, rows):
    """Total over any text: same rows, and null only where nothing was or a failure says so."""
    given_ = pl.DataFrame(rows, schema=dict.fromkeys(ROW, pl.String))

    done = apply(compiled, given_)

    assert len(rows) == done.frame.height == len(done.source_key)
    for name, made in thing.FIELDS.items():
        empty = done.frame[name].is_null()
        cleaned = given_[made["from"]].str.strip_chars(" \t\n\x0b\x0c\r\x85\xa0\u3000\u200b\ufeff")
        lost = pl.Series([False] * len(rows), dtype=pl.Boolean)
        for flags in (done.failures.get(name), done.code_failures.get(name)):
            lost = lost if flags is None else lost | flags
        surely_there = cleaned.str.contains("[0-9A-Za-z]").fill_null(value=False)
        assert not (surely_there & empty & ~lost).any(), name
        assert not (lost & ~empty).any(), name


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries(dict.fromkeys(ROW, CELLS)), min_size=2, max_size=10))
def test_a_batch_gives_what_its_rows_give_alone(compiled, rows):
    """No row influences another, so chunks may be cut anywhere."""
    given_ = pl.DataFrame(rows, schema=dict.fromkeys(ROW, pl.String))

    alone = pl.concat([apply(compiled, given_[i]).frame for i in range(len(rows))])

    assert alone.equals(apply(compiled, given_).frame)
