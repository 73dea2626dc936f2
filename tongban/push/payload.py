"""Payload: stored rows become the target's nested documents.

Columns are formatted as a whole, by the outgoing operations of `tongban.kernel.formatting`; only
the last step makes one dict per record. A value that the target has no word for makes its record
unsendable: sending it without the value would be a lie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import polars as pl

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.formatting import ISO, Mask, Outward, compile_outward, text_moment
from tongban.kernel.mappings import FieldMapping, PushMapping

SPECIAL = ("$guid", "$op", "$version", "$now")
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Part:
    """The fields that one dataset gives to the document, at the top or in a list of children.

    Attributes:
        path: Dotted path of the list, "" for the record itself.
        on: Child field → record field; empty for the record itself.
    """

    path: str
    contract: Contract
    on: Mapping[str, str]
    made: tuple[Outward, ...] = field(repr=False)

    @property
    def needed(self) -> tuple[str, ...]:
        """Contract fields that have to be read."""
        used = [name for item in self.made for name in item.sources if not name.startswith("$")]
        return tuple(dict.fromkeys([*used, *self.on]))


@dataclass(frozen=True, slots=True)
class PushPlan:
    """A push mapping, compiled."""

    mapping: PushMapping
    main: Part
    children: tuple[Part, ...]

    @property
    def needed(self) -> tuple[str, ...]:
        """Fields of the record's own dataset, those of `where` and of the joins included."""
        joined = [theirs for child in self.children for theirs in child.on.values()]
        return tuple(dict.fromkeys([*self.main.needed, *self.mapping.where, *joined]))


@dataclass(frozen=True, slots=True)
class Documents:
    """One document per row, with its digest; `lost` names a field that could not be written."""

    data: list[dict[str, Any]] = field(repr=False)
    digests: list[bytes] = field(repr=False)
    lost: list[str | None]


def compile_push(
    mapping: PushMapping, contracts: Mapping[str, Contract], codes: CodeTables, mask: Mask
) -> PushPlan:
    """Compile a push mapping.

    Raises:
        ConfigInvalid: An operation, argument, code table or special source that does not exist.
    """
    return PushPlan(
        mapping=mapping,
        main=_part("", contracts[mapping.dataset], {}, mapping.fields, mapping, codes, mask),
        children=tuple(
            _part(path, contracts[child.dataset], child.on, child.fields, mapping, codes, mask)
            for path, child in mapping.children.items()
        ),
    )


def matches(plan: PushPlan, frame: pl.DataFrame) -> pl.Series:
    """Which rows the mapping's `where` lets go out."""
    if not plan.mapping.where:
        return pl.repeat(value=True, n=frame.height, dtype=pl.Boolean, eager=True)
    wanted = [
        pl.col(name).cast(pl.String).is_in(list(values)).fill_null(value=False)
        for name, values in plan.mapping.where.items()
    ]
    return frame.select(pl.all_horizontal(wanted)).to_series()


def documents(
    plan: PushPlan, frame: pl.DataFrame, children: Sequence[pl.DataFrame] = ()
) -> Documents:
    """Make the documents of readable rows.

    Args:
        plan: From `compile_push`.
        frame: The needed fields of each record, and the special sources that are used.
        children: For each child of the plan its rows, in the order that they shall have.
    """
    columns, lost = _formatted(plan.main, frame)
    for part, rows in zip(plan.children, children, strict=True):
        listed, child_lost = _children(part, rows, frame)
        columns[part.path] = listed
        lost = [a or b for a, b in zip(lost, child_lost, strict=True)]
    data = pl.DataFrame(_nested(columns)).to_dicts() if columns else []
    return Documents(data, [digest_of(item) for item in data], lost)


def digest_of(document: Mapping[str, Any]) -> bytes:
    """SHA-256 of the canonical JSON: sorted keys, no blanks, UTF-8, nothing escaped needlessly."""
    return hashlib.sha256(_encode(document)).digest()


def _part(
    path: str,
    contract: Contract,
    on: Mapping[str, str],
    fields: Mapping[str, FieldMapping],
    mapping: PushMapping,
    codes: CodeTables,
    mask: Mask,
) -> Part:
    """Compile the fields of one dataset."""
    for item in fields.values():
        for source in item.sources:
            if source.startswith("$") and (source not in SPECIAL or path):
                raise ConfigInvalid(
                    f"{item.where}: {source} cannot be a source here; identity and digest are "
                    "written by the target's record template"
                )
    made = tuple(compile_outward(item, codes, mapping.target, mask) for item in fields.values())
    return Part(path=path, contract=contract, on=on, made=made)


def _formatted(part: Part, frame: pl.DataFrame) -> tuple[dict[str, pl.Series], list[str | None]]:
    """Target path → column, and per row the first field whose value was lost on the way."""
    columns: dict[str, pl.Series] = {}
    losses: dict[str, pl.Series] = {}
    for item in part.made:
        sources = [frame[name] for name in item.sources]
        made = item.run(sources, frame.height)
        columns[item.target] = _plain(made)
        given = _any_given(sources)
        if given is not None and (gone := given & made.is_null()).any():
            losses[item.target] = gone
    lost: list[str | None] = [None] * frame.height
    for target, gone in losses.items():
        for row in gone.arg_true().to_list():
            lost[row] = lost[row] or target
    return columns, lost


def _any_given(sources: Iterable[pl.Series]) -> pl.Series | None:
    """Rows in which any source has a value; None without sources."""
    given: pl.Series | None = None
    for source in sources:
        here = source.is_not_null()
        given = here if given is None else given | here
    return given


def _plain(column: pl.Series) -> pl.Series:
    """A column of a type that JSON has: moments and decimals as text."""
    if isinstance(column.dtype, pl.Datetime):
        return text_moment(column, ISO)
    if isinstance(column.dtype, pl.Date | pl.Decimal):
        return column.cast(pl.String)
    return column


def _children(
    part: Part, rows: pl.DataFrame, frame: pl.DataFrame
) -> tuple[pl.Series, list[str | None]]:
    """Per record the list of its children's documents, and a field lost in any of them."""
    columns, lost = _formatted(part, rows)
    keys = [rows[name].alias(f"$on{i}") for i, name in enumerate(part.on)]
    items = pl.DataFrame([pl.DataFrame(_nested(columns)).to_struct("$item"), *keys])
    items = items.with_columns(pl.Series("$lost", lost, dtype=pl.String))
    names = [key.name for key in keys]
    grouped = items.group_by(names, maintain_order=True).agg(
        pl.col("$item"), pl.col("$lost").drop_nulls().first()
    )
    wanted = frame.select(
        pl.col(theirs).alias(name) for name, theirs in zip(names, part.on.values(), strict=True)
    )
    found = wanted.join(grouped, on=names, how="left", maintain_order="left")
    empty = pl.Series([[]], dtype=found.schema["$item"])
    return (
        found["$item"].fill_null(empty).alias(part.path),
        found["$lost"].to_list(),
    )


def _nested(columns: Mapping[str, pl.Series]) -> list[pl.Series]:
    """Columns with dotted names as nested structs, in the order of the mapping."""
    groups: dict[str, dict[str, pl.Series]] = {}
    for path, column in columns.items():
        head, _, rest = path.partition(".")
        groups.setdefault(head, {})[rest] = column
    return [
        inner[""].alias(head)
        if set(inner) == {""}
        else pl.DataFrame(_nested(inner)).to_struct(head)
        for head, inner in groups.items()
    ]
