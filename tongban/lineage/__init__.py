"""Lineage: where each value comes from and where it goes, read from mappings and contracts.

Source field → operations → contract field → table columns → fields of what is pushed. Nothing is
measured and no record is read: what the files say is what happens, since nothing else happens.
"""

from __future__ import annotations

from tongban.lineage.chain import (
    ColumnLineage,
    DatasetLineage,
    Incoming,
    Outgoing,
    lineage_of,
)
from tongban.lineage.openlineage import lineage_events

__all__ = [
    "ColumnLineage",
    "DatasetLineage",
    "Incoming",
    "Outgoing",
    "lineage_events",
    "lineage_of",
]
