"""Check: one batch through a compiled contract, with one collect for all expressions.

Every row ends in exactly one place. Where nothing is broken nothing is copied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from tongban.kernel.byte_columns import Flags
from tongban.kernel.errors import BatchRefused
from tongban.kernel.records import BEIJING
from tongban.validate.plan import BITS, ValidatePlan

Words = npt.NDArray[np.uint64]
_ABOUT_PRESENCE = frozenset({"required_when", "one_of_required"})


class Batch(Protocol):
    """What normalizing gives; only read here."""

    @property
    def frame(self) -> pl.DataFrame:
        """The contract's columns."""

    @property
    def failures(self) -> Mapping[str, pl.Series]:
        """Field → rows whose value could not be converted."""

    @property
    def code_failures(self) -> Mapping[str, pl.Series]:
        """Field → rows whose code is not in the code table."""

    @property
    def source_key(self) -> pl.Series:
        """Key of each row as the source wrote it."""


@dataclass(frozen=True, slots=True)
class Validated:
    """What became of a batch. `rows == accepted.height + rejected.height`, always.

    Attributes:
        rows: Rows that came in.
        accepted: Rows without a broken error rule, contract columns only, in their order.
        accepted_rows: Row numbers (from 0) in the incoming batch, one per accepted row.
        rejected: `row_no`, `source_key` and the masks (`mask`, `mask_2`, …) of the others.
        masks: Broken rules of every incoming row, warnings too; one column per 63 rules.
        findings: Error rule → rows that break it, rules without such rows left out.
        warnings: Warning rule → rows that break it, likewise.
        applicable: Rule → rows to which it applied, the denominator of every score.
        warned: Accepted rows that break a warning rule.
    """

    rows: int
    accepted: pl.DataFrame = field(repr=False)
    accepted_rows: pl.Series = field(repr=False)
    rejected: pl.DataFrame = field(repr=False)
    masks: tuple[pl.Series, ...] = field(repr=False)
    findings: dict[str, int]
    warnings: dict[str, int]
    applicable: dict[str, int] = field(repr=False)
    warned: int = 0

    @property
    def mask(self) -> pl.Series:
        """The first mask; enough for contracts of at most 63 rules."""
        return self.masks[0]


class _Tally:
    """Masks and counts of one batch while they are made."""

    def __init__(self, plan: ValidatePlan, rows: int) -> None:
        self.plan = plan
        self.rows = rows
        self.words: list[Words] = [np.zeros(rows, dtype=np.uint64) for _ in range(plan.words)]
        self.broken: dict[int, int] = {}
        self.applicable: dict[int, int] = {}

    def note(self, position: int, flags: Flags, applicable: int) -> None:
        """Set a rule's bit in the rows that break it."""
        rows = np.flatnonzero(flags)
        self.applicable[position] = self.applicable.get(position, 0) or applicable
        if len(rows):
            word = self.words[position // BITS]
            word[rows] |= np.uint64(1 << (position % BITS))
            self.broken[position] = len(rows)

    def severity(self, which: str) -> list[Words]:
        """Only the bits of rules with that severity."""
        wanted = [0] * self.plan.words
        for rule in self.plan.rules:
            if rule.severity == which:
                wanted[rule.position // BITS] |= 1 << (rule.position % BITS)
        return [word & np.uint64(bits) for word, bits in zip(self.words, wanted, strict=True)]

    def counts(self, which: str) -> dict[str, int]:
        """Rows per broken rule of one severity, in the plan's order."""
        return {
            rule.id: self.broken[rule.position]
            for rule in self.plan.rules
            if rule.severity == which and rule.position in self.broken
        }


def check(
    plan: ValidatePlan, batch: Batch, *, now: datetime | None = None, refuse_dirty: bool = True
) -> Validated:
    """Check every row of a normalized batch.

    Args:
        plan: From `compile_contract`.
        batch: From `normalize.apply`; its rows are neither changed nor dropped.
        now: The moment against which "not in the future" is meant; aware. Now by default.
        refuse_dirty: Whether to hold these rows alone against the contract's dirty limit. Who
            checks a transfer in several chunks passes False and calls `refuse_when_dirty` with
            the sums.

    Raises:
        BatchRefused: More rows than the dirty limit allows would be quarantined.
    """
    moment = now or datetime.now(BEIJING)
    tally = _Tally(plan, batch.frame.height)
    _check_presence(tally, batch)
    _check_columns(tally, batch, moment)
    _check_expressions(tally, batch)
    result = _split(tally, batch)
    if refuse_dirty:
        refuse_when_dirty(plan, result.rows, result.rejected.height, result.findings)
    return result


def _check_presence(tally: _Tally, batch: Batch) -> None:
    """Missing values, values that were lost in conversion, codes that the table does not know.

    A lost value was there, so it counts once, as what it is, and not as missing too.
    """
    for position, (name, kind) in tally.plan.presence.items():
        if kind == "required":
            if batch.frame[name].null_count():
                missing = batch.frame[name].is_null().to_numpy()
                tally.note(position, missing & ~_lost(batch, name), tally.rows)
            else:
                tally.applicable[position] = tally.rows
            continue
        flags = (batch.failures if kind == "type" else batch.code_failures).get(name)
        present = tally.rows - batch.frame[name].null_count()
        if flags is None:
            tally.applicable[position] = present
        else:
            lost = flags.to_numpy()
            tally.note(position, lost, present + int(lost.sum()))


def _lost(batch: Batch, name: str) -> Flags:
    """Rows whose value of this field was there and did not survive normalizing."""
    lost = np.zeros(batch.frame.height, dtype=np.bool_)
    for failures in (batch.failures, batch.code_failures):
        if name in failures:
            lost |= failures[name].to_numpy()
    return lost


def _check_columns(tally: _Tally, batch: Batch, now: datetime) -> None:
    """Checks on bytes and on the clock."""
    for position, run in tally.plan.checks.items():
        _note_series(tally, batch, position, run(batch.frame, now))


def _check_expressions(tally: _Tally, batch: Batch) -> None:
    """All expressions in one collect."""
    expressions = tally.plan.expressions
    if not expressions:
        return
    named = [broken.alias(str(position)) for position, broken in expressions.items()]
    result = batch.frame.lazy().select(named).collect()
    for position in expressions:
        _note_series(tally, batch, position, result[str(position)])


def _note_series(tally: _Tally, batch: Batch, position: int, broken: pl.Series) -> None:
    """Note one rule from a column of true, false and null (does not apply)."""
    applicable = tally.rows - broken.null_count()
    if len(broken) != tally.rows:  # an expression without a column gives one cell
        broken = broken.new_from_index(0, tally.rows)
    flags: Flags = broken.fill_null(value=False).to_numpy()
    rule = tally.plan.rules[position]
    if rule.kind in _ABOUT_PRESENCE and (batch.failures or batch.code_failures):
        about = rule.fields[:1] if rule.kind == "required_when" else rule.fields
        for name in about:
            flags = np.logical_and(flags, ~_lost(batch, name))
    if rule.kind == "code" and position in tally.broken:
        lost = batch.code_failures[rule.fields[0]].to_numpy()
        flags = np.logical_or(flags, lost)
    tally.note(position, flags, applicable)


def _split(tally: _Tally, batch: Batch) -> Validated:
    """Rows with a broken error rule to one side, all others to the other."""
    errors = tally.severity("error")
    bad = np.zeros(tally.rows, dtype=np.bool_)
    for word in errors:
        bad |= word != 0
    warned = np.zeros(tally.rows, dtype=np.bool_)
    for word in tally.severity("warning"):
        warned |= word != 0
    masks = tuple(
        pl.Series("mask" if i == 0 else f"mask_{i + 1}", word) for i, word in enumerate(tally.words)
    )
    numbers = pl.Series("row_no", np.arange(tally.rows, dtype=np.uint32))
    rejected = pl.DataFrame([numbers, batch.source_key.alias("source_key"), *masks])
    accepted = batch.frame
    accepted_rows = numbers
    if bad.any():
        good = pl.Series(~bad)
        accepted, accepted_rows = accepted.filter(good), numbers.filter(good)
    return Validated(
        rows=tally.rows,
        accepted=accepted,
        accepted_rows=accepted_rows,
        rejected=rejected.filter(pl.Series(bad, dtype=pl.Boolean)),
        masks=masks,
        findings=tally.counts("error"),
        warnings=tally.counts("warning"),
        applicable={rule.id: tally.applicable.get(rule.position, 0) for rule in tally.plan.rules},
        warned=int((warned & ~bad).sum()),
    )


def explain(plan: ValidatePlan, *masks: int) -> list[str]:
    """Ids of the rules whose bits are set, in the plan's order.

    Args:
        plan: The plan of the same contract digest that made the masks.
        masks: All masks of one row, the first one first.
    """
    return [
        rule.id
        for rule in plan.rules
        if rule.position // BITS < len(masks)
        and masks[rule.position // BITS] >> (rule.position % BITS) & 1
    ]


def refuse_when_dirty(
    plan: ValidatePlan, rows: int, quarantined: int, findings: Mapping[str, int]
) -> None:
    """Hold the sums of a transfer against the contract's dirty limit.

    Raises:
        BatchRefused: At least `dirty_rows` rows came, and more than `dirty_share` of them would
            be quarantined. The message and the context have counts by rule, never a value.
    """
    if rows < plan.dirty_rows or quarantined <= plan.dirty_share * rows:
        return
    worst = sorted(findings.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{rule} {count}" for rule, count in worst[:5])
    raise BatchRefused(
        f"contract {plan.dataset} v{plan.version}: {quarantined} of {rows} rows would be "
        f"quarantined, the limit is {plan.dirty_share:.0%} ({shown}); none of them was "
        "written, ask the department about these rules or raise dirtyLimit",
        dataset=plan.dataset,
        rows=rows,
        quarantined=quarantined,
        findings=dict(worst),
    )
