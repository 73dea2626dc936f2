"""ExpectHubRule: one rule of a contract as an expectation over a column of bit masks.

The only class that stands on Great Expectations' API for custom expectations. The column holds
masks, so whatever a result quotes is a mask and never a field's value. Import it lazily: it brings
in Great Expectations and pandas, some seconds and 200 MB.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.expectations.metrics import ColumnMapMetricProvider
from great_expectations.expectations.metrics import column_condition_partial as condition

METRIC = "column_values.hub_rule_kept"


class HubRuleKept(ColumnMapMetricProvider):  # type: ignore[misc]
    """Rows whose mask does not have a rule's bit."""

    condition_metric_name = METRIC
    condition_value_keys = ("bit",)

    @condition(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column: Any, bit: int, **_: Any) -> Any:  # noqa: N805 - their decorator
        return np.right_shift(column, bit) % 2 == 0


class ExpectHubRule(ColumnMapExpectation):  # type: ignore[misc]
    """A rule of a data contract is kept by every row.

    Attributes:
        rule_id: The contract's id of the rule.
        bit: The rule's place in the mask of the column.
    """

    rule_id: str
    bit: int

    map_metric: ClassVar[str] = METRIC
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "bit")
    args_keys: ClassVar[tuple[str, ...]] = ("column", "bit", "rule_id")
