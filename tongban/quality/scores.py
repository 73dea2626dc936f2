"""Scores: from counts per rule to dimension, dataset, department and the whole hub.

    rule        1 − bad / applicable; not evaluated where it applied to no row
    dimension   mean of its rules, an error rule weighing 3 and a warning 1
    dataset     mean of its dimensions
    department  mean of its datasets, each weighing its number of required fields
    hub         mean of the departments that have datasets

What was not evaluated is shown apart and never counts as passed. Dimensions are those of
GB/T 36344-2018; contracts name theirs in the words of ODCS, several of which fall into one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["rule", "dimension", "dataset", "department", "hub"]

DIMENSIONS = {
    "conformity": "规范性",
    "completeness": "完整性",
    "coverage": "完整性",
    "accuracy": "准确性",
    "uniqueness": "准确性",
    "consistency": "一致性",
    "timeliness": "时效性",
}
"""ODCS dimension → first-level dimension of GB/T 36344-2018."""
DIMENSION_ENGLISH = {
    "规范性": "conformity",
    "完整性": "completeness",
    "准确性": "accuracy",
    "一致性": "consistency",
    "时效性": "timeliness",
}
SEVERITY_WEIGHTS = {"error": 3.0, "warning": 1.0}
GRADES = ((0.98, "优"), (0.95, "良"), (0.90, "中"), (0.80, "低"), (0.0, "差"))
"""Lowest score of each grade, best first."""
_SURE = 1.96  # standard normal quantile of 95 %


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """What a score is made of; one rule of one dataset."""

    department: str
    dataset: str
    rule: str
    dimension: str
    severity: str
    applicable: int
    bad: int


@dataclass(frozen=True, slots=True)
class Score:
    """One score; `value` is None where nothing was evaluated.

    Attributes:
        dimension: In the words of GB/T 36344, on the levels rule and dimension.
        applicable: Rows times rules that were looked at.
        bad: Those that broke their rule.
    """

    level: Level
    value: float | None
    applicable: int
    bad: int
    department: str = ""
    dataset: str = ""
    dimension: str = ""
    rule: str = ""
    severity: str = ""

    @property
    def grade(self) -> str:
        """优 良 中 低 差, or a dash."""
        return grade_of(self.value)


def rule_score(applicable: int, bad: int) -> float | None:
    """Share of rows that keep a rule; None where it applied to none."""
    return None if applicable <= 0 else 1 - bad / applicable


def grade_of(value: float | None) -> str:
    """The grade of a score from 0 to 1."""
    if value is None:
        return "—"
    return next(grade for lowest, grade in GRADES if value >= lowest)


def weighted_mean(parts: Iterable[tuple[float | None, float]]) -> float | None:
    """Mean of (score, weight); scores that are None do not count."""
    known = [(score, weight) for score, weight in parts if score is not None and weight > 0]
    total = sum(weight for _, weight in known)
    return sum(score * weight for score, weight in known) / total if total else None


def score_all(facts: Sequence[RuleFacts], weights: Mapping[str, float]) -> list[Score]:
    """Every score from the rules up to the hub.

    Args:
        facts: One entry per dataset and rule.
        weights: Dataset → its weight inside its department.
    """
    rules = [_of_rule(fact) for fact in facts]
    dimensions = [
        _together(
            "dimension", group, [(s.value, SEVERITY_WEIGHTS[s.severity]) for s in group], dimension
        )
        for (_, _, dimension), group in _grouped(rules, "department", "dataset", "dimension")
    ]
    datasets = [
        _together("dataset", group, [(s.value, 1.0) for s in group])
        for _, group in _grouped(dimensions, "department", "dataset")
    ]
    departments = [
        _together("department", group, [(s.value, weights.get(s.dataset, 1.0)) for s in group])
        for _, group in _grouped(datasets, "department")
    ]
    whole = _together("hub", departments, [(s.value, 1.0) for s in departments])
    return [*rules, *dimensions, *datasets, *departments, whole]


def is_sure_change(old: float, old_rows: int, new: float, new_rows: int) -> bool:
    """Whether two scores differ by more than chance (95 % interval of two binomials)."""
    if not old_rows or not new_rows:
        return False
    spread = math.sqrt(old * (1 - old) / old_rows + new * (1 - new) / new_rows)
    return abs(new - old) > _SURE * spread


def _of_rule(fact: RuleFacts) -> Score:
    return Score(
        level="rule",
        value=rule_score(fact.applicable, fact.bad),
        applicable=fact.applicable,
        bad=fact.bad,
        department=fact.department,
        dataset=fact.dataset,
        dimension=DIMENSIONS[fact.dimension],
        rule=fact.rule,
        severity=fact.severity,
    )


def _grouped(scores: Iterable[Score], *names: str) -> list[tuple[tuple[str, ...], list[Score]]]:
    """Scores by the values of some attributes, in the order of first appearance."""
    groups: dict[tuple[str, ...], list[Score]] = {}
    for score in scores:
        groups.setdefault(tuple(getattr(score, name) for name in names), []).append(score)
    return list(groups.items())


def _together(
    level: Level,
    parts: Sequence[Score],
    weighted: Iterable[tuple[float | None, float]],
    dimension: str = "",
) -> Score:
    """The score of a group, named as far as the level goes."""
    first = parts[0] if parts else None
    return Score(
        level=level,
        value=weighted_mean(weighted),
        applicable=sum(part.applicable for part in parts),
        bad=sum(part.bad for part in parts),
        department=first.department if first and level != "hub" else "",
        dataset=first.dataset if first and level in {"dimension", "dataset"} else "",
        dimension=dimension,
    )
