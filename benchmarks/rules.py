"""Benchmark of the row rules: their cost beside decoding, a CSV read, a regex and native GX.

All ratios come from one run on the same rows, so that a slower machine changes both sides.
"""

from __future__ import annotations

import logging
import random
from datetime import date

import polars as pl

from benchmarks import rows as synthetic
from benchmarks.decoding import csv_reader, json_decoder, soap_decoder
from benchmarks.rows import Result, cpu, cpu_beside, result
from tongban.kernel.identifiers import resident_id_is_valid
from tongban.normalize import apply, compile_mapping
from tongban.validate import check, checks, compile_contract

CHUNK = 100_000  # rows that are in memory at once; no result depends on it
GX_ROWS = 50_000
PLAIN_REGEX = "^[0-9]{17}[0-9X]$"
TODAY = date(2026, 11, 24)


def run(total: int = 1_000_000) -> list[Result]:
    """Measure the goals of the row rules.

    Args:
        total: Rows; the cost of each side is measured on chunks and scaled to one row.
    """
    source = synthetic.source_rows(min(total, CHUNK))
    contract, codes = synthetic.contract(), synthetic.Tables()
    batch = apply(compile_mapping(synthetic.mapping(), contract, codes), source)
    plan = compile_contract(contract, codes)
    share = source.height
    spent = cpu_beside(
        {
            "rules": lambda: check(plan, batch, refuse_dirty=False),
            "json": json_decoder(source),
            "csv": csv_reader(source),
            "soap": soap_decoder(source),
        }
    )
    rules_cost = spent["rules"] / share
    counted = sum(1 for rule in plan.rules if rule.kind != "type")
    found = check(plan, batch, refuse_dirty=False)
    numbers = pl.concat([source["ZJH"]] * max(1, total // share), rechunk=True)
    single = cpu_beside(
        {
            "regex": lambda: numbers.str.contains(PLAIN_REGEX),
            "bytes": lambda: checks.resident_id(numbers, today=TODAY),
        },
        rounds=9,
    )
    return [
        result(f"{counted} row rules, CPU per row", rules_cost * 1e6, "µs", 1.5),
        result("row rules beside JSON decode", spent["rules"] / spent["json"], "×", 0.25),
        result("row rules beside SOAP decode", spent["rules"] / spent["soap"], "×", 0.15),
        result("row rules beside a Polars CSV read", spent["rules"] / spent["csv"], "×", 1.3),
        result(
            "native GX on pandas beside row rules",
            _gx_cost(batch.frame) / rules_cost,
            "×",
            8.0,
            least=True,
        ),
        result("check character beside a plain regex", single["bytes"] / single["regex"], "×", 1.5),
        result("disagreements with the slow reference", _disagreements(total), "cells", 0),
        result(
            "rows that are neither accepted nor rejected",
            abs(found.rows - found.accepted.height - found.rejected.height),
            "rows",
            0,
        ),
    ]


def _disagreements(total: int) -> int:
    """Random and hostile cells through the column check and through the scalar reference."""
    rng = random.Random(5)
    cells = ["".join(rng.choices("0123456789X", k=18)) for _ in range(total)]
    for i in range(0, total, 3):  # a right area and century, so that many dates are real
        cells[i] = f"62089919{cells[i][8:]}"
    hostile = "".join(chr(c) for c in range(0x20, 0x17F)) + "甲１é𠮷\x00\n"
    cells += ["".join(rng.choices(hostile, k=rng.randrange(24))) for _ in range(10_000)]
    found = checks.resident_id(pl.Series(cells), today=TODAY)
    return sum(
        bool(right) != resident_id_is_valid(cell, today=TODAY)
        for right, cell in zip(found, cells, strict=True)
    )


def _gx_cost(frame: pl.DataFrame) -> float:
    """CPU per row of native expectations on pandas; check characters are beyond them."""
    import great_expectations as gx
    from great_expectations import expectations as gxe

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    part = frame.head(GX_ROWS)
    pandas_frame = _pandas(part)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    data = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    batch = data.add_batch_definition_whole_dataframe("all")
    suite = context.suites.add(gx.ExpectationSuite(name="rows"))
    texts = [name for name, dtype in part.schema.items() if dtype == pl.String]
    for name in texts:
        suite.add_expectation(gxe.ExpectColumnValuesToNotBeNull(column=name))
    for name, pattern in (
        ("business_no", "^[0-9]{24}$"),
        ("id_no", PLAIN_REGEX),
        ("unit_no", "^[0-9]{12}[GJZ][A-Z][0-9]{5}[FLQW][0-9]{8}$"),
    ):
        suite.add_expectation(gxe.ExpectColumnValuesToMatchRegex(column=name, regex=pattern))
    for name, values in (
        ("id_type", ["111", "001", "414"]),
        ("usage", ["home", "shop", "office", "other"]),
    ):
        suite.add_expectation(gxe.ExpectColumnValuesToBeInSet(column=name, value_set=values))
    for name in ("area", "price", "floors"):
        suite.add_expectation(gxe.ExpectColumnValuesToBeBetween(column=name, min_value=0))
    for name in ("holder_name", "address"):
        suite.add_expectation(
            gxe.ExpectColumnValueLengthsToBeBetween(column=name, min_value=1, max_value=200)
        )
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name="rows", data=batch, suite=suite)
    )
    work = lambda: definition.run(  # noqa: E731
        batch_parameters={"dataframe": pandas_frame}, result_format="BASIC"
    )
    return cpu(work, repeat=1) / part.height


def _pandas(part: pl.DataFrame) -> object:
    """The same rows for pandas, decimals as floats."""
    import pandas as pd

    decimals = [name for name, dtype in part.schema.items() if isinstance(dtype, pl.Decimal)]
    plain = part.with_columns(pl.col(decimals).cast(pl.Float64))
    return pd.DataFrame({name: plain[name].to_list() for name in plain.columns})


if __name__ == "__main__":
    for line in run():
        print(line)
