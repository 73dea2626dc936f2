"""Number operations: whole numbers, decimals, money in several units, shares, scales.

Money is never a float and never rounded: digits beyond the scale make the conversion fail,
unless they are zeros. Only shares (1/3) are rounded, to the scale of their field.
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from tongban.normalize.steps import (
    NUMBERS,
    Arguments,
    Operation,
    Setting,
    Step,
    keep,
    on_rows,
)

MAX_PRECISION = 38
SHARE_SCALE = 6
_TEN_THOUSAND = Decimal(10_000)
_CENT = Decimal("0.01")
_CURRENCY = "¥￥"
_GROUPED = r"^[+-]?[0-9]{1,3}(?:[,，][0-9]{3})+(?:\.[0-9]*)?$"
_WHOLE_WITH_ZEROS = r"^[+-]?[0-9]{1,18}\.0+$"
_PERCENT = r"^[0-9]{1,3}(?:\.[0-9]{1,9})?[%％]$"
_FRACTION = r"^[0-9]{1,12}[/／][0-9]{1,12}$"
_PLAIN_SHARE = r"^[0-9]{1,3}(?:\.[0-9]{1,9})?$"
UNITS = ("元", "万元", "分")


def integer(texts: pl.Series) -> pl.Series:
    """Whole numbers of up to 18 digits; `12.0` is one, `12.5`, `1e3` and `1,200` are not."""
    numbers = texts.cast(pl.Int64, strict=False)
    if numbers.null_count() == texts.null_count():
        return numbers
    zeros = numbers.is_null() & texts.str.contains(_WHOLE_WITH_ZEROS)
    whole = on_rows(texts, zeros, lambda cells: cells.str.split(".").list.first())
    return whole.cast(pl.Int64, strict=False)


def decimal(texts: pl.Series, scale: int, precision: int = MAX_PRECISION) -> pl.Series:
    """Decimals with at most `scale` digits that count; exponents and separators fail."""
    fits = texts.str.contains(_plain_number(scale, MAX_PRECISION - scale))
    return keep(texts, fits).cast(pl.Decimal(precision, scale), strict=False)


def _plain_number(scale: int, whole: int) -> str:
    """Digits, then at most `scale` digits and any number of zeros."""
    return rf"^[+-]?[0-9]{{1,{whole}}}(?:\.[0-9]{{0,{scale}}}0*)?$"


def money(texts: pl.Series, unit: str, scale: int, precision: int = MAX_PRECISION) -> pl.Series:
    """An amount in 元, 万元 or 分 as 元; a currency sign and thousands separators are allowed."""
    written = {"元": scale, "万元": scale + 4, "分": max(scale - 2, 0)}[unit]
    pattern = _plain_number(written, MAX_PRECISION - written - 4)
    fits = texts.str.contains(pattern)
    if not fits.all():
        texts = on_rows(texts, ~fits, _without_separators)
        fits = texts.str.contains(pattern)
    amounts = keep(texts, fits).cast(pl.Decimal(MAX_PRECISION, written), strict=False)
    if unit == "万元":
        amounts *= _TEN_THOUSAND
    elif unit == "分":
        amounts = amounts.cast(pl.Decimal(MAX_PRECISION, scale)) * _CENT
    return amounts.cast(pl.Decimal(precision, scale), strict=False)


def _without_separators(texts: pl.Series) -> pl.Series:
    """Amounts without currency sign, and without separators that stand where they should."""
    bare = texts.str.strip_chars(_CURRENCY + " ")
    grouped = bare.str.contains(_GROUPED)
    return on_rows(bare, grouped, lambda cells: cells.str.replace_all("[,，]", ""))


def share(
    texts: pl.Series, scale: int = SHARE_SCALE, *, plain_is_percent: bool = False
) -> pl.Series:
    """`50%`, `1/2` or `0.5` as a decimal from 0 to 1; anything outside fails.

    Args:
        texts: Shares as written; null stays null.
        scale: Digits after the point, to which thirds are rounded.
        plain_is_percent: A number without a sign counts as percent (`50` is a half).
    """
    percent = texts.str.contains(_PERCENT)
    plain = texts.str.contains(_PLAIN_SHARE)
    fraction = texts.str.contains(_FRACTION)
    divisor = 100.0 if plain_is_percent else 1.0
    parts = None
    if fraction.any():
        slashed = on_rows(texts, fraction, lambda cells: cells.str.replace("／", "/"))
        parts = slashed.str.split_exact("/", 1)
    values = pl.select(
        pl.when(percent)
        .then(texts.str.strip_chars_end("%％").cast(pl.Float64, strict=False) / 100.0)
        .when(plain)
        .then(texts.cast(pl.Float64, strict=False) / divisor)
    ).to_series()
    if parts is not None:
        top = parts.struct.field("field_0").cast(pl.Float64, strict=False)
        bottom = parts.struct.field("field_1").cast(pl.Float64, strict=False)
        values = pl.select(pl.when(fraction).then(top / bottom).otherwise(values)).to_series()
    inside = (values >= 0.0) & (values <= 1.0) & values.is_finite()
    return keep(values, inside).round(scale).cast(pl.Decimal(scale + 3, scale), strict=False)


def inverted(numbers: pl.Series, minimum: int, maximum: int) -> pl.Series:
    """A scale turned round: the lowest becomes the highest; outside the scale fails."""
    whole = integer(numbers) if numbers.dtype == pl.String else numbers.cast(pl.Int64, strict=False)
    return keep(whole, whole.is_between(minimum, maximum)) * -1 + (minimum + maximum)


def _scale(args: Arguments, setting: Setting) -> int:
    """The scale of the arguments, by default that of the contract's field."""
    field = setting.field
    scale = args.integer("scale", field.scale if field.scale is not None else 2)
    if not 0 <= scale <= 18:  # noqa: PLR2004 - room for 万元 within 38 digits
        args.refuse("needs a scale between 0 and 18")
    if field.type == "decimal" and field.scale is not None and scale > field.scale:
        args.refuse(
            f"has scale {scale}, but the contract's field has {field.scale} and would round"
        )
    return scale


def _precision(setting: Setting, scale: int) -> int:
    """The contract's precision where it is the same column, so that one cast is enough."""
    field = setting.field
    return (field.precision or MAX_PRECISION) if field.scale == scale else MAX_PRECISION


def _integer(args: Arguments, _: Setting) -> Step:
    return Step(args.op.name, lambda s, _: integer(s), "integer", "type")


def _decimal(args: Arguments, setting: Setting) -> Step:
    scale = _scale(args, setting)
    precision = _precision(setting, scale)
    return Step(args.op.name, lambda s, _: decimal(s, scale, precision), "decimal", "type")


def _money(args: Arguments, setting: Setting) -> Step:
    unit = args.choice("unit", UNITS)
    scale = _scale(args, setting)
    precision = _precision(setting, scale)
    return Step(args.op.name, lambda s, _: money(s, unit, scale, precision), "decimal", "type")


def _share(args: Arguments, setting: Setting) -> Step:
    as_percent = args.choice("plain", ("fraction", "percent"), "fraction") == "percent"
    scale = setting.field.scale if setting.field.scale is not None else SHARE_SCALE
    return Step(
        args.op.name, lambda s, _: share(s, scale, plain_is_percent=as_percent), "decimal", "type"
    )


def _invert_scale(args: Arguments, _: Setting) -> Step:
    minimum, maximum = args.integer("minimum"), args.integer("maximum")
    if minimum >= maximum:
        args.refuse("needs a minimum below its maximum")
    return Step(args.op.name, lambda s, _: inverted(s, minimum, maximum), "integer", "type")


OPERATIONS: dict[str, Operation] = {
    "integer": Operation(_integer),
    "decimal": Operation(_decimal, ("scale",), "scale"),
    "money": Operation(_money, ("unit", "scale"), "unit"),
    "percent_or_fraction": Operation(_share, ("plain",), "plain"),
    "invert_scale": Operation(_invert_scale, ("minimum", "maximum"), takes=NUMBERS - {"decimal"}),
}
