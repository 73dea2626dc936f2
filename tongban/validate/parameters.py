"""Parameters: what a contract's rule says, read and checked at compile time.

A wrong parameter is refused with the contract, the rule, what was expected and a suggestion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import polars as pl

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, Field, Rule
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING
from tongban.kernel.yamlfile import load_yaml, suggestion

NUMERIC = frozenset({"integer", "decimal"})
TIMES = frozenset({"date", "datetime"})
TEXTS = frozenset({"string", "month"})


@dataclass(frozen=True, slots=True)
class Parameters:
    """One rule's parameters, checked while they are read."""

    contract: Contract
    rule: Rule
    codes: CodeTables

    def refuse(self, what: str) -> NoReturn:
        """Refuse the contract because of this rule."""
        place = place_of(self.contract, self.rule.id)
        raise ConfigInvalid(f"{place}: rule {self.rule.id} ({self.rule.kind}) {what}")

    def only(self, *allowed: str) -> None:
        """Refuse a parameter that this kind does not have."""
        for name in self.rule.params:
            if name not in allowed:
                self.refuse(f'has no parameter "{name}"{suggestion(name, allowed)}')

    def get(self, name: str) -> Any:
        """A parameter that must be there."""
        if self.rule.params.get(name) is None:
            self.refuse(f'needs the parameter "{name}"')
        return self.rule.params[name]

    def field(self, name: str = "field") -> Field:
        """The field that a parameter names."""
        return self.contract.field(str(self.get(name)))

    def number(self, name: str, default: str | None = None) -> Decimal:
        """An exact number."""
        value = self.rule.params.get(name, default)
        try:
            return Decimal(str(value))
        except InvalidOperation:
            self.refuse(f'needs the parameter "{name}" as a number')

    def numeric(self, item: Field) -> pl.Expr:
        """A field that can be calculated with."""
        if item.type not in NUMERIC:
            self.refuse(f'needs a number, but the field "{item.name}" is {item.type}')
        return pl.col(item.name)

    def text_field(self) -> str:
        """Name of the rule's field, which must hold text."""
        item = self.field()
        if item.type not in TEXTS:
            self.refuse(f'needs text, but the field "{item.name}" is {item.type}')
        return item.name

    def values(self, item: Field, listed: Any) -> list[Any]:
        """A list of literals in the field's own type."""
        if not isinstance(listed, list) or not listed:
            self.refuse(f'needs a list of values for the field "{item.name}"')
        return [self.literal(item, value) for value in listed]

    def literal(self, item: Field, value: Any) -> Any:
        """One literal in the field's own type."""
        try:
            return _READERS.get(item.type, str)(value)
        except (ValueError, InvalidOperation):
            self.refuse(f'has a value that is no {item.type}, for the field "{item.name}"')


def place_of(contract: Contract, name: str) -> str:
    """`file:line` of a property or a rule, read again only to refuse it."""
    if not contract.path.is_file():
        return f"contract {contract.dataset} v{contract.version}"
    file = load_yaml(contract.path, root=contract.path.parents[2])
    for where in file.lines:
        found: Any = file.data
        for part in where:
            found = found[part]
        if isinstance(found, dict) and name in {found.get("id"), found.get("name")}:
            return file.at(where)
    return file.at(())


def day(value: Any) -> date:
    """A literal as a day."""
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def moment(value: Any) -> datetime:
    """A literal as a moment in Beijing; a day alone is its midnight."""
    if isinstance(value, datetime):
        found = value
    elif isinstance(value, date):
        found = datetime.combine(value, time())
    else:
        found = datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=BEIJING)


def truth(value: Any) -> bool:
    """A literal as true or false."""
    words = {"true": True, "false": False}
    word = str(value).lower()
    if word not in words:
        raise ValueError
    return words[word]


def exact(value: Any) -> Decimal:
    """A literal as a decimal, without the float's tail."""
    return Decimal(str(value))


_READERS: dict[str, Callable[[Any], Any]] = {
    "integer": int,
    "decimal": exact,
    "boolean": truth,
    "date": day,
    "datetime": moment,
}
