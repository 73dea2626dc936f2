"""Plan: one contract compiled into row rules, each with its own bit.

Rules that follow from a field's properties come first, field by field (required, type, length,
pattern, range, code), then the contract's explicit rules in their order. A rule's bit is its
place in that list: bit 0 to 62 of the first mask, then of the second. Bits are only good within
one contract digest; what is stored or shown is always the rule's id.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

import polars as pl

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, Field
from tongban.kernel.errors import ConfigInvalid
from tongban.validate.identifier_rules import Check
from tongban.validate.parameters import moment, place_of
from tongban.validate.patterns import problem_with
from tongban.validate.rules import compile_rule

BITS = 63  # per mask: the sign bit stays free, since PostgreSQL's bigint is signed
Presence = Literal["required", "type", "code"]


@dataclass(frozen=True, slots=True)
class RowRule:
    """One rule as people and reports see it.

    Attributes:
        id: `<field>.<property>` or the contract's own id; stable, unlike `position`.
        fields: Fields that it reads.
        dimension: Quality dimension (ODCS, GB/T 36344).
        position: Its place in the plan; `explain` turns masks back into ids.
    """

    id: str
    kind: str
    fields: tuple[str, ...]
    severity: Literal["error", "warning"]
    dimension: str
    description: str
    position: int


@dataclass(frozen=True, slots=True)
class ValidatePlan:
    """A compiled contract; frozen, and safe to use from several threads.

    Attributes:
        rules: Every row rule; a rule's index is its position.
        expressions: Position → where a row breaks the rule, evaluated in one collect.
        checks: Position → a check on the column's bytes or on the clock.
        presence: Position → field and which presence or conversion it is about.
    """

    dataset: str
    version: str
    digest: str
    rules: tuple[RowRule, ...]
    dirty_share: float
    dirty_rows: int
    expressions: dict[int, pl.Expr] = field(repr=False)
    checks: dict[int, Check] = field(repr=False)
    presence: dict[int, tuple[str, Presence]] = field(repr=False)

    @property
    def words(self) -> int:
        """How many masks a row has."""
        return max(1, -(-len(self.rules) // BITS))

    def rule(self, rule_id: str) -> RowRule:
        """The rule of that id (KeyError when there is none)."""
        for item in self.rules:
            if item.id == rule_id:
                return item
        raise KeyError(rule_id)


class _Builder:
    """Collects rules in order and gives each its position."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.rules: list[RowRule] = []
        self.expressions: dict[int, pl.Expr] = {}
        self.checks: dict[int, Check] = {}
        self.presence: dict[int, tuple[str, Presence]] = {}

    def implicit(self, item: Field, kind: str, dimension: str, description: str) -> int:
        """Note a rule that follows from a property; always an error."""
        position = len(self.rules)
        rule_id = f"{item.name}.{kind}"
        self.rules.append(
            RowRule(rule_id, kind, (item.name,), "error", dimension, description, position)
        )
        return position


def compile_contract(contract: Contract, codes: CodeTables) -> ValidatePlan:
    """Compile a contract once, to check any number of batches.

    Raises:
        ConfigInvalid: A pattern outside the common dialect, an unknown code table, a rule whose
            parameters are wrong or do not fit the types of its fields, two rules with one id.
    """
    builder = _Builder(contract)
    for item in contract.fields:
        _presence_rules(builder, item)
        _value_rules(builder, item, codes)
    for rule in contract.rules:
        position = len(builder.rules)
        broken = compile_rule(rule, contract, codes)
        if isinstance(broken, pl.Expr):
            builder.expressions[position] = broken
        else:
            builder.checks[position] = broken
        builder.rules.append(
            RowRule(
                rule.id,
                rule.kind,
                rule.fields,
                rule.severity,
                rule.dimension,
                rule.description,
                position,
            )
        )
    _refuse_twins(builder)
    return ValidatePlan(
        dataset=contract.dataset,
        version=contract.version,
        digest=contract.digest,
        rules=tuple(builder.rules),
        dirty_share=contract.dirty_share,
        dirty_rows=contract.dirty_rows,
        expressions=builder.expressions,
        checks=builder.checks,
        presence=builder.presence,
    )


def _refuse_twins(builder: _Builder) -> None:
    """An explicit rule must not carry the id of a rule that follows from a property."""
    seen: set[str] = set()
    for rule in builder.rules:
        if rule.id in seen:
            place = place_of(builder.contract, rule.id)
            raise ConfigInvalid(f'{place}: two rules have the id "{rule.id}"; rename one')
        seen.add(rule.id)


def _presence_rules(builder: _Builder, item: Field) -> None:
    """Required, convertible, known to the code table."""
    if item.required:
        position = builder.implicit(item, "required", "completeness", f"{item.label}不能为空")
        builder.presence[position] = (item.name, "required")
    position = builder.implicit(item, "type", "conformity", f"{item.label}的写法无法识别")
    builder.presence[position] = (item.name, "type")


def _value_rules(builder: _Builder, item: Field, codes: CodeTables) -> None:
    """Length, pattern, range and code of one field."""
    column = pl.col(item.name)
    if item.min_length is not None or item.max_length is not None:
        length = column.str.len_chars()
        low, high = item.min_length or 0, item.max_length
        text = f"{item.label}的长度应为 {low} 至 {'不限' if high is None else high} 个字符"
        position = builder.implicit(item, "length", "conformity", text)
        too_long = pl.lit(value=False) if high is None else length > high
        builder.expressions[position] = (length < low) | too_long
    if item.pattern is not None:
        if problem := problem_with(item.pattern):
            place = place_of(builder.contract, item.name)
            raise ConfigInvalid(f"{place}: the pattern of {item.name} {problem}")
        position = builder.implicit(item, "pattern", "conformity", f"{item.label}的格式不符")
        builder.expressions[position] = ~column.str.contains(item.pattern)
    if item.minimum is not None or item.maximum is not None:
        text = f"{item.label}应在 {item.minimum or '不限'} 至 {item.maximum or '不限'} 之间"
        position = builder.implicit(item, "range", "accuracy", text)
        builder.expressions[position] = _outside(item)
    if item.code_table is not None:
        known = sorted(codes.known(item.code_table))
        text = f"{item.label}不在代码表 {item.code_table} 中"
        position = builder.implicit(item, "code", "conformity", text)
        builder.presence[position] = (item.name, "code")
        builder.expressions[position] = ~column.is_in(known)


def _outside(item: Field) -> pl.Expr:
    """Below the minimum or above the maximum, in the field's own type."""
    column = pl.col(item.name)
    outside = pl.lit(value=False)
    for bound, is_low in ((item.minimum, True), (item.maximum, False)):
        if bound is None:
            continue
        value = bound if isinstance(bound, Decimal) or item.type != "datetime" else moment(bound)
        limit = pl.lit(value)
        outside |= column < limit if is_low else column > limit
    return outside
