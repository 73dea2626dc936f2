"""Statements: every rule of a contract in one list, which each target says in its own language.

The rules that follow from a field's properties come first and carry the same ids as in
`tongban.validate`, whose compiler has checked every parameter before anything is said here.
A statement always means the same: it is *kept*, *broken*, or does not apply, which is the case
where a value that it looks at is missing; only the statements about presence look at that.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, Field, Rule
from tongban.validate import compile_contract
from tongban.validate.parameters import Parameters

IMPLICIT = ("required", "type", "length", "pattern", "range", "code")


@dataclass(frozen=True, slots=True)
class Gap:
    """A rule, or a part of it, that a target cannot say; printed by the target itself."""

    rule: str
    why: str


@dataclass(frozen=True)
class Statement:
    """One rule, implicit or explicit.

    Attributes:
        id: `<field>.<property>`, or the contract's own id.
        kind: One of IMPLICIT or of `RULE_KINDS`.
        given: The checked parameters of an explicit rule, None for an implicit one.
        field: The field that an implicit rule is about.
    """

    id: str
    kind: str
    severity: str
    description: str
    contract: Contract
    codes: CodeTables
    rule: Rule | None = None
    field: Field | None = None

    @cached_property
    def given(self) -> Parameters:
        """Parameters of an explicit rule."""
        if self.rule is None:
            raise LookupError(f"{self.id} follows from a property and has no parameters")
        return Parameters(self.contract, self.rule, self.codes)

    @property
    def item(self) -> Field:
        """The single field that it is about."""
        return self.field or self.given.field()

    @property
    def is_enforced(self) -> bool:
        """Whether a row that breaks it is refused."""
        return self.severity == "error"

    def known_codes(self) -> list[str]:
        """Codes of the field's table, whenever valid: a record outlives its code."""
        return sorted(self.codes.known(str(self.item.code_table)))

    def conditions(self) -> list[tuple[Field, list[Any]]]:
        """Field and values of each condition of a conditional rule."""
        return [
            (self.contract.field(str(name)), self.given.values(self.contract.field(str(name)), v))
            for name, v in self.given.get("when").items()
        ]

    def listed(self, name: str) -> list[Field]:
        """Fields that a list parameter names."""
        return [self.contract.field(str(item)) for item in self.given.get(name)]


def statements_of(contract: Contract, codes: CodeTables) -> tuple[Statement, ...]:
    """Every rule of a contract, in the order of its compiled plan.

    Raises:
        ConfigInvalid: As `compile_contract`.
    """
    explicit = {rule.id: rule for rule in contract.rules}
    return tuple(
        Statement(
            id=rule.id,
            kind=rule.kind,
            severity=rule.severity,
            description=rule.description,
            contract=contract,
            codes=codes,
            rule=explicit.get(rule.id),
            field=None if rule.id in explicit else contract.field(rule.fields[0]),
        )
        for rule in compile_contract(contract, codes).rules
    )


def written(value: Any) -> str:
    """A literal as text in the form in which records are exchanged."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds" if value.microsecond else "seconds")
    return value.isoformat() if isinstance(value, date) else str(value)


def content_key(contract: Contract, codes: CodeTables) -> str:
    """Digest of all that a target is compiled from: the contract's text and its code tables."""
    parts = [contract.digest]
    for name in sorted({str(f.code_table) for f in contract.fields if f.code_table}):
        parts += [name, *sorted(codes.known(name))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
