"""Reconcile: what we believe delivered against what the target says it has, daily per route.

Counts and order-free digests on both sides, narrowed to the records that differ; those go out
again, and the result is kept and signed (对账单).
"""

from tongban.reconcile.service import reconcile, routes_of
from tongban.reconcile.sheet import Reconciled, differences_of, listed, read_sheet

__all__ = ["Reconciled", "differences_of", "listed", "read_sheet", "reconcile", "routes_of"]
