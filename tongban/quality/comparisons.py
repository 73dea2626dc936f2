"""Comparisons: what only two departments together can show.

Each check joins stored rows of two datasets by contract number, credit code, unit number and the
blind index of the person, and gives counts and record tokens. Where a part of what a check needs
sits in the quarantine, the case is not evaluated instead of being blamed on anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import polars as pl

from tongban.quality.kept import Frames, Kept

PRICE_TOLERANCE = Decimal("0.01")
SHARE_TOLERANCE = Decimal("0.0001")  # three thirds with six decimals are a little less than one


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check saw.

    Attributes:
        compared: Cases that were looked at.
        bad: Tokens of the records that do not agree, sorted.
        skipped: Cases that could not be evaluated, since a part of them is quarantined.
    """

    compared: int
    bad: tuple[str, ...] = ()
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One named check between two datasets; `dataset` is the one whose records are listed.

    Attributes:
        through: More datasets that join the two.
    """

    id: str
    dataset: str
    other: str
    label: str
    english: str
    run: Callable[[Frames, Frames], Outcome] = field(repr=False)
    through: tuple[str, ...] = ()

    def outcome(self, kept: Kept) -> Outcome | None:
        """Run the check; None where one side has no rows at all."""
        stored = kept.frames
        if any(stored[name].is_empty() for name in (self.dataset, self.other, *self.through)):
            return None
        return self.run(stored, kept.refused)


def _outcome(cases: pl.DataFrame, bad: pl.Expr, token: str = "token", skipped: int = 0) -> Outcome:  # noqa: S107 - a column's name
    """Cases and the distinct tokens of those that are bad."""
    tokens = cases.filter(bad)[token].unique().sort().to_list()
    return Outcome(compared=cases.height, bad=tuple(tokens), skipped=skipped)


def _differ(left: str, right: str) -> pl.Expr:
    return (pl.col(left) - pl.col(right)).abs() > PRICE_TOLERANCE


def _payer_name(stored: Frames, _refused: Frames) -> Outcome:
    """One person, one contract: the tax ticket and the contract write the same name."""
    paid = stored["deed_tax_payment"].select(
        "token", "contract_no", pl.col("payer_id_no_index").alias("person"), "payer_name"
    )
    return _outcome(
        paid.join(_parties(stored), on=["contract_no", "person"]),
        pl.col("payer_name") != pl.col("party_name"),
    )


def _holder_name(stored: Frames, _refused: Frames) -> Outcome:
    """The registered holder has the name that the contract gives the same person."""
    rights = stored["real_estate_right"].select("business_no", "contract_no").drop_nulls()
    holders = stored["right_holder"].select(
        "token", "business_no", pl.col("id_no_index").alias("person"), "name"
    )
    return _outcome(
        holders.join(rights, on="business_no").join(_parties(stored), on=["contract_no", "person"]),
        pl.col("name") != pl.col("party_name"),
    )


def _parties(stored: Frames) -> pl.DataFrame:
    """Contract number, person and name hash, once for each person of a contract."""
    return (
        stored["sale_contract_party"]
        .select(
            "contract_no",
            pl.col("id_no_index").alias("person"),
            pl.col("name").alias("party_name"),
        )
        .unique(["contract_no", "person"], keep="first", maintain_order=True)
    )


def _tax_base(stored: Frames, _refused: Frames) -> Outcome:
    """Deed tax is computed on the price of the contract."""
    paid = stored["deed_tax_payment"].filter(tax_kind="deed_tax", status="valid")
    cases = paid.select("token", "contract_no", "tax_base").join(_prices(stored), on="contract_no")
    return _outcome(cases, _differ("tax_base", "total_price"))


def _registered_price(stored: Frames, _refused: Frames) -> Outcome:
    """A transfer is registered with the price of the contract."""
    rights = stored["real_estate_right"].filter(registration_type="200")
    cases = (
        rights.select("token", "contract_no", "price")
        .drop_nulls()
        .join(_prices(stored), on="contract_no")
    )
    return _outcome(cases, _differ("price", "total_price"))


def _prices(stored: Frames) -> pl.DataFrame:
    return stored["sale_contract"].select("contract_no", "total_price")


def _company_name(dataset: str, column: str) -> Callable[[Frames, Frames], Outcome]:
    """A department calls a company as market regulation does."""

    def run(stored: Frames, _refused: Frames) -> Outcome:
        ours = stored[dataset].select("token", "credit_code", pl.col(column).alias("ours"))
        theirs = stored["enterprise"].select("credit_code", pl.col("name").alias("theirs"))
        return _outcome(
            ours.drop_nulls().join(theirs, on="credit_code"), pl.col("ours") != pl.col("theirs")
        )

    return run


def _shares(parts: str, whole: str, key: str, *others: str) -> Callable[[Frames, Frames], Outcome]:
    """The shares of one right, or of one side of a contract, are one whole."""

    def run(stored: Frames, refused: Frames) -> Outcome:
        groups = (
            stored[parts]
            .group_by(key, *others, maintain_order=True)
            .agg(
                pl.col("share").sum().alias("sum"),
                pl.col("share").null_count().alias("missing"),
                pl.col("token").min().alias("part_token"),
            )
            .filter(pl.col("missing") == 0)
        )
        whole_tokens = stored[whole].select(key, "token")
        incomplete = (
            refused[parts][key].drop_nulls()
            if parts in refused
            else pl.Series(key, [], dtype=pl.String)
        )
        known = groups.filter(~pl.col(key).is_in(incomplete.implode()))
        cases = known.join(whole_tokens, on=key, how="left").with_columns(
            pl.coalesce("token", "part_token").alias("token")
        )
        return _outcome(
            cases,
            (pl.col("sum") - 1).abs() > SHARE_TOLERANCE,
            skipped=groups.height - known.height,
        )

    return run


def _one_live_contract(stored: Frames, refused: Frames) -> Outcome:
    """A unit is not sold twice at a time: one contract that is in force and not registered yet."""
    registered = [stored["real_estate_right"]["contract_no"].drop_nulls()]
    if "real_estate_right" in refused:
        registered.append(refused["real_estate_right"]["contract_no"].drop_nulls())
    done = pl.concat(registered).unique()
    live = stored["sale_contract"].filter(
        pl.col("status").is_in(["signed", "recorded"]),
        ~pl.col("contract_no").is_in(done.implode()),
    )
    counted = live.with_columns(pl.len().over("unit_no").alias("live"))
    return _outcome(counted, pl.col("live") > 1)


def _recorded_before_paid(stored: Frames, _refused: Frames) -> Outcome:
    """Tax is paid on a contract that is on record."""
    cases = _valid_payments(stored).join(
        stored["sale_contract"].select("contract_no", "recorded_at").drop_nulls(), on="contract_no"
    )
    return _outcome(cases, pl.col("paid_at") < pl.col("recorded_at"))


def _paid_before_registered(stored: Frames, _refused: Frames) -> Outcome:
    """First the tax, then the certificate (先税后证)."""
    rights = stored["real_estate_right"].filter(registration_type="200")
    cases = (
        rights.select("token", "contract_no", "registered_at")
        .drop_nulls()
        .join(_valid_payments(stored).drop("token"), on="contract_no")
    )
    return _outcome(cases, pl.col("registered_at") < pl.col("paid_at"))


def _valid_payments(stored: Frames) -> pl.DataFrame:
    return (
        stored["deed_tax_payment"]
        .filter(tax_kind="deed_tax", status="valid")
        .select("token", "contract_no", "paid_at")
        .drop_nulls()
    )


COMPARISONS = (
    Comparison(
        "payer_name", "deed_tax_payment", "sale_contract_party",
        "同一合同同一证件号：税票上的纳税人姓名应与网签合同当事人一致",
        "payer's name on the tax ticket = party's name in the sale contract", _payer_name,
    ),
    Comparison(
        "holder_name", "right_holder", "sale_contract_party",
        "同一合同同一证件号：登记的权利人姓名应与网签合同当事人一致",
        "registered holder's name = party's name in the sale contract", _holder_name,
        ("real_estate_right",),
    ),
    Comparison(
        "tax_base", "deed_tax_payment", "sale_contract",
        "契税计税金额应等于网签合同成交总价",
        "deed tax base = price of the sale contract", _tax_base,
    ),
    Comparison(
        "registered_price", "real_estate_right", "sale_contract",
        "转移登记的交易价格应等于网签合同成交总价",
        "registered price = price of the sale contract", _registered_price,
    ),
    Comparison(
        "taxpayer_name", "taxpayer", "enterprise",
        "同一统一社会信用代码：税务登记的纳税人名称应与市场监管登记的名称一致",
        "taxpayer's name = enterprise's registered name",
        _company_name("taxpayer", "taxpayer_name"),
    ),
    Comparison(
        "insured_unit_name", "unit_insurance", "enterprise",
        "同一统一社会信用代码：参保单位名称应与市场监管登记的名称一致",
        "insured unit's name = enterprise's registered name",
        _company_name("unit_insurance", "unit_name"),
    ),
    Comparison(
        "right_shares", "real_estate_right", "right_holder",
        "同一不动产权利的共有份额之和应为 1", "shares of a right sum to one",
        _shares("right_holder", "real_estate_right", "business_no"),
    ),
    Comparison(
        "contract_shares", "sale_contract", "sale_contract_party",
        "同一合同每一方当事人的份额之和应为 1", "shares of each side of a contract sum to one",
        _shares("sale_contract_party", "sale_contract", "contract_no", "role"),
    ),
    Comparison(
        "one_live_contract", "sale_contract", "real_estate_right",
        "同一不动产单元同时只应有一份有效且未登记的买卖合同",
        "at most one live sale contract per unit", _one_live_contract,
    ),
    Comparison(
        "recorded_before_paid", "deed_tax_payment", "sale_contract",
        "契税缴款时间不得早于合同备案时间", "recorded ≤ paid", _recorded_before_paid,
    ),
    Comparison(
        "paid_before_registered", "real_estate_right", "deed_tax_payment",
        "先税后证：登记时间不得早于契税缴款时间", "paid ≤ registered", _paid_before_registered,
    ),
)  # fmt: skip
"""Every check, in the order of the report."""
