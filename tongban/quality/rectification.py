"""Rectification: what has to be put right, by whom, and until which working day.

A deadline counts from the day on which the oldest open case was refused, or from the first audit
that saw it, so that it does not move when the audit runs again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from tongban.kernel.calendar import WorkingDays
from tongban.kernel.contracts import Contract
from tongban.quality.comparisons import Comparison, Outcome
from tongban.quality.masks import Measured

Kind = Literal["rule", "comparison", "engine"]
Key = tuple[str, str, str, str]
"""(kind, dataset, name, owner): what makes a finding the same in two audits."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a department, or we, must put right.

    Attributes:
        owner: System that is asked to correct; `hub` where the audit itself does not agree.
        other_owner: The other side of a comparison, or empty.
        tokens: Records, as far as they are named here (a comparison's, not a rule's).
        statement: What should hold, in Chinese.
    """

    kind: Kind
    dataset: str
    name: str
    owner: str
    statement: str
    rows: int
    applicable: int
    found_on: date
    due_on: date
    is_provisional: bool
    other_dataset: str = ""
    other_owner: str = ""
    english: str = ""
    tokens: tuple[str, ...] = field(default=(), repr=False)
    skipped: int = 0

    @property
    def key(self) -> Key:
        """What makes it the same finding in the next audit."""
        return self.kind, self.dataset, self.name, self.owner


class RectificationList:
    """Gathers findings and counts their deadlines."""

    def __init__(
        self,
        day: date,
        calendar: WorkingDays,
        contracts: Mapping[str, Contract],
        known_since: Mapping[Key, date],
    ) -> None:
        self.day = day
        self._calendar = calendar
        self._contracts = contracts
        self._known_since = known_since
        self._found: list[Finding] = []

    def add_rules(self, measured: Measured) -> None:
        """One finding per broken rule of a dataset."""
        for rule in measured.plan.rules:
            count = measured.counts[rule.id]
            if count.bad:
                self._add(
                    "rule",
                    measured.dataset,
                    rule.id,
                    statement=rule.description,
                    rows=count.bad,
                    applicable=count.applicable,
                    since=count.since,
                    owner=measured.department,
                )

    def add_comparison(self, check: Comparison, outcome: Outcome) -> None:
        """One finding per comparison that does not hold."""
        if outcome.bad:
            self._add(
                "comparison",
                check.dataset,
                check.id,
                statement=check.label,
                english=check.english,
                rows=len(outcome.bad),
                applicable=outcome.compared,
                tokens=outcome.bad,
                skipped=outcome.skipped,
                other=check.other,
            )

    def add_disagreement(
        self, dataset: str, rule: str, ours: int | None, theirs: int | None
    ) -> None:
        """Two engines count the same rule differently: ours to explain."""
        said = f"{'—' if ours is None else ours} / {'—' if theirs is None else theirs}"
        self._add(
            "engine",
            dataset,
            rule,
            statement=f"两个引擎对同一规则的计数应一致（规则掩码 / Great Expectations：{said}）",
            rows=abs((ours or 0) - (theirs or 0)),
            applicable=0,
            owner="hub",
        )

    @property
    def findings(self) -> list[Finding]:
        """Everything found, the earliest deadline first, then the most rows."""
        return sorted(self._found, key=lambda f: (f.due_on, -f.rows, f.key))

    def _add(
        self,
        kind: Kind,
        dataset: str,
        name: str,
        *,
        statement: str,
        rows: int,
        applicable: int,
        since: date | None = None,
        owner: str | None = None,
        other: str = "",
        english: str = "",
        tokens: Sequence[str] = (),
        skipped: int = 0,
    ) -> None:
        contract = self._contracts[dataset]
        asked = owner or contract.owner
        known = self._known_since.get((kind, dataset, name, asked), self.day)
        found_on = min(since or known, self.day)
        deadline = self._calendar.add(found_on, contract.rectification_days)
        self._found.append(
            Finding(
                kind=kind,
                dataset=dataset,
                name=name,
                owner=asked,
                statement=statement,
                rows=rows,
                applicable=applicable,
                found_on=found_on,
                due_on=deadline.day,
                is_provisional=deadline.is_provisional,
                other_dataset=other,
                other_owner=self._contracts[other].owner if other else "",
                english=english,
                tokens=tuple(tokens),
                skipped=skipped,
            )
        )


def overdue(findings: Iterable[Finding], day: date) -> int:
    """How many deadlines have passed."""
    return sum(finding.due_on < day for finding in findings)
