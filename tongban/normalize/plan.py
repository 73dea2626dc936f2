"""Plan: one mapping and one contract compiled into columns of steps, and their application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from tongban.kernel.codes import CodeTables
from tongban.kernel.column_types import dtype_of
from tongban.kernel.contracts import Contract, Field
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.mappings import FieldMapping, Mapping
from tongban.kernel.records import RecordShape
from tongban.kernel.yamlfile import suggestion
from tongban.normalize import numbers, text
from tongban.normalize.operations import JOINING, compile_operation
from tongban.normalize.steps import Arguments, Columns, Kind, Operation, Setting, Step

KEY_SEPARATOR = "|"
_SAFE_TEXT = frozenset({"code", "constant", "month"})  # nothing of the source's text is left
Gather = Callable[[Columns, int], pl.Series]
_NOTHING = Step("text", lambda s, _: s, "text")
_CONCAT = Operation(lambda _args, _setting: _NOTHING, ("separator",), "separator")
_COALESCE = Operation(lambda _args, _setting: _NOTHING)


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """How one contract field is made.

    Attributes:
        gather: Gives the cleaned source cells, joined where there are several sources.
        steps: What is done to them, the conversion to the contract's type last.
    """

    name: str
    gather: Gather = field(repr=False)
    steps: tuple[Step, ...]
    dtype: pl.DataType


@dataclass(frozen=True, slots=True)
class NormalizePlan:
    """A compiled mapping; frozen, and safe to use from several threads."""

    system: str
    dataset: str
    sources: tuple[str, ...]
    source_key: tuple[str, ...]
    fields: tuple[FieldPlan, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Normalized:
    """A batch in the contract's columns.

    Attributes:
        frame: The contract's columns in the contract's order and types, and nothing else.
        failures: Field → rows whose value was there but could not be converted. Only fields
            that have such rows are in it.
        code_failures: Field → rows whose code the code table does not know, likewise.
        source_key: The mapping's key fields as the source wrote them, joined with `|`.
        failed_operations: Field → operation → rows that it lost; counts only.
    """

    frame: pl.DataFrame = field(repr=False)
    failures: dict[str, pl.Series] = field(repr=False)
    code_failures: dict[str, pl.Series] = field(repr=False)
    source_key: pl.Series = field(repr=False)
    failed_operations: dict[str, dict[str, int]] = field(default_factory=dict)


def shape_of(mapping: Mapping) -> RecordShape:
    """Which source fields the decoder has to give for this mapping."""
    return mapping.shape


def compile_mapping(mapping: Mapping, contract: Contract, codes: CodeTables) -> NormalizePlan:
    """Compile a mapping once, to be applied to any number of batches.

    Raises:
        ConfigInvalid: An unknown operation or argument, an operation on the wrong kind of cell,
            a target that the contract has not, cells that do not become the field's type; with
            the place in the file, what was expected and a suggestion.
    """
    for name, made in mapping.fields.items():
        if name not in contract.by_name:
            hint = suggestion(name, contract.by_name)
            raise ConfigInvalid(f'{made.where}: the contract has no field "{name}"{hint}')
    return NormalizePlan(
        system=mapping.system,
        dataset=mapping.dataset,
        sources=mapping.shape.fields,
        source_key=mapping.source_key,
        fields=tuple(
            _field_plan(item, mapping.fields.get(item.name), Setting(codes, mapping.system, item))
            for item in contract.fields
        ),
        digest=mapping.digest,
    )


def _field_plan(item: Field, made: FieldMapping | None, setting: Setting) -> FieldPlan:
    """Sources, then operations, then whatever makes the contract's type of it."""
    dtype = dtype_of(item)
    if made is None:
        return FieldPlan(item.name, lambda _columns, rows: _nulls(rows, dtype), (), dtype)
    gather, skipped = _gather(made)
    steps: list[Step] = []
    kind: Kind = "text"
    for op in made.ops[skipped:]:
        step = compile_operation(op, kind, setting)
        steps.append(step)
        kind = step.gives
    if not (item.type in {"string", "month"} and steps and steps[-1].operation in _SAFE_TEXT):
        steps += _finish(item, made, kind, dtype)
    return FieldPlan(item.name, gather, tuple(steps), dtype)


def _gather(made: FieldMapping) -> tuple[Gather, int]:
    """How the source cells come together, and how many operations that took."""
    sources = made.sources
    first = made.ops[0] if made.ops else None
    if not sources:
        if first is None or first.name != "constant":
            raise ConfigInvalid(
                f'{made.where}: a field without "from" needs the operation constant first'
            )
        return lambda _columns, rows: _nulls(rows, pl.String()), 0
    if first is not None and first.name in JOINING:
        args = Arguments(first, _CONCAT if first.name == "concat" else _COALESCE)
        if first.name == "coalesce":
            return lambda columns, _: text.first_present([columns[s] for s in sources]), 1
        separator = args.text("separator", "")
        return lambda columns, _: text.join([columns[s] for s in sources], separator), 1
    if len(sources) > 1:
        raise ConfigInvalid(
            f"{made.where}: several sources need concat or coalesce as their first operation"
        )
    return lambda columns, _: columns[sources[0]], 0


def _nulls(rows: int, dtype: pl.DataType) -> pl.Series:
    """A column of nothing."""
    return pl.repeat(None, rows, dtype=dtype, eager=True)


def _finish(item: Field, made: FieldMapping, kind: Kind, dtype: pl.DataType) -> list[Step]:
    """The steps from what the operations give to the contract's type."""
    if item.type in {"string", "month"}:
        if kind == "text":
            return [Step("text", lambda s, _: text.printable(s), "text", "type")]
        if kind == "integer":
            return [Step("text", lambda s, _: s.cast(pl.String), "text")]
    elif item.type == "integer" and kind == "text":
        return [Step("integer", lambda s, _: numbers.integer(s), "integer", "type")]
    elif item.type == "decimal" and kind == "text":
        precision, scale = item.precision or numbers.MAX_PRECISION, item.scale or 0
        convert = Step(
            "decimal", lambda s, _: numbers.decimal(s, scale, precision), "decimal", "type"
        )
        return [convert]
    elif item.type == "decimal" and kind in {"integer", "decimal"}:
        return [Step("decimal", lambda s, _: s.cast(dtype, strict=False), "decimal", "type")]
    elif item.type == kind:
        return []
    raise ConfigInvalid(
        f'{made.where}: the field "{item.name}" is {item.type}, but its operations give {kind}; '
        f"add an operation that gives {item.type}"
    )


def apply(plan: NormalizePlan, frame: pl.DataFrame) -> Normalized:
    """Bring decoded rows into the contract's columns; no row is dropped and none is added.

    Args:
        plan: From `compile_mapping`.
        frame: String columns named by their source paths; one that is missing counts as null.
            Any number of rows; below some thousands the cost per row rises.
    """
    rows = frame.height
    columns = {name: _cleaned(frame, name) for name in plan.sources}
    done: dict[str, pl.Series] = {}
    failures: dict[str, pl.Series] = {}
    code_failures: dict[str, pl.Series] = {}
    operations: dict[str, dict[str, int]] = {}
    for item in plan.fields:
        cells = item.gather(columns, rows)
        for step in item.steps:
            before, cells = cells, step.run(cells, columns)
            if step.loss == "never" or cells.null_count() <= before.null_count():
                continue
            lost = before.is_not_null() & cells.is_null()
            flags = code_failures if step.loss == "code" else failures
            flags[item.name] = flags[item.name] | lost if item.name in flags else lost
            operations.setdefault(item.name, {})[step.operation] = int(lost.sum())
        done[item.name] = cells.alias(item.name)
    return Normalized(
        frame=pl.DataFrame(done),
        failures=failures,
        code_failures=code_failures,
        source_key=_source_key(plan, columns),
        failed_operations=operations,
    )


def _cleaned(frame: pl.DataFrame, name: str) -> pl.Series:
    """A source column, trimmed; null where the page had no such field at all."""
    if name not in frame.columns:
        return _nulls(frame.height, pl.String()).alias(name)
    return text.clean(frame[name])


def _source_key(plan: NormalizePlan, columns: Columns) -> pl.Series:
    """Key fields joined; a separator inside a value is escaped, so that keys stay distinct."""
    parts = [columns[name].fill_null("") for name in plan.source_key]
    if len(parts) > 1:
        parts = [
            part.str.replace_all("\\", "\\\\", literal=True).str.replace_all(
                KEY_SEPARATOR, f"\\{KEY_SEPARATOR}", literal=True
            )
            for part in parts
        ]
    keys = pl.DataFrame({str(i): part for i, part in enumerate(parts)})
    return keys.select(pl.concat_str(pl.all(), separator=KEY_SEPARATOR)).to_series().alias("key")
