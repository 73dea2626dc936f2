"""The golden table of every rule kind: rows that keep it, break it, or do not concern it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.validate.batches import NO_CODES, batch, contract, rule
from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import RULE_KINDS, Field
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING
from tongban.validate import KINDS, check, compile_contract

NOW = datetime(2026, 11, 24, 12, tzinfo=BEIJING)
TODAY = NOW.date()
KEPT, BROKEN, SILENT = "kept", "broken", "does not apply"
FIELDS = (
    Field("no", "编号", "string"),
    Field("kind", "类型", "string"),
    Field("n", "整数", "integer"),
    Field("m", "整数", "integer"),
    Field("a", "金额", "decimal", precision=16, scale=2),
    Field("b", "金额", "decimal", precision=16, scale=2),
    Field("c", "金额", "decimal", precision=16, scale=2),
    Field("rate", "税率", "decimal", precision=6, scale=4),
    Field("d", "日期", "date"),
    Field("e", "日期", "date"),
    Field("t", "时间", "datetime"),
    Field("u", "时间", "datetime"),
    Field("yes", "是否", "boolean"),
)
GOLDEN = [
    ("resident_id", {"field": "no"}, {"no": "620899198503140011"}, KEPT),
    ("resident_id", {"field": "no"}, {"no": "62089919850314001X"}, BROKEN),
    ("resident_id", {"field": "no"}, {"no": "620802850314001"}, BROKEN),
    ("resident_id", {"field": "no"}, {"no": None}, SILENT),
    ("credit_code", {"field": "no"}, {"no": "91620802MA0000015X"}, KEPT),
    ("credit_code", {"field": "no"}, {"no": "91620802MA0000015Y"}, BROKEN),
    ("credit_code", {"field": "no", "part": "inner"}, {"no": "91620802MA0000015Y"}, KEPT),
    ("credit_code", {"field": "no", "part": "outer"}, {"no": "91620802MA0000015Y"}, BROKEN),
    ("organisation_code", {"field": "no"}, {"no": "D2143569-X"}, KEPT),
    ("organisation_code", {"field": "no"}, {"no": "D2143569-0"}, BROKEN),
    ("registration_no", {"field": "no"}, {"no": "620802000000011"}, KEPT),
    ("registration_no", {"field": "no"}, {"no": "620802000000010"}, BROKEN),
    ("real_estate_unit", {"field": "no"}, {"no": "620802001001GB00001F00010001"}, KEPT),
    ("real_estate_unit", {"field": "no"}, {"no": "620802001001GB00001F0001000"}, BROKEN),
    ("certificate_no", {"field": "no"}, {"no": "甘（2018）平凉市不动产权第0000001号"}, KEPT),
    ("certificate_no", {"field": "no"}, {"no": "平国用（2010）第123号"}, KEPT),
    ("certificate_no", {"field": "no"}, {"no": "甘(2018)平凉市不动产权第0000001号"}, BROKEN),
    ("licence_id", {"field": "no"}, {"no": "1.2.156.3005.2.X"}, BROKEN),
    ("phone", {"field": "no"}, {"no": "13900000000"}, KEPT),
    ("phone", {"field": "no"}, {"no": "139"}, BROKEN),
    ("month", {"field": "no"}, {"no": "2026-11"}, KEPT),
    ("month", {"field": "no"}, {"no": "2026-12"}, BROKEN),
    ("not_future", {"field": "d"}, {"d": TODAY}, KEPT),
    ("not_future", {"field": "d"}, {"d": TODAY + timedelta(days=1)}, BROKEN),
    ("not_future", {"field": "t"}, {"t": NOW + timedelta(minutes=4)}, KEPT),
    ("not_future", {"field": "t"}, {"t": NOW + timedelta(minutes=6)}, BROKEN),
    ("not_future", {"field": "t"}, {"t": None}, SILENT),
    ("compare", {"left": "n", "op": "<=", "right": "m"}, {"n": 3, "m": 3}, KEPT),
    ("compare", {"left": "n", "op": "<", "right": "m"}, {"n": 3, "m": 3}, BROKEN),
    ("compare", {"left": "n", "op": "<=", "right": "m"}, {"n": 3, "m": None}, SILENT),
    ("compare", {"left": "n", "op": ">", "value": 2}, {"n": 3}, KEPT),
    ("compare", {"left": "kind", "op": "!=", "value": "x"}, {"kind": "x"}, BROKEN),
    ("compare", {"left": "d", "op": ">=", "value": "2000-01-01"}, {"d": date(1999, 1, 1)}, BROKEN),
    ("compare", {"left": "t", "op": ">=", "value": "2000-01-01"}, {"t": NOW}, KEPT),
    (
        "compare",
        {"left": "a", "op": "<=", "right": "b", "tolerance": 0.02},
        {"a": Decimal("10.02"), "b": Decimal(10)},
        KEPT,
    ),
    (
        "compare",
        {"left": "a", "op": "<=", "right": "b", "tolerance": 0.02},
        {"a": Decimal("10.03"), "b": Decimal(10)},
        BROKEN,
    ),
    (
        "compare",
        {"left": "a", "op": "==", "right": "b", "tolerance": 1},
        {"a": Decimal(9), "b": Decimal(10)},
        KEPT,
    ),
    (
        "compare",
        {"left": "a", "op": ">=", "right": "b", "tolerance": 1},
        {"a": Decimal("8.99"), "b": Decimal(10)},
        BROKEN,
    ),
    (
        "compare",
        {"left": "d", "op": "<=", "right": "t"},
        {"d": date(2024, 3, 6), "t": datetime(2024, 3, 6, 0, 30, tzinfo=BEIJING)},
        KEPT,  # the same day in Beijing, though still the fifth in UTC
    ),
    (
        "compare",
        {"left": "d", "op": "<", "right": "t"},
        {"d": date(2024, 3, 6), "t": datetime(2024, 3, 6, 23, 30, tzinfo=BEIJING)},
        BROKEN,
    ),
    (
        "sum",
        {"total": "a", "parts": ["b", "c"], "tolerance": 0.02},
        {"a": Decimal("3.02"), "b": Decimal(1), "c": Decimal(2)},
        KEPT,
    ),
    (
        "sum",
        {"total": "a", "parts": ["b", "c"]},
        {"a": Decimal("3.01"), "b": Decimal(1), "c": Decimal(2)},
        BROKEN,
    ),
    (
        "sum",
        {"total": "a", "parts": ["b", "c"]},
        {"a": Decimal(3), "b": None, "c": Decimal(2)},
        SILENT,
    ),
    (
        "product",
        {"result": "c", "factors": ["a", "rate"], "tolerance": 0.01},
        {"c": Decimal("150.01"), "a": Decimal(10000), "rate": Decimal("0.0150")},
        KEPT,
    ),
    (
        "product",
        {"result": "c", "factors": ["a", "rate"], "tolerance": 0.01},
        {"c": Decimal("150.02"), "a": Decimal(10000), "rate": Decimal("0.0150")},
        BROKEN,
    ),
    (
        "product",
        {"result": "c", "factors": ["a", "rate"], "tolerance": 0},
        {"c": Decimal("0.01"), "a": Decimal("0.33"), "rate": Decimal("0.0303")},
        BROKEN,  # 0.009999 is not rounded up to 0.01
    ),
    (
        "product",
        {"result": "c", "factors": ["a", "b"]},
        {"c": Decimal(1), "a": Decimal("99999999999999.99"), "b": Decimal("99999999999999.99")},
        BROKEN,  # no overflow, however large the factors
    ),
    (
        "ratio_between",
        {"numerator": "a", "denominator": "b", "minimum": 100, "maximum": 100000},
        {"a": Decimal(560000), "b": Decimal(100)},
        KEPT,
    ),
    (
        "ratio_between",
        {"numerator": "a", "denominator": "b", "minimum": 100, "maximum": 100000},
        {"a": Decimal(56), "b": Decimal(100)},
        BROKEN,
    ),
    (
        "ratio_between",
        {"numerator": "a", "denominator": "b", "minimum": 1, "maximum": 2},
        {"a": Decimal(56), "b": Decimal(0)},
        SILENT,
    ),
    ("required_when", {"field": "no", "when": {"kind": ["x"]}}, {"no": None, "kind": "x"}, BROKEN),
    ("required_when", {"field": "no", "when": {"kind": ["x"]}}, {"no": "1", "kind": "x"}, KEPT),
    ("required_when", {"field": "no", "when": {"kind": ["x"]}}, {"no": None, "kind": "y"}, SILENT),
    ("required_when", {"field": "no", "when": {"kind": ["x"]}}, {"no": None, "kind": None}, SILENT),
    (
        "required_when",
        {"field": "no", "when": {"kind": ["x"], "yes": [True]}},
        {"no": None, "kind": "x", "yes": False},
        SILENT,
    ),
    ("required_when", {"field": "no", "when": {"n": ["2"]}}, {"no": None, "n": 2}, BROKEN),
    ("absent_when", {"field": "no", "when": {"kind": ["x"]}}, {"no": "1", "kind": "x"}, BROKEN),
    ("absent_when", {"field": "no", "when": {"kind": ["x"]}}, {"no": None, "kind": "x"}, KEPT),
    ("absent_when", {"field": "no", "when": {"kind": ["x"]}}, {"no": "1", "kind": "y"}, SILENT),
    ("one_of_required", {"fields": ["no", "d"]}, {"no": None, "d": None}, BROKEN),
    ("one_of_required", {"fields": ["no", "d"]}, {"no": None, "d": TODAY}, KEPT),
    ("in", {"field": "kind", "values": ["x", "y"]}, {"kind": "x"}, KEPT),
    ("in", {"field": "kind", "values": ["x", "y"]}, {"kind": "z"}, BROKEN),
    ("in", {"field": "n", "values": [1, "2"]}, {"n": 2}, KEPT),
    ("in", {"field": "n", "values": [1]}, {"n": None}, SILENT),
    ("expression", {"sql": "kind <> 'x' OR n > 1"}, {"kind": "x", "n": 2}, KEPT),
    ("expression", {"sql": "kind <> 'x' OR n > 1"}, {"kind": "x", "n": 1}, BROKEN),
    ("expression", {"sql": "kind <> 'x' OR n > 1"}, {"kind": "x", "n": None}, SILENT),
    ("expression", {"sql": "kind <> 'x' OR n > 1"}, {"kind": "y", "n": None}, KEPT),
]
BY_TYPE = {"number": "no", "type": "kind", "resident": ["111"], "credit": ["001"]}
GOLDEN += [
    ("id_by_type", BY_TYPE, {"kind": "111", "no": "620899198503140011"}, KEPT),
    ("id_by_type", BY_TYPE, {"kind": "111", "no": "91620802MA0000015X"}, BROKEN),
    ("id_by_type", BY_TYPE, {"kind": "001", "no": "91620802MA0000015X"}, KEPT),
    ("id_by_type", BY_TYPE, {"kind": "001", "no": "620899198503140011"}, BROKEN),
    ("id_by_type", BY_TYPE, {"kind": "414", "no": "E12345678"}, KEPT),
    ("id_by_type", BY_TYPE, {"kind": "414", "no": "E1"}, BROKEN),
    ("id_by_type", BY_TYPE, {"kind": "414", "no": "E" * 31}, BROKEN),
    ("id_by_type", BY_TYPE, {"kind": None, "no": "E12345678"}, SILENT),
    ("id_by_type", BY_TYPE, {"kind": "111", "no": None}, SILENT),
]


@pytest.mark.parametrize(("kind", "params", "row", "expected"), GOLDEN)
def test_a_row_keeps_a_rule_breaks_it_or_does_not_concern_it(kind, params, row, expected):
    """One row of the golden table."""
    made = contract(*FIELDS, rules=(rule(kind, **params),))
    plan = compile_contract(made, NO_CODES)

    found = check(plan, batch(made, **{name: [cell] for name, cell in row.items()}), now=NOW)

    broken, applies = found.findings.get("the_rule", 0), found.applicable["the_rule"]
    assert {KEPT: (0, 1), BROKEN: (1, 1), SILENT: (0, 0)}[expected] == (broken, applies)


def test_every_kind_of_the_vocabulary_is_compiled_and_in_the_golden_table():
    """A new kind is code and tests."""
    assert RULE_KINDS == KINDS
    assert {kind for kind, *_ in GOLDEN} == KINDS


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_copes_with_a_column_of_nothing(kind):
    """No rule raises on an empty batch or on missing cells; only presence can be broken."""
    params = next(params for name, params, *_ in GOLDEN if name == kind)
    made = contract(*FIELDS, rules=(rule(kind, **params),))
    plan = compile_contract(made, NO_CODES)

    empty = check(plan, batch(made, no=[]), now=NOW)
    nulls = check(plan, batch(made, no=[None] * 3), now=NOW)

    assert (0, {}) == (empty.rows, empty.findings)
    assert nulls.findings == ({"the_rule": 3} if kind == "one_of_required" else {})


def test_an_area_code_that_never_existed_is_a_finding_of_its_own(tmp_path):
    """A soft rule beside the hard one; former codes are in the table."""
    (tmp_path / "area.csv").write_text("hub_code,label_zh\n620802,崆峒区\n622701,平凉市\n")
    made = contract(
        FIELDS[0], rules=(rule("resident_id", severity="warning", field="no", areas="area"),)
    )
    plan = compile_contract(made, CodeTables(tmp_path))

    found = check(plan, batch(made, no=["622701198503140012", "999999198503140012", None]))

    assert ({}, {"the_rule": 1}) == (found.findings, found.warnings)
    assert 3 == found.accepted.height


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("resident_id", {"field": "n"}, 'needs text, but the field "n" is integer'),
        ("resident_id", {"field": "no", "area": "x"}, 'no parameter "area", did you mean "areas"'),
        ("credit_code", {"field": "no", "part": "iner"}, 'did you mean "inner"'),
        ("not_future", {"field": "no"}, "needs a date or a time"),
        ("compare", {"left": "n", "op": "=<", "right": "m"}, 'does not know the comparison "=<"'),
        (
            "compare",
            {"left": "n", "op": "<", "right": "kind"},
            "cannot compare integer with string",
        ),
        ("compare", {"left": "n", "op": "<"}, 'needs the parameter "value"'),
        ("compare", {"left": "n", "op": "<", "value": "x"}, "has a value that is no integer"),
        ("compare", {"left": "kind", "op": "<", "right": "no", "tolerance": 1}, "needs a number"),
        ("sum", {"total": "a", "parts": ["kind"]}, 'needs a number, but the field "kind"'),
        ("product", {"result": "c", "factors": ["a", "b", "c"]}, "exactly two factors"),
        (
            "ratio_between",
            {"numerator": "a", "denominator": "b", "minimum": "low", "maximum": 2},
            'needs the parameter "minimum" as a number',
        ),
        ("required_when", {"field": "no"}, 'needs the parameter "when"'),
        ("required_when", {"field": "no", "when": {"kind": "x"}}, "needs a list of values"),
        ("in", {"field": "kind", "value": ["x"]}, 'no parameter "value", did you mean "values"'),
        ("expression", {"sql": "knd = 'x'"}, 'names the field "knd", did you mean "kind"'),
        ("expression", {"sql": "n + 1"}, "is no condition"),
        ("expression", {"sql": "n = 'x' AND"}, "SQL that is not understood"),
        ("expression", {"sql": "SELECT 1"}, "SQL that is not understood"),
        ("expression", {"sql": "no > d"}, "does not fit the types"),
    ],
)
def test_a_wrong_rule_is_refused_when_it_is_compiled(kind, params, message):
    """Names the rule and what was expected; never on data."""
    made = contract(*FIELDS, rules=(rule(kind, **params),))

    with pytest.raises(ConfigInvalid, match=message):
        compile_contract(made, NO_CODES)
