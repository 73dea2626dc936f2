"""Examples: the records that stand beside a mapping, run through it.

They are the mapping's specification, so `tongban check` runs them as the tests do. What an example
says is checked by name too: a misspelt name in it would prove nothing. No message quotes a cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract
from tongban.kernel.mappings import Mapping
from tongban.kernel.yamlfile import YamlFile, load_yaml, suggestion
from tongban.normalize.plan import apply, compile_mapping


def example_problems(
    mapping: Mapping, contract: Contract, codes: CodeTables, *, root: Path | None = None
) -> Iterator[str]:
    """Everything in which the examples and the mapping differ, one line each (file:line).

    Raises:
        ConfigInvalid: As `compile_mapping`.
    """
    file = load_yaml(mapping.path, root=root)
    if not mapping.examples:
        if contract.status != "draft":  # a drafted mapping waits for its first real rows
            yield f"{file.at(())}: no examples; add a record and what becomes of it"
        return
    plan = compile_mapping(mapping, contract, codes)
    yield from _unknown_names(file, mapping)
    for i, example in enumerate(mapping.examples):
        given = example_frame(example["given"], mapping.shape.fields)
        row = apply(plan, given).frame.row(0, named=True)
        for name, expected in example["expect"].items():
            if name in row and written(row[name]) != expected:
                how = _how(row[name], expected)
                yield f"{file.at(('examples', i, 'expect', name))}: the example's {name} {how}"


def example_frame(given: dict[str, Any], fields: tuple[str, ...]) -> pl.DataFrame:
    """A given record as one row of text columns, as a decoder gives it."""
    row = {name: None if value is None else str(value) for name, value in given.items()}
    return pl.DataFrame(
        {name: [row.get(name)] for name in fields}, schema=dict.fromkeys(fields, pl.String)
    )


def written(value: Any) -> Any:
    """A cell the way the examples write it."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _how(found: Any, expected: Any) -> str:
    """How two cells differ, without saying what is in them."""
    if found is None:
        return "is lost on the way; correct the operations or the example"
    if expected is None:
        return "should be null and is not; correct the operations or the example"
    return "is another value than expected; run `tongban map try` to see both"


def _unknown_names(file: YamlFile, mapping: Mapping) -> Iterator[str]:
    """Names that the mapping does not know, and keys that no example has."""
    known = mapping.shape.known
    for i, example in enumerate(mapping.examples):
        for part, names in (("given", known), ("expect", frozenset(mapping.fields))):
            if not isinstance(example.get(part), dict):
                yield f"{file.at(('examples', i))}: an example has given and expect; add {part}"
                return
            for name in example[part]:
                if name not in names:
                    yield (
                        f'{file.at(("examples", i, part, name))}: the mapping has no "{name}"'
                        f"{suggestion(name, names)}"
                    )
    given = {name for example in mapping.examples for name in example["given"]}
    for i, name in enumerate(mapping.source_key):
        if name not in given:
            yield (
                f'{file.at(("key", i))}: the key "{name}" is in no example{suggestion(name, given)}'
            )
