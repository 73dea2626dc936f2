"""View: what the report says, as plain lists and dicts for its template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tongban.kernel.catalog import HUB, Catalog
from tongban.quality.refused import Balance
from tongban.quality.scores import (
    DIMENSION_ENGLISH,
    GRADES,
    SEVERITY_WEIGHTS,
    Score,
    is_sure_change,
)

if TYPE_CHECKING:
    from tongban.quality.audit import Audit
    from tongban.quality.journal import Past
    from tongban.quality.rectification import Finding

TOP_RULES = 10
TOKENS_SHOWN = 8
OWN_NAME = "通办枢纽"


def make_view(audit: Audit, catalog: Catalog) -> dict[str, Any]:
    """Everything that the template needs."""
    names = _owner_names(catalog)
    labels = {name: contract.label for name, contract in catalog.contracts().items()}
    return {
        "audit": audit,
        "names": names,
        "labels": labels,
        "dimensions": list(DIMENSION_ENGLISH.items()),
        "departments": _departments(audit, names),
        "heat": _heat(audit),
        "top": _top_rules(audit),
        "silent": _not_evaluated(audit),
        "balances": _balances(audit, labels),
        "comparisons": _comparisons(audit),
        "tokens_shown": TOKENS_SHOWN,
        "grades": [(grade, lowest) for lowest, grade in GRADES],
        "weights": SEVERITY_WEIGHTS,
        "rules": sum({item.dataset: len(item.plan.rules) for item in audit.measured}.values()),
        "coverage": _coverage(audit),
        "last_day": max((past[-1].day for past in audit.past.values()), default=None),
        "versions": _versions(audit),
    }


def _versions(audit: Audit) -> str:
    """How many contracts of which version."""
    counted = Counter(item.contract.version for item in audit.measured)
    return "，".join(f"v{version} × {count}" for version, count in sorted(counted.items())) or "—"


def _owner_names(catalog: Catalog) -> dict[str, tuple[str, str]]:
    """System → (department, English title)."""
    names = {
        name: (system.department.name, system.title.en) for name, system in catalog.systems.items()
    }
    return {**names, HUB: (OWN_NAME, "Tongban hub")}


def _of_level(audit: Audit, level: str) -> list[Score]:
    return [score for score in audit.scores if score.level == level]


def _departments(audit: Audit, names: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    """One line per department, worst first."""
    lines = []
    for score in _of_level(audit, "department"):
        own = [item for item in audit.measured if item.department == score.department]
        rows = sum(item.rows for item in own)
        refused = sum(item.refused for item in own)
        past = audit.past.get(score.department, [])
        lines.append(
            {
                "score": score,
                "name": names.get(score.department, (score.department, score.department)),
                "datasets": len(own),
                "rows": rows,
                "refused": refused,
                "first_pass": (rows - refused) / rows if rows else None,
                "failing": sum(count.bad > 0 for item in own for count in item.counts.values()),
                "values": [p.score for p in past] + ([score.value] if score.value else []),
                "change": _change(score, past),
            }
        )
    return sorted(lines, key=lambda line: line["score"].value or 0.0)


def _change(score: Score, past: Sequence[Past]) -> str:
    """up, down or empty: only when it is more than chance."""
    if not past or score.value is None:
        return ""
    before = past[-1]
    if not is_sure_change(before.score, before.applicable, score.value, score.applicable):
        return ""
    return "up" if score.value > before.score else "down"


def _heat(audit: Audit) -> list[dict[str, Any]]:
    """Datasets × dimensions, department by department."""
    cells = {(s.department, s.dataset, s.dimension): s for s in _of_level(audit, "dimension")}
    whole = {(s.department, s.dataset): s for s in _of_level(audit, "dataset")}
    ordered = sorted(audit.measured, key=lambda item: (item.department, item.dataset))
    return [
        {
            "measured": item,
            "cells": [cells.get((item.department, item.dataset, zh)) for zh in DIMENSION_ENGLISH],
            "score": whole[item.department, item.dataset],
        }
        for item in ordered
    ]


def _top_rules(audit: Audit) -> list[dict[str, Any]]:
    """The rules with the most bad rows, errors before warnings."""
    measured = {(item.department, item.dataset): item for item in audit.measured}
    failing = [s for s in _of_level(audit, "rule") if s.bad]
    failing.sort(key=lambda s: (s.severity != "error", -s.bad, s.dataset, s.rule))
    return [
        {
            "score": score,
            "rule": item.plan.rule(score.rule),
            "label": item.contract.label,
            "samples": item.samples.get(score.rule, []),
        }
        for score in failing[:TOP_RULES]
        for item in (measured[score.department, score.dataset],)
    ]


def _not_evaluated(audit: Audit) -> list[dict[str, Any]]:
    """Per dataset the rules that applied to no row; they are in no score."""
    lines = []
    for item in audit.measured:
        rules = [r.id for r in item.plan.rules if item.counts[r.id].applicable == 0]
        if rules:
            lines.append(
                {
                    "label": item.contract.label,
                    "dataset": item.dataset,
                    "system": item.system,
                    "rules": rules,
                }
            )
    return lines


def _coverage(audit: Audit) -> float | None:
    """Share of all rules that were evaluated."""
    evaluated = [c.applicable > 0 for item in audit.measured for c in item.counts.values()]
    return sum(evaluated) / len(evaluated) if evaluated else None


def _balances(audit: Audit, labels: dict[str, str]) -> list[dict[str, Any]]:
    """Quarantine per dataset, with what a new look says about the open rows."""
    lines = []
    for name, balance in audit.balances.items():
        own = [item for item in audit.measured if item.dataset == name]
        lines.append(
            {
                "label": labels.get(name, name),
                "dataset": name,
                "balance": balance,
                "age": _age(audit, balance),
                "would_pass": sum(item.would_pass for item in own),
                "outdated": sum(item.outdated for item in own),
            }
        )
    return lines


def _age(audit: Audit, balance: Balance) -> int | None:
    """Days since the oldest open row was refused."""
    return None if balance.oldest is None else max(0, (audit.day - balance.oldest).days)


def _comparisons(audit: Audit) -> list[dict[str, Any]]:
    """Every comparison, good ones too, with both owners."""
    owners = {item.dataset: item.contract.owner for item in audit.measured}
    findings: dict[str, Finding] = {f.name: f for f in audit.findings if f.kind == "comparison"}
    return [
        {
            "check": check,
            "outcome": outcome,
            "owner": owners[check.dataset],
            "other_owner": owners[check.other],
            "finding": findings.get(check.id),
        }
        for check, outcome in audit.compared
    ]
