"""Checking a batch: every row in one place, one finding for one fault, no value anywhere."""

from __future__ import annotations

import pickle  # noqa: S403 - our own errors cross process borders
from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.validate.batches import NO_CODES, batch, contract, failed, rule
from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Field
from tongban.kernel.errors import BatchRefused, ConfigInvalid
from tongban.validate import check, compile_contract, explain, refuse_when_dirty

NO = Field("no", "编号", "string", required=True, max_length=5)
PRICE = Field(
    "price", "价格", "decimal", precision=12, scale=2, minimum=Decimal(0), maximum=Decimal(100)
)
BUILT = Field("built", "建成", "date", minimum=date(1900, 1, 1))


def test_every_row_is_accepted_or_rejected_with_its_rules():
    """Accepted rows keep their order; rejected ones keep their number, key and mask."""
    made = contract(NO, PRICE)
    plan = compile_contract(made, NO_CODES)

    found = check(plan, batch(made, no=["a", None, "c", "toolong"], price=["1", "2", "-1", "101"]))

    assert ["a"] == found.accepted["no"].to_list()
    assert [0] == found.accepted_rows.to_list()
    assert [1, 2, 3] == found.rejected["row_no"].to_list()
    assert ["k1", "k2", "k3"] == found.rejected["source_key"].to_list()
    assert [["no.required"], ["price.range"], ["no.length", "price.range"]] == [
        explain(plan, mask) for mask in found.rejected["mask"]
    ]
    assert {"no.required": 1, "no.length": 1, "price.range": 2} == found.findings
    assert [0, 1] == [found.mask[0], 1 if found.mask[3] else 0]


def test_a_clean_batch_is_passed_on_without_a_copy():
    """The usual case costs nothing."""
    made = contract(NO, PRICE)
    given_ = batch(made, no=["a", "b"], price=["1", "2"])

    found = check(compile_contract(made, NO_CODES), given_)

    assert found.accepted is given_.frame
    assert (0, {}, {}) == (found.rejected.height, found.findings, found.warnings)
    assert {"row_no", "source_key", "mask"} == set(found.rejected.columns)


def test_a_warning_never_rejects_a_row():
    """It is counted and its bit is set."""
    made = contract(NO, PRICE, rules=(rule("in", severity="warning", field="no", values=["a"]),))
    plan = compile_contract(made, NO_CODES)

    found = check(plan, batch(made, no=["a", "b", "c"], price=["1", "1", "-1"]))

    assert (2, 1, 1) == (found.accepted.height, found.rejected.height, found.warned)
    assert ({"price.range": 1}, {"the_rule": 2}) == (found.findings, found.warnings)
    assert [[], ["the_rule"], ["price.range", "the_rule"]] == [explain(plan, m) for m in found.mask]


def test_a_missing_value_is_one_finding():
    """Null passes every rule but required."""
    made = contract(
        Field(
            "no", "编号", "string", required=True, pattern="^[0-9]+$", min_length=1, max_length=3
        ),
        rules=(rule("resident_id", field="no"),),
    )
    plan = compile_contract(made, NO_CODES)

    found = check(plan, batch(made, no=[None]))

    assert {"no.required": 1} == found.findings


def test_a_value_that_was_lost_in_conversion_is_not_missing_too():
    """It was there: one finding, and it is about the conversion."""
    made = contract(
        NO,
        Field("price", "价格", "decimal", required=True, precision=12, scale=2),
        rules=(
            rule("required_when", "when", field="price", when={"no": ["a"]}),
            rule("one_of_required", "one", fields=["price"]),
        ),
    )
    plan = compile_contract(made, NO_CODES)
    given_ = failed(batch(made, no=["a", "a"], price=["1", None]), "price", 1)

    found = check(plan, given_)

    assert {"price.type": 1} == found.findings
    assert 2 == found.applicable["price.type"]


def test_an_unknown_code_is_one_finding(tmp_path):
    """Whether the mapping found it or a value came past the mapping."""
    (tmp_path / "usage.csv").write_text("hub_code,label_zh\nhome,住宅\n")
    made = contract(NO, Field("usage", "用途", "string", required=True, code_table="usage"))
    plan = compile_contract(made, CodeTables(tmp_path))
    given_ = batch(made, no=["a", "b", "c", "d"], usage=["home", "x", None, "home"])

    found = check(plan, failed(given_, "usage", 3, code=True))

    assert {"usage.code": 2, "usage.required": 1} == found.findings
    assert [["usage.code"], ["usage.required"], ["usage.code"]] == [
        explain(plan, mask) for mask in found.rejected["mask"]
    ]


def test_a_length_counts_characters_and_not_bytes():
    """Five Chinese characters are fifteen bytes and fit into five."""
    made = contract(NO)

    found = check(compile_contract(made, NO_CODES), batch(made, no=["平凉市甲乙", "平凉市甲乙丙"]))

    assert [1] == found.rejected["row_no"].to_list()


def test_a_date_has_a_range_too():
    """Bounds are in the field's own type."""
    made = contract(NO, BUILT)

    found = check(
        compile_contract(made, NO_CODES),
        batch(made, no=["a", "b"], built=[date(1899, 12, 31), date(1900, 1, 1)]),
    )

    assert {"built.range": 1} == found.findings


def test_more_than_63_rules_use_a_second_mask():
    """No bit is ever shared; the sign bit of PostgreSQL's bigint stays free."""
    rules = tuple(rule("in", f"rule_{i}", field="no", values=[f"v{i}"]) for i in range(70))
    made = contract(Field("no", "编号", "string"), rules=rules)
    plan = compile_contract(made, NO_CODES)

    found = check(plan, batch(made, no=["v0", "v69", "x"]))

    assert 2 == plan.words == len(found.masks)
    assert {"mask", "mask_2"} <= set(found.rejected.columns)
    for row, kept in enumerate(["rule_0", "rule_69", None]):
        broken = explain(plan, *(mask[row] for mask in found.masks))
        assert [r.id for r in rules if r.id != kept] == broken
    assert all(mask.max() < 2**63 for mask in found.masks)


def test_an_explicit_rule_cannot_take_the_id_of_an_implicit_one():
    """Findings would be counted together."""
    made = contract(NO, rules=(rule("phone", "no.required", field="no"),))

    with pytest.raises(ConfigInvalid, match=r'two rules have the id "no\.required"'):
        compile_contract(made, NO_CODES)


def test_a_rule_is_described_by_its_id():
    """For reports: what, which fields, how grave."""
    plan = compile_contract(contract(NO, PRICE), NO_CODES)

    assert ("completeness", ("no",), "error") == (
        plan.rule("no.required").dimension,
        plan.rule("no.required").fields,
        plan.rule("no.required").severity,
    )
    with pytest.raises(KeyError):
        plan.rule("no.reqired")


@pytest.mark.parametrize(
    ("rows", "bad", "refused"),
    [(100, 21, True), (100, 20, False), (49, 49, False), (50, 11, True), (50, 10, False)],
)
def test_a_batch_over_its_dirty_limit_is_refused_as_a_whole(rows, bad, refused):
    """More than the share, but only from the least number of rows on."""
    made = contract(NO, share=0.2, rows=50)
    plan = compile_contract(made, NO_CODES)
    given_ = batch(made, no=[None] * bad + ["a"] * (rows - bad))

    if not refused:
        assert bad == check(plan, given_).rejected.height
        return
    with pytest.raises(BatchRefused, match=rf"{bad} of {rows} rows .* limit is 20% \(no.required"):
        check(plan, given_)


def test_a_transfer_in_chunks_is_held_against_the_limit_by_its_sums():
    """One bad chunk alone does not refuse a good transfer, and many good ones hide none."""
    made = contract(NO, share=0.2, rows=50)
    plan = compile_contract(made, NO_CODES)

    found = check(plan, batch(made, no=[None] * 60), refuse_dirty=False)

    refuse_when_dirty(plan, 1_000, found.rejected.height, found.findings)
    with pytest.raises(BatchRefused) as caught:
        refuse_when_dirty(plan, 100, found.rejected.height, found.findings)
    assert {"no.required": 60} == caught.value.context["findings"]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own


def test_no_value_is_in_the_findings_or_in_the_refusal():
    """Only ids and counts."""
    canary = "620899198503140099"
    made = contract(
        Field("no", "编号", "string", required=True, max_length=20),
        rules=(rule("resident_id", field="no"),),
        share=0.0,
    )
    plan = compile_contract(made, NO_CODES)

    with pytest.raises(BatchRefused) as caught:
        check(plan, batch(made, no=[canary]))
    found = check(plan, batch(made, no=[canary]), refuse_dirty=False)

    assert canary not in f"{caught.value} {caught.value.context} {found!r} {plan!r}"
    assert canary not in str(found.rejected.to_dicts())


CELLS = st.fixed_dictionaries(
    {
        "no": st.one_of(st.none(), st.text(max_size=8)),
        "price": st.one_of(st.none(), st.decimals(-500, 500, places=2)),
        "built": st.one_of(st.none(), st.dates()),
    }
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(CELLS, max_size=30), lost=st.sets(st.integers(0, 29)))
def test_no_row_is_lost_doubled_or_in_two_places(rows, lost):
    """Rows in = accepted + rejected, whatever comes; checking again says the same."""
    made = contract(
        NO, PRICE, BUILT, rules=(rule("in", severity="warning", field="no", values=["a"]),)
    )
    plan = compile_contract(made, NO_CODES)
    columns = {name: [row[name] for row in rows] for name in ("no", "price", "built")}
    given_ = failed(batch(made, **columns), "built", *lost)

    found = check(plan, given_)
    again = check(plan, given_)

    places = [*found.accepted_rows, *found.rejected["row_no"]]
    assert list(range(len(rows))) == sorted(places)
    assert found.accepted.equals(given_.frame[found.accepted_rows.to_list()])
    assert found.rejected.equals(again.rejected)
    total = sum(len(explain(plan, mask)) for mask in found.mask)
    assert total == sum(found.findings.values()) + sum(found.warnings.values())
    assert all(found.applicable[rule_id] >= count for rule_id, count in found.findings.items())


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(CELLS, min_size=1, max_size=12))
def test_a_batch_is_judged_as_its_rows_are_judged_alone(rows):
    """So chunks may be cut anywhere."""
    made = contract(NO, PRICE, BUILT)
    plan = compile_contract(made, NO_CODES)
    columns = {name: [row[name] for row in rows] for name in ("no", "price", "built")}

    together = check(plan, batch(made, **columns)).mask.to_list()
    alone = [
        check(plan, batch(made, **{name: [row[name]] for name in columns})).mask[0] for row in rows
    ]

    assert alone == together


def test_an_empty_batch_has_no_rows_anywhere():
    """And every count is nought."""
    made = contract(NO, PRICE)

    found = check(compile_contract(made, NO_CODES), batch(made, no=[]))

    assert (0, 0, 0) == (found.rows, found.accepted.height, found.rejected.height)
    assert isinstance(found.mask, pl.Series)
