"""Great Expectations, twice: over the masks of every rule, and over open columns in PostgreSQL.

The first run sees a frame of {token, masks} and repeats the count of every rule; the second
(`native` says with which expectations) looks at the stored columns themselves without our
validator. Results are asked for without values, and only counts leave this module.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Engine, event, text

from tongban.quality.masks import Measured
from tongban.quality.native import NativeCheck
from tongban.store.datasets import DATA
from tongban.validate.plan import BITS

# COUNT only: no lists of values, of indexes, or queries that would find them.
WITHOUT_VALUES = {
    "result_format": "BASIC",
    "partial_unexpected_count": 0,
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}
ROWS = "$rows"
TOKENS = "$tokens"


@dataclass(frozen=True, slots=True)
class EngineCounts:
    """What one run found, by rule id; `$rows` and `$tokens` are the checks of the table itself.

    Attributes:
        unexpected: Rule → rows that break it.
        broken: Expectations that could not be evaluated; never silently passed.
    """

    dataset: str
    unexpected: dict[str, int]
    broken: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)


class GreatExpectations:
    """One ephemeral context: all in memory, no progress bars, nothing written, nothing sent."""

    @cached_property
    def version(self) -> str:
        """Version of the library."""
        import great_expectations as gx

        return str(gx.__version__)

    @cached_property
    def _context(self) -> Any:
        import great_expectations as gx

        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        return context

    @cached_property
    def _frames(self) -> Any:
        source = self._context.data_sources.add_pandas("masks")
        return source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")

    def count_masks(self, measured: Measured) -> EngineCounts:
        """Count every rule of a dataset over its masks."""
        started = time.monotonic()
        return _counts(measured.dataset, self.validate_masks(measured), started)

    def validate_masks(self, measured: Measured) -> Any:
        """The whole result over masks, as Great Expectations gives it."""
        import great_expectations as gx
        import great_expectations.expectations as gxe
        import pandas as pd

        from tongban.quality.expectation import ExpectHubRule

        frame = pd.DataFrame({"token": measured.tokens})
        for number, word in enumerate(measured.words):
            frame[_column(number)] = word
        suite = gx.ExpectationSuite(name=measured.dataset)
        suite.expectations = [
            gxe.ExpectTableRowCountToEqual(value=measured.rows, meta={"rule": ROWS}),
            gxe.ExpectColumnValuesToBeUnique(column="token", meta={"rule": TOKENS}),
            *(
                ExpectHubRule(
                    column=_column(rule.position // BITS),
                    bit=rule.position % BITS,
                    rule_id=rule.id,
                    meta={
                        "rule": rule.id,
                        "dimension": rule.dimension,
                        "owner": measured.department,
                        "contract": measured.contract.digest,
                    },
                )
                for rule in measured.plan.rules
            ),
        ]
        batch = self._frames.get_batch(batch_parameters={"dataframe": frame})
        return batch.validate(suite, result_format=WITHOUT_VALUES)

    def open_database(self, engine: Engine, snapshot: Connection | None = None) -> Any:
        """A data source on the hub's database, reading the audit's own snapshot where given."""
        url = engine.url.render_as_string(hide_password=False).replace("$", r"\$")
        settings = {
            "isolation_level": "REPEATABLE READ",
            "connect_args": {"options": f"-csearch_path={DATA} -ctimezone=Asia/Shanghai"},
        }
        source = self._context.data_sources.add_postgres(
            "hub", connection_string=url, kwargs=settings
        )
        if snapshot is not None:
            name = str(snapshot.execute(text("SELECT pg_export_snapshot()")).scalar_one())
            for other in _engines(source):
                _read_snapshot(other, name)
        return source

    def count_columns(
        self, source: Any, measured: Measured, checks: Sequence[NativeCheck]
    ) -> EngineCounts:
        """Count some rules of a dataset with native expectations on the stored columns."""
        started = time.monotonic()
        result = self.validate_columns(source, measured, checks)
        return _counts(measured.dataset, result, started)

    def validate_columns(
        self, source: Any, measured: Measured, checks: Sequence[NativeCheck]
    ) -> Any:
        """The whole result over columns, as Great Expectations gives it."""
        import great_expectations as gx
        import great_expectations.expectations as gxe

        asset = _asset(source, measured)
        suite = gx.ExpectationSuite(name=asset.name)
        suite.expectations = [
            gxe.ExpectTableRowCountToEqual(value=measured.stored, meta={"rule": ROWS}),
            *(
                getattr(gxe, check.expectation)(
                    column=check.column, meta={"rule": check.rule}, **check.parameters
                )
                for check in checks
            ),
        ]
        return _whole(asset).get_batch().validate(suite, result_format=WITHOUT_VALUES)

    def close(self, source: Any) -> None:
        """Give the data source's connections back."""
        for engine in _engines(source):
            engine.dispose()


def disagreements(
    ours: Mapping[str, int], theirs: EngineCounts
) -> list[tuple[str, int | None, int | None]]:
    """(rule, our count, their count) wherever an engine counts otherwise or not at all.

    Args:
        ours: Rule → rows that break it; only rules that the other engine was asked about.
        theirs: What Great Expectations counted.
    """
    expected: dict[str, int] = {ROWS: 0, **ours}
    if TOKENS in theirs.unexpected:
        expected[TOKENS] = 0
    names = [*expected, *(name for name in theirs.unexpected if name not in expected)]
    return [
        (name, expected.get(name), theirs.unexpected.get(name))
        for name in names
        if expected.get(name) != theirs.unexpected.get(name)
    ]


def _asset(source: Any, measured: Measured) -> Any:
    """The table, or one system's rows of it."""
    table = measured.contract.table
    if measured.system is None:
        return source.add_table_asset(name=table, table_name=table)
    system = measured.system.replace("'", "''")
    return source.add_query_asset(
        name=f"{table} of {measured.system}",
        query=f'SELECT * FROM "{table}" WHERE transfer_id IN'  # noqa: S608 - our own names
        f" (SELECT transfer_id FROM hub.transfer WHERE system = '{system}')",
    )


def _whole(asset: Any) -> Any:
    """All rows of an asset; a table and a query say it in different words."""
    of_table = getattr(asset, "add_batch_definition_whole_table", None)
    return of_table("all") if of_table else asset.add_batch_definition("all")


def _column(number: int) -> str:
    return "mask" if number == 0 else f"mask_{number + 1}"


def _counts(dataset: str, result: Any, started: float) -> EngineCounts:
    """Counts of a validation result, everything else dropped."""
    unexpected: dict[str, int] = {}
    broken: list[str] = []
    for item in result.results:
        rule = str(item.expectation_config.meta["rule"])
        if rule == ROWS and "observed_value" in item.result:
            unexpected[rule] = 0 if item.success else 1
        elif "unexpected_count" in item.result:
            unexpected[rule] = int(item.result["unexpected_count"])
        elif item.result.get("element_count") == 0:
            unexpected[rule] = 0
        else:
            broken.append(rule)
    return EngineCounts(dataset, unexpected, tuple(broken), time.monotonic() - started)


def _engines(source: Any) -> tuple[Engine, Engine]:
    """A data source has two: one finds tables, the other counts."""
    return source.get_engine(), source.get_execution_engine().engine


def _read_snapshot(engine: Engine, name: str) -> None:
    """Let every transaction of an engine see what the audit sees, whatever is loaded meanwhile."""

    @event.listens_for(engine, "begin")
    def _(conn: Connection) -> None:
        conn.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{name}'")
