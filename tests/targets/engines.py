"""The engines of the golden corpus: each says for every row of a case which rules it breaks.

An engine gives names: rule ids where it can tell, else the field that it refuses. None of them
knows what another found.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import polars as pl
import psycopg
from lxml import etree

from tests.targets.golden import CODES, NOW, Case
from tests.validate.batches import Batch
from tongban.kernel.column_types import columns_of
from tongban.kernel.contracts import Contract, Field
from tongban.normalize import dates, numbers
from tongban.normalize.layouts import Reader, reader
from tongban.normalize.steps import keep
from tongban.targets.json_schema import compile_json_schema, validator
from tongban.targets.shapes import MOMENT
from tongban.targets.sql import compile_sql, created
from tongban.targets.sql_functions import LOADERS
from tongban.targets.vocabulary import KEYWORD
from tongban.targets.xsd import XsdValidator, compile_xsd, write_records
from tongban.validate import Validated, check, compile_contract, explain

Found = list[set[str]]
_CASTS = {"integer": "%s::text::bigint", "boolean": "%s::text::boolean"}


def polars_masks(case: Case) -> Validated:
    """The hub's own row rules, values read by the hub's own operations."""
    contract = case.contract
    columns: dict[str, pl.Series] = {}
    failures: dict[str, pl.Series] = {}
    for item in contract.fields:
        cells = [row.values.get(item.name) for row in case.rows]
        texts = pl.Series([None if c is None else _written(c) for c in cells], dtype=pl.String)
        columns[item.name] = _typed(item, texts).cast(columns_of(contract)[item.name])
        lost = texts.is_not_null() & columns[item.name].is_null()
        if lost.any():
            failures[item.name] = lost
    batch = Batch(pl.DataFrame(columns), failures)
    return check(compile_contract(contract, CODES), batch, now=NOW, refuse_dirty=False)


def polars(case: Case) -> Found:
    """Rules by the bits of each row's mask."""
    plan = compile_contract(case.contract, CODES)
    masks = polars_masks(case).mask
    return [set(explain(plan, mask)) for mask in masks.to_list()]


def json_schema(case: Case) -> Found:
    """Draft 2020-12 with the vocabulary of the rules."""
    schema = compile_json_schema(case.contract, CODES).schema
    judge = validator(schema, now=NOW)
    found: Found = []
    for row in case.rows:
        record = {n: _number(case.contract, n, v) for n, v in row.values.items()}
        found.append({_place(error) for error in judge.iter_errors(record)})
    return found


def xsd(case: Case) -> Found:
    """XML Schema and Schematron, over text that was written and read again."""
    target = compile_xsd(case.contract, CODES)
    judge = XsdValidator(target)
    found: Found = []
    for row in case.rows:
        document = write_records(case.contract, [row.values], NOW)
        read = etree.fromstring(etree.tostring(document))
        found.append({problem.rule for problem in judge.problems(read)})
    return found


def postgres(case: Case, connection: psycopg.Connection[Any]) -> Found:
    """A real table with its CHECKs; each row is inserted alone."""
    target = compile_sql(case.contract, CODES)
    name = case.contract.table
    found: Found = []
    with connection.transaction(force_rollback=True):
        for statement in (*target.functions, *created(target.table).split(";\n")):
            connection.execute(statement.encode())
        slots = ", ".join(
            f"{LOADERS[item.type]}(%s::text)"
            if item.type in LOADERS
            else _CASTS.get(item.type, "%s::text")
            for item in case.contract.fields
        )
        insert = f'INSERT INTO "{name}" VALUES ({slots})'  # noqa: S608 - our own names
        for row in case.rows:
            cells = [row.values.get(item.name) for item in case.contract.fields]
            try:
                with connection.transaction():
                    texts = [None if cell is None else _written(cell) for cell in cells]
                    connection.execute(insert.encode(), texts)
                found.append(set())
            except psycopg.errors.CheckViolation as exc:
                found.append({str(exc.diag.constraint_name)})
            except psycopg.errors.NotNullViolation as exc:
                found.append({f"{exc.diag.column_name}.required"})
            except psycopg.DataError:
                found.append({"a type"})
    return found


def _written(cell: Any) -> str:
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _typed(item: Field, texts: pl.Series) -> pl.Series:
    """Text in the field's type, read by the hub's operations.

    A mapping may read more forms of a moment than the one in which records are exchanged.
    """
    flags = {"true": True, "false": False}
    reads: dict[str, Callable[[pl.Series], pl.Series]] = {
        "integer": numbers.integer,
        "decimal": lambda t: numbers.decimal(t, item.scale or 0, item.precision or 18),
        "date": lambda t: dates.date(t, _readers("yyyy-MM-dd")),
        "datetime": lambda t: dates.datetime(keep(t, t.str.contains(MOMENT)), _readers("iso")),
        "month": lambda t: dates.month(t, ("yyyy-MM",)),
        "boolean": lambda t: t.replace_strict(flags, default=None),
    }
    return reads.get(item.type, lambda t: t)(texts)


def _readers(name: str) -> tuple[Reader, ...]:
    found = reader(name)
    assert found is not None
    return (found,)


def _number(contract: Contract, name: str, cell: Any) -> Any:
    """Whole numbers are numbers in JSON; what is none stays as it came."""
    is_whole = isinstance(cell, str) and re.fullmatch(r"-?[0-9]+", cell, re.ASCII)
    return int(cell) if contract.field(name).type == "integer" and is_whole else cell


def _place(error: Any) -> str:
    """The vocabulary's rule, or the field; a condition over fields has neither."""
    if error.validator == KEYWORD:
        return str(error.validator_value)
    if error.validator == "required" and not error.absolute_path:
        return str(error.message.split("'")[1])
    return str(error.absolute_path[0]) if error.absolute_path else "the record"


def great_expectations(all_cases: list[Case]) -> dict[str, dict[str, int]]:
    """Rule → rows that break it for every case, as Great Expectations counts the masks."""
    from tongban.quality.engines import GreatExpectations
    from tongban.quality.masks import Measured

    gx = GreatExpectations()
    found: dict[str, dict[str, int]] = {}
    for case in all_cases:
        masks = polars_masks(case)
        measured = Measured(
            contract=case.contract,
            plan=compile_contract(case.contract, CODES),
            tokens=[str(at) for at in range(masks.rows)],
            words=[mask.to_numpy().astype("int64") for mask in masks.masks],
            stored=masks.rows,
            refused=0,
            would_pass=0,
            outdated=0,
            counts={},
            samples={},
            input_digest="",
        )
        counted = gx.count_masks(measured)
        assert not counted.broken
        found[case.name] = {
            rule: rows for rule, rows in counted.unexpected.items() if rows and rule[0] != "$"
        }
    return found
