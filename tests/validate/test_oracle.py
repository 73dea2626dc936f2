"""An independent validator over the same rows must reject exactly the same rows."""

from __future__ import annotations

import random
from decimal import Decimal

import polars as pl
import pytest

from tests.validate.batches import NO_CODES, batch, contract, rule
from tongban.kernel.contracts import Field
from tongban.validate import check, compile_contract

dataframely = pytest.importorskip("dataframely")


class Thing(dataframely.Schema):
    """The contract of the test in dataframely's words."""

    no = dataframely.String(nullable=False, primary_key=False, regex="^[A-Z][0-9]{3}$")
    name = dataframely.String(nullable=True, min_length=2, max_length=4)
    kind = dataframely.Enum(["x", "y"], nullable=True)
    floor = dataframely.Int64(nullable=True, min=-2, max=5)
    floors = dataframely.Int64(nullable=True)
    price = dataframely.Decimal(12, 2, nullable=True, min=Decimal(0))

    @dataframely.rule()
    def floor_within(cls) -> pl.Expr:  # noqa: N805 - as dataframely wants it
        """Null passes."""
        return pl.col("floor") <= pl.col("floors")

    @dataframely.rule()
    def price_when_x(cls) -> pl.Expr:  # noqa: N805 - as dataframely wants it
        """Conditional presence."""
        return ~((pl.col("kind") == "x").fill_null(value=False) & pl.col("price").is_null())


def test_dataframely_rejects_the_same_rows():
    """Ten thousand random rows, null policy included.

    Names are ASCII, since dataframely's lengths count bytes where ours count characters.
    """
    rng = random.Random(11)
    rows = 10_000
    pick = lambda *cells: [rng.choice(cells) for _ in range(rows)]  # noqa: E731
    made = contract(
        Field("no", "编号", "string", required=True, pattern="^[A-Z][0-9]{3}$"),
        Field("name", "名称", "string", min_length=2, max_length=4),
        Field("kind", "类型", "string"),
        Field("floor", "层", "integer", minimum=Decimal(-2), maximum=Decimal(5)),
        Field("floors", "总层", "integer"),
        Field("price", "价格", "decimal", precision=12, scale=2, minimum=Decimal(0)),
        rules=(
            rule("in", "kind_known", field="kind", values=["x", "y"]),
            rule("compare", "floor_within", left="floor", op="<=", right="floors"),
            rule("required_when", "price_when_x", field="price", when={"kind": ["x"]}),
        ),
    )
    given_ = batch(
        made,
        no=pick(*["A123"] * 8, "a123", None, "A12\n", "A1234"),
        name=pick(*["ab"] * 6, "a", "abcd", "abcde", None),
        kind=pick(*["x", "y"] * 5, "z", None),
        floor=pick(1, 2, -2, -3, 5, 6, None),
        floors=pick(3, 4, 5, None),
        price=pick(*["1.00"] * 6, "-0.01", "0.00", None),
    )

    ours = check(compile_contract(made, NO_CODES), given_)
    good, _ = Thing.filter(given_.frame, cast=True)

    assert 0 < ours.rejected.height < rows
    assert good.with_columns(pl.col("kind").cast(pl.String)).equals(ours.accepted)
