"""Outgoing operations: the hub's cells in the words of each target, exact or not at all."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban.kernel import formatting
from tongban.kernel.codes import CodeTables
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.mappings import FieldMapping, Op, load_push_mapping
from tongban.protect import mask

ROOT = Path(__file__).parents[2]
MONEY = pl.Decimal(16, 2)


def made(*ops: tuple[str, object], sources: tuple[str, ...] = ("x",)) -> FieldMapping:
    """A field of a push mapping."""
    compiled = tuple(Op(name, args, "mappings/tax/thing.push.yaml:9") for name, args in ops)
    return FieldMapping("X", sources, compiled, "mappings/tax/thing.push.yaml:8")


def run(field: FieldMapping, *columns: pl.Series, codes: Path = Path("nowhere")) -> list[object]:
    """Compile one field and give its cells."""
    compiled = formatting.compile_outward(field, CodeTables(codes), "tax", mask)
    return compiled.run(columns, len(columns[0]) if columns else 2).to_list()


@pytest.mark.parametrize(
    ("name", "args", "cells", "expected"),
    [
        ("money_out", {"unit": "元", "scale": 2}, ["560000.50", None], ["560000.50", None]),
        ("money_out", {"unit": "万元", "scale": 6}, ["560000.50"], ["56.000050"]),
        ("money_out", {"unit": "万元", "scale": 2}, ["560000.50"], [None]),
        ("money_out", {"unit": "分", "scale": 0}, ["0.05"], ["5"]),
        ("decimal_text", {"scale": 4}, ["89.12"], ["89.1200"]),
        ("decimal_text", {"scale": 1}, ["89.12", "89.10"], [None, "89.1"]),
        ("number", {"scale": 2}, ["89.12", None], [89.12, None]),
        ("number", {"scale": 0}, ["89.00", "89.12"], [89, None]),
        ("percent_text", None, ["0.50", "1.00", "0.00", None], ["50%", "100%", "0%", None]),
    ],
)
def test_a_number_leaves_exactly_or_not_at_all(name, args, cells, expected):
    """Nothing is rounded on the way out."""
    column = pl.Series([None if c is None else Decimal(c) for c in cells], dtype=MONEY)

    assert expected == run(made((name, args)), column)


def test_a_share_leaves_as_percent_without_needless_zeros():
    """A third keeps what the contract keeps."""
    column = pl.Series([Decimal("0.333333"), Decimal("0.1")], dtype=pl.Decimal(9, 6))

    assert ["33.3333%", "10%"] == run(made(("percent_text", None)), column)


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("iso_datetime", None, "2024-03-06T00:30:00+08:00"),
        ("text_datetime", {"format": "yyyyMMddHHmmss"}, "20240306003000"),
        ("text_datetime", {"format": "yyyy-MM-dd HH:mm:ss"}, "2024-03-06 00:30:00"),
        ("text_date", {"format": "yyyyMMdd"}, "20240306"),
        ("text_date", "yyyy-MM-dd", "2024-03-06"),
    ],
)
def test_a_moment_leaves_as_beijing_time(name, args, expected):
    """Also when it comes in UTC, as from the database."""
    moment = datetime(2024, 3, 5, 16, 30, tzinfo=UTC)

    assert [expected, None] == run(made((name, args)), pl.Series([moment, None]))


def test_a_day_leaves_as_a_day():
    """There is no zone in it to convert."""
    day = pl.Series([date(2024, 3, 6)])

    assert ["20240306"] == run(made(("text_date", "yyyyMMdd")), day)
    assert ["2024-03-06"] == run(made(("iso_datetime", None)), day)


def test_true_and_false_leave_in_the_targets_words():
    """Text or numbers; YAML reads the bare keys as booleans."""
    flags = pl.Series([True, False, None])

    assert ["Y", "N", None] == run(made(("boolean_out", {"true": "Y", "false": "N"})), flags)
    assert [1, 0, None] == run(made(("boolean_out", {True: 1, False: 0})), flags)


def test_a_code_leaves_as_the_targets_code(tmp_path):
    """A code that the target has not is null; of several spellings one goes out."""
    (tmp_path / "usage.csv").write_text("hub_code,label_zh\nhome,住宅\nshop,商业\n")
    (tmp_path / "usage.tax.csv").write_text(
        "source_code,hub_code,direction\n10,home,both\n11,home,in\n20,shop,in\n"
    )

    found = run(made(("code_out", "usage")), pl.Series(["home", "shop", None]), codes=tmp_path)

    assert ["10", None, None] == found


def test_cells_are_joined_chosen_made_cut_or_masked():
    """The other operations."""
    left, right = pl.Series(["a", None]), pl.Series(["b", "c"])

    assert ["a-b", "c"] == run(made(("concat", "-"), sources=("x", "y")), left, right)
    assert ["a", "c"] == run(made(("coalesce", None), sources=("x", "y")), left, right)
    assert ["tb", "tb"] == run(made(("constant", {"value": "tb"}), sources=()))
    assert ["cd"] == run(made(("slice", {"start": 2, "length": 2})), pl.Series(["abcde"]))
    assert [mask("name", "张伟")] == run(made(("mask", {"kind": "name"})), pl.Series(["张伟"]))


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (
            made(("money", None)),
            r':9: unknown outgoing operation "money", did you mean "money_out"',
        ),
        (made(("money_out", {"unit": "圆"})), ':9: unknown unit "圆"'),
        (made(("text_date", "yyyyMMDD")), ':9: unknown format "yyyyMMDD"'),
        (made(("code_out", {"tabel": "x"})), 'needs the argument "table"'),
        (made(("mask", {"kind": "nane"})), 'no mask kind "nane", did you mean "name"'),
        (made(sources=("x", "y")), ":8: expected one source, or concat"),
    ],
)
def test_a_wrong_outgoing_operation_is_refused_with_its_place(field, message):
    """Before anything is sent."""
    with pytest.raises(ConfigInvalid, match=message):
        run(field, pl.Series(["x"]), pl.Series(["y"]))


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "mappings").glob("*/*.push.yaml")),
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_every_push_mapping_of_the_repository_compiles(path):
    """Each field and each child's field."""
    mapping = load_push_mapping(path, root=ROOT)
    codes = CodeTables(ROOT / "mappings" / "codes")
    fields = [*mapping.fields.values()]
    for child in mapping.children.values():
        fields += child.fields.values()

    compiled = [formatting.compile_outward(f, codes, mapping.target, mask) for f in fields]

    assert [f.target for f in fields] == [item.target for item in compiled]


@given(st.lists(st.decimals(-(10**9), 10**9, places=2), max_size=8))
def test_money_in_ten_thousands_comes_back_whole(amounts):
    """Six decimals of 万元 hold every hundredth of 元."""
    texts = formatting.money_out(pl.Series(amounts, dtype=MONEY), "万元", 6).to_list()

    assert amounts == [Decimal(text) * 10_000 for text in texts]
