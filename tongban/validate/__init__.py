"""Validate: check one normalized batch against its contract (step 3 of 6).

Every row ends in exactly one place: accepted, or rejected (to be quarantined) with its findings.
A batch is refused as a whole only when the contract's dirty limit is passed.

    plan = compile_contract(contract, codes)      # once per contract digest
    result = check(plan, normalized)              # per batch; raises BatchRefused
    result.accepted                               # rows to store, contract columns
    result.rejected                               # row_no, source_key, mask, mask_2 …
    explain(plan, *masks_of_a_row)                # ids of the broken rules
    plan.rule(id)                                 # description, dimension, fields, severity

A rule that looks at a value passes where the value is missing; only the rules about presence
look at missing values, so one missing value is one finding. A value that could not be converted
counts as `<field>.type`, an unknown code as `<field>.code`, and neither as missing.

Nothing here talks to a department or to Airflow, and no finding holds a field's value.
"""

from __future__ import annotations

from tongban.validate.check import Batch, Validated, check, explain, refuse_when_dirty
from tongban.validate.patterns import problem_with
from tongban.validate.plan import RowRule, ValidatePlan, compile_contract
from tongban.validate.rules import KINDS

__all__ = [
    "KINDS",
    "Batch",
    "RowRule",
    "ValidatePlan",
    "Validated",
    "check",
    "compile_contract",
    "explain",
    "problem_with",
    "refuse_when_dirty",
]
