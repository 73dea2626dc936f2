"""Normalize: bring one decoded batch into its contract's columns (step 2 of 6).

`compile_mapping` turns a mapping, its contract and the code tables into a frozen plan once;
`apply` runs the plan over a batch of text columns and gives typed columns. Every operation is a
pure function over a column: no Python per row, no template language, no guess. A value that was
there and could not be converted is a failure of its field, which validation turns into a
finding; it is never silently missing, and no failure holds the value.

Nothing here opens a file, a socket or a database, and nothing here decides what happens to a row.
"""

from __future__ import annotations

from tongban.normalize.examples import example_problems
from tongban.normalize.operations import OPERATIONS
from tongban.normalize.plan import (
    Normalized,
    NormalizePlan,
    apply,
    compile_mapping,
    shape_of,
)

__all__ = [
    "OPERATIONS",
    "NormalizePlan",
    "Normalized",
    "apply",
    "compile_mapping",
    "example_problems",
    "shape_of",
]
