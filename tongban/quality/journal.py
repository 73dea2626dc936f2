"""Journal: write a finished audit with its evidence in one transaction, and read earlier ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, insert, text

from tongban.evidence.log import append
from tongban.quality.rectification import Finding, Key
from tongban.quality.scores import Score
from tongban.quality.tables import audit_finding, audit_run, audit_score, ensure_tables
from tongban.store.engine import transaction

TOKENS_KEPT = 1000
PERIODS = 12
"""Audits in a trend, the present one included."""

_LAST_FINDINGS = text("""
    SELECT kind, dataset, name, owner, found_on FROM quality.audit_finding
     WHERE run_id = (SELECT run_id FROM quality.audit_run WHERE day <= :day
                      ORDER BY run_no DESC LIMIT 1)
""")
_TREND = text("""
    SELECT r.day, s.department, s.score, s.applicable
      FROM (SELECT DISTINCT ON (day) run_id, run_no, day FROM quality.audit_run
             WHERE day < :day ORDER BY day DESC, run_no DESC LIMIT :periods) r
      JOIN quality.audit_score s ON s.run_id = r.run_id
     WHERE s.level = 'department' AND s.score IS NOT NULL
     ORDER BY r.day, s.department
""")


@dataclass(frozen=True, slots=True)
class Run:
    """What is written about one audit beside its scores and findings."""

    run_id: UUID
    day: date
    started_at: datetime
    finished_at: datetime
    datasets: int
    stored: int
    quarantined: int
    score: float | None
    grade: str
    disagreements: int
    input_digest: str
    result_digest: str
    report_digest: str
    report: str
    engines: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Past:
    """A department's score of an earlier day."""

    day: date
    score: float
    applicable: int


def prepare(engine: Engine) -> None:
    """Make the tables where they are missing."""
    with transaction(engine) as conn:
        ensure_tables(conn)


def known_since(conn: Connection, day: date) -> dict[Key, date]:
    """Findings of the last audit with the day on which each was first seen."""
    rows = conn.execute(_LAST_FINDINGS, {"day": day})
    return {(row.kind, row.dataset, row.name, row.owner): row.found_on for row in rows}


def trend(conn: Connection, day: date) -> dict[str, list[Past]]:
    """Department → its scores of earlier days, oldest first."""
    found: dict[str, list[Past]] = {}
    for row in conn.execute(_TREND, {"day": day, "periods": PERIODS - 1}):
        past = Past(day=row.day, score=float(row.score), applicable=row.applicable)
        found.setdefault(row.department, []).append(past)
    return found


def write_audit(
    engine: Engine, run: Run, scores: Sequence[Score], findings: Sequence[Finding]
) -> None:
    """Write run, scores, findings and the evidence entry, all or nothing."""
    with transaction(engine) as conn:
        conn.execute(insert(audit_run).values(_run_row(run)))
        if scores:
            conn.execute(insert(audit_score), [_score_row(run.run_id, s) for s in scores])
        if findings:
            rows = [_finding_row(run.run_id, i, f) for i, f in enumerate(findings, start=1)]
            conn.execute(insert(audit_finding), rows)
        subject = {
            "run": str(run.run_id),
            "day": run.day.isoformat(),
            "datasets": run.datasets,
            "stored": run.stored,
            "quarantined": run.quarantined,
            "findings": len(findings),
            "disagreements": run.disagreements,
            "grade": run.grade,
            "input": run.input_digest,
            "result": run.result_digest,
            "report": run.report,
        }
        append(conn, "audit", subject, bytes.fromhex(run.report_digest))


def _run_row(run: Run) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "day": run.day,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "datasets": run.datasets,
        "stored_rows": run.stored,
        "quarantined_rows": run.quarantined,
        "score": run.score,
        "grade": run.grade,
        "disagreements": run.disagreements,
        "input_digest": bytes.fromhex(run.input_digest),
        "result_digest": bytes.fromhex(run.result_digest),
        "report_digest": bytes.fromhex(run.report_digest),
        "report": run.report,
        "engines": dict(run.engines),
    }


def _score_row(run_id: UUID, score: Score) -> dict[str, object]:
    return {
        "run_id": run_id,
        "level": score.level,
        "department": score.department,
        "dataset": score.dataset,
        "dimension": score.dimension,
        "rule": score.rule,
        "severity": score.severity,
        "applicable": score.applicable,
        "bad": score.bad,
        "score": score.value,
        "grade": score.grade,
    }


def _finding_row(run_id: UUID, number: int, finding: Finding) -> dict[str, object]:
    return {
        "run_id": run_id,
        "item_no": number,
        "kind": finding.kind,
        "name": finding.name,
        "dataset": finding.dataset,
        "other_dataset": finding.other_dataset,
        "owner": finding.owner,
        "other_owner": finding.other_owner,
        "rows": finding.rows,
        "applicable": finding.applicable,
        "tokens": [UUID(hex=token) for token in finding.tokens[:TOKENS_KEPT]],
        "found_on": finding.found_on,
        "due_on": finding.due_on,
        "is_provisional": finding.is_provisional,
    }
