"""Steps: what a mapping operation becomes when it is compiled, and how its arguments are read.

An operation is a name in a YAML file; a step is a pure function over a column of cells. A
wrong argument is refused here, at compile time, with the operation's place in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import polars as pl

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Field
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.mappings import Op
from tongban.kernel.yamlfile import suggestion

Kind = Literal["text", "integer", "decimal", "date", "datetime", "boolean"]
Loss = Literal["never", "type", "code"]
Columns = Mapping[str, pl.Series]
Run = Callable[[pl.Series, Columns], pl.Series]

TEXT: frozenset[Kind] = frozenset({"text"})
NUMBERS: frozenset[Kind] = frozenset({"text", "integer", "decimal"})


@dataclass(frozen=True, slots=True)
class Step:
    """One compiled operation.

    Attributes:
        operation: Its name in the mapping, for findings.
        run: Gives the new column from the old one and from all cleaned source columns.
        gives: What the cells are afterwards.
        loss: Whether a cell that was there may come out null, and what that means: "type" a
            failed conversion, "code" a code that the table does not know.
    """

    operation: str
    run: Run
    gives: Kind
    loss: Loss = "never"


@dataclass(frozen=True, slots=True)
class Setting:
    """What an operation may know about its surroundings when it is compiled."""

    codes: CodeTables
    system: str
    field: Field


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the closed list.

    Attributes:
        build: Makes the step from the arguments.
        allowed: Names of the arguments.
        main: Argument that a bare value stands for, as in `- code: usage`.
        takes: Kinds of cells that it can work on.
    """

    build: Callable[[Arguments, Setting], Step]
    allowed: tuple[str, ...] = ()
    main: str | None = None
    takes: frozenset[Kind] = TEXT


class Arguments:
    """The arguments of one operation in one mapping, checked while they are read."""

    def __init__(self, op: Op, operation: Operation) -> None:
        self.op = op
        self._values = self._named(op.args, operation)
        for name in self._values:
            if name not in operation.allowed:
                hint = suggestion(name, operation.allowed) if operation.allowed else ""
                self.refuse(f'has no argument "{name}"{hint}')

    def _named(self, args: Any, operation: Operation) -> dict[str, Any]:
        """Arguments by name; YAML reads the keys `true` and `false` as booleans."""
        if args is None:
            return {}
        if isinstance(args, dict):
            return {plain(name): value for name, value in args.items()}
        if operation.main is None:
            self.refuse("takes no bare argument; name its arguments")
        return {operation.main: args}

    def refuse(self, what: str) -> NoReturn:
        """Refuse the mapping because of this operation."""
        raise ConfigInvalid(f"{self.op.where}: operation {self.op.name} {what}")

    def text(self, name: str, default: str | None = None) -> str:
        """One text argument."""
        value = self._values.get(name, default)
        if value is None or isinstance(value, (list, dict)):
            self.refuse(f'needs the argument "{name}" as text')
        return plain(value)

    def texts(self, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """One argument that is a list of texts; a single text counts as a list of one."""
        value = self._values.get(name, default)
        if value is None or isinstance(value, dict) or value == []:
            self.refuse(f'needs the argument "{name}" as a list')
        return tuple(
            plain(item) for item in (value if isinstance(value, (list, tuple)) else [value])
        )

    def integer(self, name: str, default: int | None = None) -> int:
        """One whole number."""
        value = self._values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(f'needs the argument "{name}" as a whole number')
        return value

    def choice(self, name: str, options: Collection[str], default: str | None = None) -> str:
        """One word of a closed list."""
        value = self.text(name, default)
        if value not in options:
            self.refuse(f'does not know the {name} "{value}"{suggestion(value, options)}')
        return value


def plain(value: Any) -> str:
    """A YAML scalar as the text that stood in the file, near enough."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def keep(values: pl.Series, flags: pl.Series) -> pl.Series:
    """The cells whose flag is true; null elsewhere."""
    if flags.all() and not flags.null_count():
        return values
    return values.zip_with(flags.fill_null(value=False), pl.Series([None], dtype=values.dtype))


def replace_cells(values: pl.Series, rows: pl.Series, cells: pl.Series) -> pl.Series:
    """A copy of `values` with other cells in the given rows (Polars' scatter works in place)."""
    return values.clone().scatter(rows, cells)


def on_rows(
    values: pl.Series, flags: pl.Series, change: Callable[[pl.Series], pl.Series]
) -> pl.Series:
    """Change only the cells whose flag is true, so that the rest costs nothing."""
    rows = flags.fill_null(value=False).arg_true()
    if rows.is_empty():
        return values
    return replace_cells(values, rows, change(values.gather(rows)))
