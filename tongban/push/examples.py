"""Examples of the way out: stored records and the documents that a target gets of them.

They stand beside a push mapping as its specification, and `tongban check` runs them as the tests
do. `given` has the contract's fields in exchange form, `children` the rows of other datasets by
the path of their list, `expect` the document. No message quotes a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import polars as pl

from tongban.kernel.codes import CodeTables
from tongban.kernel.column_types import dtype_of
from tongban.kernel.contracts import Contract, Field
from tongban.kernel.formatting import Mask
from tongban.kernel.mappings import PushMapping
from tongban.kernel.yamlfile import YamlFile, load_yaml, suggestion
from tongban.push.payload import compile_push, documents, matches


def push_example_problems(
    mapping: PushMapping,
    contracts: Mapping[str, Contract],
    codes: CodeTables,
    mask: Mask,
    *,
    root: Path | None = None,
) -> Iterator[str]:
    """Everything in which the examples and the mapping differ, one line each (file:line).

    Raises:
        ConfigInvalid: As `compile_push`.
    """
    file = load_yaml(mapping.path, root=root)
    if not mapping.examples:
        yield f"{file.at(())}: no examples; add a stored record and the document that it becomes"
        return
    plan = compile_push(mapping, contracts, codes, mask)
    for i, example in enumerate(mapping.examples):
        unread = list(_unknown(file, i, example, mapping, contracts))
        yield from unread
        if unread:
            continue
        try:
            frame = _frame([example["given"]], contracts[mapping.dataset])
            children = [
                _frame(example.get("children", {}).get(part.path) or [], part.contract)
                for part in plan.children
            ]
        except (ValueError, InvalidOperation):
            yield f"{file.at(('examples', i))}: a value has not the type of its field"
            continue
        made = documents(plan, frame, children)
        if not matches(plan, frame).item():
            yield f"{file.at(('examples', i, 'given'))}: `where` does not let this record go out"
        if made.lost[0] is not None:
            yield f"{file.at(('examples', i, 'given'))}: {made.lost[0]} is lost on the way out"
        for path in _differing(made.data[0], example["expect"]):
            where = ("examples", i, "expect", path.partition(".")[0])
            yield (
                f"{file.at(where)}: the example's {path} is another value than expected; correct "
                "the operations or the example"
            )


def _unknown(
    file: YamlFile,
    number: int,
    example: Mapping[str, Any],
    mapping: PushMapping,
    contracts: Mapping[str, Contract],
) -> Iterator[str]:
    """Parts and names that do not exist."""
    parts = ("given", "children", "expect")
    for name in example:
        if name not in parts:
            place = file.at(("examples", number, name))
            yield f'{place}: an example has no "{name}"{suggestion(name, parts)}'
    for name in ("given", "expect"):
        if not isinstance(example.get(name), dict):
            yield f"{file.at(('examples', number))}: an example has given and expect; add {name}"
            return
    known = contracts[mapping.dataset].by_name
    for name in example["given"]:
        if name not in known:
            place = file.at(("examples", number, "given", name))
            yield f'{place}: the contract has no field "{name}"{suggestion(name, known)}'
    for path in example.get("children") or {}:
        if path not in mapping.children:
            place = file.at(("examples", number, "children", path))
            yield f'{place}: the mapping has no list "{path}"{suggestion(path, mapping.children)}'


def _frame(rows: list[dict[str, Any]], contract: Contract) -> pl.DataFrame:
    """Rows in exchange form as the contract's columns."""
    return pl.DataFrame(
        [
            pl.Series(
                item.name, [_typed(item, row.get(item.name)) for row in rows], dtype=dtype_of(item)
            )
            for item in contract.fields
        ]
    )


def _typed(item: Field, value: Any) -> Any:
    """One cell in its field's type."""
    if value is None:
        return None
    match item.type:
        case "decimal":
            return Decimal(str(value))
        case "date":
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        case "datetime":
            return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        case "integer" | "boolean":
            return value
        case _:
            return str(value)


def _differing(found: Any, expected: Any, path: str = "") -> Iterator[str]:
    """Dotted paths at which two documents differ; every field has to be named."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in dict.fromkeys((*found, *expected)):
            below = f"{path}.{name}" if path else str(name)
            if name not in found or name not in expected:
                yield below
            else:
                yield from _differing(found[name], expected[name], below)
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for ours, theirs in zip(found, expected, strict=True):
            yield from _differing(ours, theirs, path)
    elif found != expected:
        yield path or "document"
