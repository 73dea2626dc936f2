"""Comparisons between departments: each with an example that holds and one that does not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tests.mappings.city import ROOT
from tongban.kernel.catalog import load_catalog
from tongban.kernel.errors import ConfigInvalid
from tongban.quality.comparisons import Outcome, comparisons_of, kept_for
from tongban.quality.kept import Kept
from tongban.quality.refused import RefusedRows
from tongban.quality.stored import StoredRows

CONTRACTS = load_catalog(ROOT).contracts()
COMPARISONS = comparisons_of(CONTRACTS.values())
CHECKS = {check.id: check for check in COMPARISONS}
TYPES = {
    **dict.fromkeys(("total_price", "tax_base", "price", "building_area"), pl.Decimal(16, 2)),
    **dict.fromkeys(("recorded_at", "paid_at", "registered_at"), pl.Datetime("us", "UTC")),
    "share": pl.Decimal(9, 6),
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "sale_contract": {"contract_no": "HT1", "unit_no": "U1", "status": "recorded"},
    "sale_contract_party": {"contract_no": "HT1", "role": "buyer"},
    "deed_tax_payment": {"contract_no": "HT1", "tax_kind": "deed_tax", "status": "valid"},
    "real_estate_right": {
        "business_no": "B1",
        "contract_no": "HT1",
        "registration_type": "200",
        "right_status": "current",
    },
    "right_holder": {"business_no": "B1"},
}


def at(hour: int) -> datetime:
    """A moment of one day."""
    return datetime(2026, 3, 2, hour, tzinfo=UTC)


def kept(**datasets: list[dict[str, Any]]) -> Kept:
    """Stored rows of some datasets, in two chunks; tokens are t0, t1 … in each dataset."""
    made = kept_for(COMPARISONS, CONTRACTS)
    for dataset, rows in datasets.items():
        names = made.needed[dataset]
        full = [
            {**dict.fromkeys(names), **DEFAULTS.get(dataset, {}), **row, "token": f"t{i}"}
            for i, row in enumerate(rows)
        ]
        frame = pl.DataFrame(full, schema={n: TYPES.get(n, pl.String) for n in ("token", *names)})
        fields = {name: CONTRACTS[dataset].field(name) for name in names}
        people = [n for n, item in fields.items() if item.index and item.is_classified]
        for part in (frame[:1], frame[1:]):
            plain = part.select(name for name in names if name not in people)
            indexes = part.select(pl.col(people).name.suffix("_index"))
            made.add(dataset, StoredRows(part["token"], plain, indexes, b""))
    return made


def refuse(made: Kept, dataset: str, **keys: list[str]) -> Kept:
    """The same with some rows in quarantine."""
    count = len(next(iter(keys.values())))
    rules = (frozenset({"x"}),) * count
    tokens = pl.Series("token", ["q"] * count)
    day = (date(2026, 3, 2),) * count
    made.add_refused(dataset, RefusedRows(tokens, pl.DataFrame(keys), rules, day, b""))
    return made


def outcome(check: str, made: Kept) -> Outcome:
    """The outcome of one check."""
    found = CHECKS[check].outcome(made)
    assert found is not None
    return found


def person(index: str, name: str, field: str = "name", **more: Any) -> dict[str, Any]:
    """A party, payer or holder."""
    prefix = "payer_id_no" if field == "payer_name" else "id_no"
    return {prefix: index, field: name, **more}


def test_payer_with_the_contracts_name_is_fine():
    """Seller and buyer both pay taxes; each is compared with themselves."""
    made = kept(
        sale_contract_party=[person("i1", "李娜"), person("i2", "张伟", role="seller")],
        deed_tax_payment=[
            person("i1", "李娜", "payer_name"),
            person("i2", "张伟", "payer_name"),
        ],
    )

    assert Outcome(compared=2) == outcome("payer_name", made)


def test_payer_with_another_name_than_in_the_contract_is_found():
    """One person, one contract, two surnames."""
    made = kept(
        sale_contract_party=[person("i1", "李娜"), person("i2", "张伟")],
        deed_tax_payment=[
            person("i1", "李娜", "payer_name"),
            person("i2", "王伟", "payer_name"),
        ],
    )

    assert Outcome(compared=2, bad=("t1",)) == outcome("payer_name", made)


def test_payer_of_another_contract_is_not_compared():
    """The same person may be written otherwise years ago; that is not this contract's matter."""
    made = kept(
        sale_contract_party=[person("i1", "李娜")],
        deed_tax_payment=[person("i1", "李娜娜", "payer_name", contract_no="HT2")],
    )

    assert Outcome(compared=0) == outcome("payer_name", made)


@pytest.mark.parametrize(("name", "bad"), [("李娜", ()), ("王娜", ("t0",))])
def test_registered_holder_must_have_the_contracts_name(name, bad):
    """Joined through the right, which carries the contract's number."""
    made = kept(
        sale_contract_party=[person("i1", "李娜")],
        real_estate_right=[{}],
        right_holder=[person("i1", name)],
    )

    assert Outcome(compared=1, bad=bad) == outcome("holder_name", made)


def test_holders_without_stored_rights_are_not_compared():
    """There is nothing yet that joins them to a contract."""
    made = kept(sale_contract_party=[person("i1", "李娜")], right_holder=[person("i1", "王娜")])

    assert CHECKS["holder_name"].outcome(made) is None


@pytest.mark.parametrize(
    ("base", "bad"),
    [("560000.00", ()), ("560000.01", ()), ("560000.02", ("t0",)), ("448000.00", ("t0",))],
)
def test_deed_tax_base_must_be_the_contracts_price(base, bad):
    """To the cent, with one cent for rounding."""
    made = kept(
        sale_contract=[{"total_price": Decimal("560000.00")}],
        deed_tax_payment=[{"tax_base": Decimal(base)}],
    )

    assert Outcome(compared=1, bad=bad) == outcome("tax_base", made)


@pytest.mark.parametrize("other", [{"tax_kind": "value_added_tax"}, {"status": "void"}])
def test_other_taxes_and_void_tickets_have_their_own_base(other):
    """Only valid deed tax is computed on the price."""
    made = kept(
        sale_contract=[{"total_price": Decimal(560000)}],
        deed_tax_payment=[{"tax_base": Decimal(1), **other}],
    )

    assert Outcome(compared=0) == outcome("tax_base", made)


@pytest.mark.parametrize(("price", "bad"), [("560000.00", ()), ("448000.00", ("t0",))])
def test_registered_price_must_be_the_contracts_price(price, bad):
    """What the seller told housing and registration is the same."""
    made = kept(
        sale_contract=[{"total_price": Decimal(560000)}],
        real_estate_right=[{"price": Decimal(price)}],
    )

    assert Outcome(compared=1, bad=bad) == outcome("registered_price", made)


def test_only_transfers_are_registered_with_a_contracts_price():
    """A later change of the same right keeps an older price."""
    made = kept(
        sale_contract=[{"total_price": Decimal(560000)}],
        real_estate_right=[{"price": Decimal(1), "registration_type": "300"}, {"price": None}],
    )

    assert Outcome(compared=0) == outcome("registered_price", made)


@pytest.mark.parametrize(
    ("check", "dataset", "field"),
    [
        ("taxpayer_name", "taxpayer", "taxpayer_name"),
        ("insured_unit_name", "unit_insurance", "unit_name"),
    ],
)
def test_company_must_be_called_as_market_regulation_calls_it(check, dataset, field):
    """Joined by the credit code; companies that only one side knows are not compared."""
    made = kept(
        enterprise=[
            {"credit_code": "C1", "name": "平凉市金源商贸有限公司"},
            {"credit_code": "C2", "name": "平凉市恒泰经营部"},
        ],
        **{
            dataset: [
                {"credit_code": "C1", field: "平凉市金源商贸有限公司"},
                {"credit_code": "C2", field: "平凉新恒泰经营部"},
                {"credit_code": "C9", field: "别处的公司"},
                {"credit_code": None, field: "无代码"},
            ]
        },
    )

    assert Outcome(compared=2, bad=("t1",)) == outcome(check, made)


@pytest.mark.parametrize(
    ("shares", "compared", "bad"),
    [
        (["0.5", "0.5"], 1, ()),
        (["0.333333", "0.333333", "0.333333"], 1, ()),
        (["1"], 1, ()),
        (["0.5", "0.4"], 1, ("t0",)),
        (["0.6", "0.5"], 1, ("t0",)),
        ([None, None], 0, ()),
        (["0.5", None], 0, ()),
    ],
)
def test_shares_of_a_right_must_be_one_whole(shares, compared, bad):
    """Thirds may be rounded; joint owners have no shares and are not judged."""
    made = kept(
        real_estate_right=[{}],
        right_holder=[{"share": share and Decimal(share)} for share in shares],
    )

    assert Outcome(compared=compared, bad=bad) == outcome("right_shares", made)


def test_right_with_a_quarantined_holder_is_not_judged():
    """The missing half is known to be wrong already; the sum would be wrong for that alone."""
    made = kept(real_estate_right=[{}], right_holder=[{"share": Decimal("0.5")}])

    found = outcome("right_shares", refuse(made, "right_holder", business_no=["B1"]))

    assert Outcome(compared=0, skipped=1) == found


def test_right_that_is_not_stored_is_named_by_its_holder():
    """The parent may be in quarantine while its children are fine."""
    made = kept(real_estate_right=[{"business_no": "B9"}], right_holder=[{"share": Decimal("0.4")}])

    assert ("t0",) == outcome("right_shares", made).bad


def test_each_side_of_a_contract_is_one_whole():
    """Buyers with 0.9 do not become whole by sellers with 1.1."""
    made = kept(
        sale_contract=[{}],
        sale_contract_party=[
            {"role": "seller", "share": Decimal(1)},
            {"role": "buyer", "share": Decimal("0.5")},
            {"role": "buyer", "share": Decimal("0.4")},
        ],
    )

    assert Outcome(compared=2, bad=("t0",)) == outcome("contract_shares", made)


def test_unit_with_one_live_contract_is_fine():
    """Cancelled ones, drafts and those already registered do not count."""
    made = kept(
        sale_contract=[
            {"contract_no": "HT1"},
            {"contract_no": "HT2"},
            {"contract_no": "HT3", "status": "cancelled"},
            {"contract_no": "HT4", "status": "draft"},
        ],
        real_estate_right=[{"contract_no": "HT1"}],
    )

    assert Outcome(compared=1) == outcome("one_live_contract", made)


def test_unit_that_is_sold_twice_at_a_time_is_found():
    """Both contracts are named; the department knows which one is wrong."""
    made = kept(
        sale_contract=[
            {"contract_no": "HT1"},
            {"contract_no": "HT2", "status": "signed"},
            {"contract_no": "HT3", "unit_no": "U2"},
        ],
        real_estate_right=[{"contract_no": "HT9"}],
    )

    assert Outcome(compared=3, bad=("t0", "t1")) == outcome("one_live_contract", made)


def test_contract_whose_registration_is_quarantined_is_not_live():
    """The registration happened, though its record is not good yet."""
    made = kept(
        sale_contract=[{"contract_no": "HT1"}, {"contract_no": "HT2"}],
        real_estate_right=[{"contract_no": "HT9"}],
    )

    found = outcome("one_live_contract", refuse(made, "real_estate_right", contract_no=["HT1"]))

    assert () == found.bad


@pytest.mark.parametrize(("paid", "bad"), [(10, ()), (9, ()), (8, ("t0",))])
def test_tax_is_not_paid_before_the_contract_is_recorded(paid, bad):
    """Equal moments pass."""
    made = kept(sale_contract=[{"recorded_at": at(9)}], deed_tax_payment=[{"paid_at": at(paid)}])

    assert Outcome(compared=1, bad=bad) == outcome("recorded_before_paid", made)


@pytest.mark.parametrize(("registered", "bad"), [(11, ()), (10, ()), (9, ("t0",))])
def test_right_is_not_registered_before_the_tax_is_paid(registered, bad):
    """First the tax, then the certificate."""
    made = kept(
        deed_tax_payment=[{"paid_at": at(10)}],
        real_estate_right=[{"registered_at": at(registered)}],
    )

    assert Outcome(compared=1, bad=bad) == outcome("paid_before_registered", made)


@pytest.mark.parametrize(
    ("area", "bad"), [("98.50", ()), ("98.52", ()), ("98.53", ("t0",)), ("89.50", ("t0",))]
)
def test_registered_area_must_be_the_contracts_area(area, bad):
    """Within two hundredths of a square metre, for roundings."""
    made = kept(
        sale_contract=[{"building_area": Decimal("98.50")}],
        real_estate_right=[{"building_area": Decimal(area)}],
    )

    assert Outcome(compared=1, bad=bad) == outcome("registered_area", made)


@pytest.mark.parametrize(("seller", "bad"), [("i1", ()), ("i9", ("t0",))])
def test_seller_must_be_a_holder_of_the_unit(seller, bad):
    """Whoever never held it cannot sell it; the buyer is not asked."""
    made = kept(
        sale_contract=[{"contract_kind": "existing_house"}],
        sale_contract_party=[
            person(seller, "张伟", role="seller"),
            person("i2", "李娜", role="buyer"),
        ],
        right_holder=[person("i1", "张伟", unit_no="U1"), person("i3", "王芳", unit_no="U1")],
    )

    assert Outcome(compared=1, bad=bad) == outcome("seller_holds_right", made)


@pytest.mark.parametrize(
    ("contract", "holder"),
    [
        ({"contract_kind": "new_house"}, {"unit_no": "U1"}),
        ({"contract_kind": "existing_house"}, {"unit_no": "U2"}),
    ],
)
def test_seller_is_not_judged_without_a_known_right(contract, holder):
    """A new house has no holder yet, and an unknown unit says nothing about anybody."""
    made = kept(
        sale_contract=[contract],
        sale_contract_party=[person("i9", "张伟", role="seller")],
        right_holder=[person("i1", "王芳", **holder)],
    )

    assert Outcome(compared=0) == outcome("seller_holds_right", made)


def test_seller_is_not_judged_while_a_holder_of_the_unit_is_quarantined():
    """The missing holder may be the seller."""
    made = kept(
        sale_contract=[{"contract_kind": "existing_house"}],
        sale_contract_party=[person("i9", "张伟", role="seller")],
        right_holder=[person("i1", "王芳", unit_no="U1")],
    )

    found = outcome("seller_holds_right", refuse(made, "right_holder", unit_no=["U1"]))

    assert Outcome(compared=0, skipped=1) == found


def test_seller_who_holds_something_unknown_is_not_judged():
    """A right whose unit number was lost may be of this very unit."""
    made = kept(
        sale_contract=[{"contract_kind": "existing_house"}],
        sale_contract_party=[person("i9", "张伟", role="seller")],
        right_holder=[
            person("i1", "王芳", unit_no="U1"),
            person("i9", "张伟", business_no="B2", unit_no=None),
        ],
    )

    assert Outcome(compared=0, skipped=1) == outcome("seller_holds_right", made)


def test_two_rules_with_one_name_are_refused():
    """The report, the findings and the scores list them by it."""
    twin = CONTRACTS["taxpayer"]

    with pytest.raises(ConfigInvalid, match=r"taxpayer\.taxpayer_name end in the same name"):
        comparisons_of([twin, twin])


@pytest.mark.parametrize("check", COMPARISONS, ids=lambda check: check.id)
def test_check_is_left_out_where_one_side_has_no_rows(check):
    """Zero bad of zero compared would look like a success."""
    assert check.outcome(kept(**{check.dataset: [{}]})) is None


def test_kept_columns_hold_no_name():
    """Names are kept as hashes, so that they do not outlive their chunk."""
    made = kept(right_holder=[person("i1", "李娜")], enterprise=[{"name": "平凉市恒泰经营部"}])

    for frame in made.frames.values():
        assert "李娜" not in str(frame.to_dicts())
        assert "恒泰" not in str(frame.to_dicts())


def test_checks_name_datasets_whose_columns_are_kept():
    """And every check has its own id, in two languages."""
    assert 13 == len(COMPARISONS) == len(CHECKS)
    for check in COMPARISONS:
        assert {check.dataset, check.other, *check.through} <= set(CONTRACTS)
        assert check.label
        assert check.english.isascii() or "≤" in check.english
