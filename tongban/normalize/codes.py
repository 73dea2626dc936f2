"""Code operations: a system's codes to the hub's, yes and no, constants.

A code that the table does not know is a finding of its own (`<field>.code`), never a guess and
never the source's code carried on.
"""

from __future__ import annotations

import polars as pl

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


def _code(args: Arguments, setting: Setting) -> Step:
    table = setting.codes.to_hub(args.text("table"), setting.system)
    if not table:
        args.refuse(f'finds no code of {setting.system} in the table "{args.text("table")}"')
    return Step(args.op.name, lambda s, _: code(s, table), "text", "code")


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
    "code": Operation(_code, ("table",), "table"),
    "boolean": Operation(_boolean, ("true", "false")),
    "constant": Operation(_constant, ("value",), "value"),
}
