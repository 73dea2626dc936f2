"""Tell: make the three outgoing datasets from the cases (acceptance, process, result).

They are ordinary datasets with contracts, stored and pushed like any other; the substation's
rule "parent first" is kept by the outbox, which waits for the acceptance row of a case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from tongban.cases.flows import Told
from tongban.cases.house_sale import DONE
from tongban.kernel.contracts import Contract

# The city's registration centre, until the service item of the application names its organ.
DEFAULT_ORGAN = ("116208000138900067", "平凉市不动产登记中心")
GRANTED = "1"  # 准予, code table case_result
CERTIFICATE = "不动产权证书"


def acceptance_rows(cases: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """One row per case; `cases` has the applicant opened."""
    frame = cases.with_columns(
        pl.col("organ_credit_code").cast(pl.String).fill_null(DEFAULT_ORGAN[0]),
        pl.col("organ_name").cast(pl.String).fill_null(DEFAULT_ORGAN[1]),
        pl.lit(None, dtype=pl.String).alias("handler"),
    )
    return _as_contract(frame, contract)


def process_rows(cases: pl.DataFrame, contract: Contract, *, steps: Sequence[Told]) -> pl.DataFrame:
    """One row per completed step of each case, in the order of the flow's steps."""
    rows: list[dict[str, Any]] = []
    for case in cases.iter_rows(named=True):
        started = case["applied_at"]
        for step_no, step in enumerate(steps, 1):
            ended = case[step.moment]
            if ended is None:
                break
            rows.append(
                {
                    "accept_no": case["accept_no"],
                    "step_no": str(step_no),
                    "step_name": step.step,
                    "event_name": step.event,
                    "handler": None,
                    "explanation": None,
                    # A department may enter its step late; a step never ends before it began.
                    "started_at": min(started, ended),
                    "ended_at": ended,
                    "changed_at": case["changed_at"],
                }
            )
            started = ended
    return _as_contract(pl.DataFrame(rows, infer_schema_length=None), contract)


def result_rows(cases: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """One row per finished case."""
    done = cases.filter(pl.col("state") == DONE).with_columns(
        pl.lit(GRANTED).alias("result_type"),
        pl.col("registered_at").alias("result_at"),
        pl.lit("已登簿，准予转移登记").alias("explanation"),
        pl.lit(CERTIFICATE).alias("certificate_name"),
    )
    return _as_contract(done, contract)


def _as_contract(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """The contract's columns in its order and types; moments in Beijing time."""
    kinds: dict[str, pl.DataType] = {
        "string": pl.String(),
        "month": pl.String(),
        "integer": pl.Int64(),
        "date": pl.Date(),
        "datetime": pl.Datetime("us", "Asia/Shanghai"),
        "boolean": pl.Boolean(),
    }
    columns = []
    for item in contract.fields:
        kind = kinds.get(item.type) or pl.Decimal(item.precision or 18, item.scale or 2)
        if item.name not in frame.columns:
            columns.append(pl.lit(None, dtype=kind).alias(item.name))
        elif item.type == "datetime" and isinstance(frame.schema[item.name], pl.Datetime):
            column = pl.col(item.name).dt.cast_time_unit("us")
            columns.append(column.dt.convert_time_zone("Asia/Shanghai"))
        else:
            columns.append(pl.col(item.name).cast(kind))
    return frame.select(columns)
