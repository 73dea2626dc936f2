"""Code operations: a system's codes to the hub's, yes and no, constants.

A code that the table does not know is a finding of its own (`<field>.code`), never a guess and
never the source's code carried on.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from tongban.kernel.errors import ConfigInvalid
from tongban.normalize.steps import Arguments, Columns, Operation, Setting, Step


def code(texts: pl.Series, table: dict[str, str]) -> pl.Series:
    """The hub's code for each source code; null where the table has none."""
    return texts.replace_strict(
        list(table), list(table.values()), default=None, return_dtype=pl.String
    )


def boolean(texts: pl.Series, yes: tuple[str, ...], no: tuple[str, ...]) -> pl.Series:
    """True and false by their listed spellings; any other word fails."""
    words = [*yes, *no]
    flags = [True] * len(yes) + [False] * len(no)
    return texts.replace_strict(words, flags, default=None, return_dtype=pl.Boolean)


def dated_code(
    texts: pl.Series, days: pl.Series, periods: list[tuple[date, dict[str, str]]]
) -> pl.Series:
    """The hub's code that each source code had on its own record's day; null without a day.

    Args:
        texts: Source codes.
        days: The records' days as the source writes them; their first eight digits count.
        periods: First day of each period, ascending, and what the codes meant in it.
    """
    digits = days.str.replace_all("[^0-9]", "").str.slice(0, 8)
    found = digits.str.to_date("%Y%m%d", strict=False)
    cells = pl.repeat(None, len(texts), dtype=pl.String, eager=True)
    for first, table in periods:
        begun = (found >= first).fill_null(value=False)
        cells = cells.zip_with(~begun, code(texts, table))
    return cells.alias(texts.name)


def _code(args: Arguments, setting: Setting) -> Step:
    name = args.text("table")
    at = args.text("at", "")
    try:
        table = setting.codes.to_hub(name, setting.system)
        turns = setting.codes.turns(name, setting.system)
    except ConfigInvalid as exc:
        args.refuse(f"cannot translate: {exc}")
    if not table:
        args.refuse(f'finds no code of {setting.system} in the table "{name}"')
    if not turns:
        return Step(args.op.name, lambda s, _: code(s, table), "text", "code")
    if not at:
        args.refuse(
            f'needs the argument "at": codes of "{name}" meant something else before {turns[-1]}, '
            "so name the source field that has the record's own day"
        )
    periods = [(day, setting.codes.to_hub(name, setting.system, day)) for day in (date.min, *turns)]
    return Step(args.op.name, lambda s, c: dated_code(s, c[at], periods), "text", "code")


def _boolean(args: Arguments, _: Setting) -> Step:
    yes, no = args.texts("true"), args.texts("false")
    both = set(yes) & set(no)
    if both:
        args.refuse(f"lists {min(both)!r} as true and as false")
    return Step(args.op.name, lambda s, _: boolean(s, yes, no), "boolean", "type")


def _constant(args: Arguments, _: Setting) -> Step:
    value = args.text("value")

    def run(cells: pl.Series, _: Columns) -> pl.Series:
        return pl.repeat(value, len(cells), dtype=pl.String, eager=True).alias(cells.name)

    return Step(args.op.name, run, "text")


OPERATIONS: dict[str, Operation] = {
    "code": Operation(_code, ("table", "at"), "table"),
    "boolean": Operation(_boolean, ("true", "false")),
    "constant": Operation(_constant, ("value",), "value"),
}
