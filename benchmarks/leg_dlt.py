"""Leg: dlt, an optional peer — REST or zeep → row function → PostgreSQL; it does not push.

Runs only where dlt and pyarrow can be imported (README.md tells how); the facts say which of its
two paths is taken: `rows` (one dict per row) or `arrow` (tables of 20,000 rows).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from benchmarks.layout import REST
from benchmarks.leg_naive import rest_rows, soap_rows
from benchmarks.meter import Meter, given, peak_memory_mb, tell
from benchmarks.rowwise import Refused, clean

ROWS_PER_TABLE = 20_000


def cleaned(pages: Iterator[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """Accepted rows of each page."""
    for rows in pages:
        records = []
        for row in rows:
            try:
                records.append(clean(row))
            except Refused:
                continue
        yield records


def tables(pages: Iterator[list[dict[str, Any]]]) -> Iterator[Any]:
    """The same as Arrow tables."""
    import pyarrow as pa  # type: ignore[import-not-found,unused-ignore] # optional

    waiting: list[dict[str, Any]] = []
    for records in pages:
        waiting += records
        if len(waiting) >= ROWS_PER_TABLE:
            yield pa.Table.from_pylist(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_pylist(waiting)


def run(facts: dict[str, Any]) -> None:
    """Extract, normalize and load once."""
    os.environ |= {
        "RUNTIME__LOG_LEVEL": "ERROR",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DLT_DATA_DIR": facts["home"],
        "DESTINATION__POSTGRES__CREDENTIALS": facts["database"],
    }
    import dlt  # type: ignore[import-not-found,unused-ignore] # optional

    rows = rest_rows if facts["protocol"] == REST else soap_rows
    pages = cleaned(rows(facts["source"]))
    is_arrow = facts["path"] == "arrow"
    resource = dlt.resource(
        tables(pages) if is_arrow else pages,
        name="house_right",
        primary_key="business_no",
        write_disposition={"disposition": "merge", "strategy": "upsert"},
    )
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=facts["home"],
        destination="postgres",
        dataset_name="bench",
    )
    meter = Meter(facts["postgres_pid"])
    with meter.stage("all"):
        given_format = {"loader_file_format": "csv"} if is_arrow else {}
        pipeline.run(resource, **given_format).raise_on_failed_jobs()
    tell(stages=meter.facts(), memory_mb=peak_memory_mb())


if __name__ == "__main__":
    run(given())
