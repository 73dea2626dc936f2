"""The audit, from one snapshot of the database to scores, report, tables and evidence.

1 measure   every dataset once, in chunks: rules as masks, samples, columns for comparisons;
            where several systems provide it, each one's rows by themselves
2 count     Great Expectations over the masks and over open columns; compare the counts
3 compare   departments with each other
4 score     rules → dimensions → datasets → departments; deadlines
5 write     report (a file), then run, scores, findings and evidence in one transaction
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import Connection

from tongban.kernel.calendar import load_working_days
from tongban.kernel.contracts import Contract
from tongban.kernel.records import BEIJING
from tongban.quality import journal, report
from tongban.quality.comparisons import Comparison, Outcome, comparisons_of, kept_for
from tongban.quality.drifted import NewCode, Ticket, read_new_codes, read_tickets
from tongban.quality.engines import GreatExpectations, disagreements
from tongban.quality.kept import Kept
from tongban.quality.masks import Measured, Measuring
from tongban.quality.native import native_checks
from tongban.quality.rectification import Finding, RectificationList, overdue
from tongban.quality.refused import Balance, read_balances, read_refused
from tongban.quality.scores import RuleFacts, Score, grade_of, score_all
from tongban.quality.stored import count_stored, read_stored, snapshot, sources_of
from tongban.validate import compile_contract

if TYPE_CHECKING:
    from tongban.hub import Hub


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that one audit found; what the report is made of. No plain value is in it.

    Attributes:
        compared: Comparisons that could be made, with their outcome.
        native: Rules that both engines counted, over all datasets.
        input_digest: SHA-256 over contracts, record versions and quarantine that were read.
        result_digest: SHA-256 over counts, scores and findings.
    """

    run_id: UUID
    day: date
    started_at: datetime
    measured: list[Measured] = field(repr=False)
    compared: list[tuple[Comparison, Outcome]] = field(repr=False)
    scores: list[Score] = field(repr=False)
    findings: list[Finding] = field(repr=False)
    balances: dict[str, Balance] = field(repr=False)
    tickets: list[Ticket] = field(repr=False)
    new_codes: list[NewCode] = field(repr=False)
    past: dict[str, list[journal.Past]] = field(repr=False)
    native: int
    disagreements: int
    engines: dict[str, str]
    input_digest: str
    result_digest: str

    @property
    def datasets(self) -> int:
        """How many datasets were measured."""
        return len({item.dataset for item in self.measured})

    @property
    def stored(self) -> int:
        """Stored rows of all datasets."""
        return sum(item.stored for item in self.measured)

    @property
    def refused(self) -> int:
        """Rows in the open quarantine of all datasets."""
        return sum(item.refused for item in self.measured)

    @property
    def whole(self) -> Score:
        """The hub's own score."""
        return next(score for score in self.scores if score.level == "hub")


def run_audit(hub: Hub, *, day: date | None = None) -> dict[str, Any]:
    """Audit everything that is stored or quarantined, write the report, give counts and scores.

    Args:
        hub: An open hub.
        day: The day that the audit is about and from which new deadlines count; today in Beijing
            when not given.

    Returns:
        Counts, scores per department and the report's path; never a field's value.

    Raises:
        EnvelopeBroken, KeyUnknown: A sealed value cannot be opened; nothing was written.
        DatabaseUnavailable: Safe to call again.
    """
    started = time.monotonic()
    journal.prepare(hub.engine)
    audit = examine(hub, day or datetime.now(BEIJING).date())
    document = report.render(audit, hub.catalog)
    path = report.write(hub.settings.home / "reports", audit, document)
    run = journal.Run(
        run_id=audit.run_id,
        day=audit.day,
        started_at=audit.started_at,
        finished_at=datetime.now(BEIJING),
        datasets=audit.datasets,
        stored=audit.stored,
        quarantined=audit.refused,
        score=audit.whole.value,
        grade=audit.whole.grade,
        disagreements=audit.disagreements,
        input_digest=audit.input_digest,
        result_digest=audit.result_digest,
        report_digest=hashlib.sha256(document).hexdigest(),
        report=path.name,
        engines=audit.engines,
    )
    journal.write_audit(hub.engine, run, audit.scores, audit.findings)
    report.publish(path)
    return {**_counts(audit), "report": str(path), "seconds": round(time.monotonic() - started, 2)}


def examine(hub: Hub, day: date) -> Audit:
    """Steps 1 to 4; reads only."""
    started_at = datetime.now(BEIJING)
    contracts = hub.catalog.contracts()
    checks = comparisons_of(contracts.values())
    kept = kept_for(checks, contracts)
    engine = GreatExpectations()
    with snapshot(hub.engine) as conn:
        measured = _measure(hub, conn, kept, started_at)
        balances = read_balances(conn)
        tickets, new_codes = read_tickets(conn, day), read_new_codes(conn, day)
        listed = RectificationList(
            day,
            load_working_days(hub.settings.root / "mappings" / "calendar" / "working_days.csv"),
            contracts,
            journal.known_since(conn, day),
        )
        past = journal.trend(conn, day)
        native, differing = _count_again(hub, conn, engine, measured, listed)
    compared = [(c, found) for c in checks if (found := c.outcome(kept)) is not None]
    for item in measured:
        listed.add_rules(item)
    for check, outcome in compared:
        listed.add_comparison(check, outcome)
    scores = score_all(_facts(measured), {m.dataset: _weight(m) for m in measured})
    return Audit(
        run_id=uuid4(),
        day=day,
        started_at=started_at,
        measured=measured,
        compared=compared,
        scores=scores,
        findings=listed.findings,
        balances=balances,
        tickets=tickets,
        new_codes=new_codes,
        past=past,
        native=native,
        disagreements=differing,
        engines=_versions(engine),
        input_digest=_digest([(m.department, m.dataset, m.input_digest) for m in measured]),
        result_digest=_digest(_results(measured, compared, scores)),
    )


def _measure(hub: Hub, conn: Connection, kept: Kept, now: datetime) -> list[Measured]:
    """Every dataset that has rows, stored or refused."""
    found: list[Measured] = []
    for contract in hub.catalog.contracts().values():
        for system in _sources(hub, conn, contract):
            refused = read_refused(conn, contract, hub.keyring, system=system)
            if not refused.rules and not count_stored(conn, contract, system):
                continue
            plan = compile_contract(contract, hub.catalog.codes)
            measuring = Measuring(contract, plan, now, system)
            for rows in read_stored(conn, contract, hub.keyring, system=system):
                measuring.add_stored(rows)
                kept.add(contract.dataset, rows)
            measuring.add_refused(refused)
            kept.add_refused(contract.dataset, refused)
            found.append(measuring.done())
    return found


def _sources(hub: Hub, conn: Connection, contract: Contract) -> tuple[str | None, ...]:
    """Whose rows are measured by themselves: None for all together, where one system provides."""
    providers = hub.catalog.providers(contract.dataset)
    if len(providers) < 2:  # noqa: PLR2004 - the contract's owner answers for all
        return (None,)
    return tuple(sorted({*providers, *sources_of(conn, contract)}))


def _count_again(
    hub: Hub,
    conn: Connection,
    engine: GreatExpectations,
    measured: list[Measured],
    listed: RectificationList,
) -> tuple[int, int]:
    """Great Expectations' counts beside ours; gives native checks made, and disagreements."""
    if not measured:
        return 0, 0
    asked = differing = 0
    source = engine.open_database(hub.engine, conn)
    try:
        for item in measured:
            checks = native_checks(item.contract, hub.catalog.codes)
            asked += len(checks)
            of_masks = {rule: count.bad for rule, count in item.counts.items()}
            of_columns = {check.rule: item.counts[check.rule].stored_bad for check in checks}
            for ours, theirs in (
                (of_masks, engine.count_masks(item)),
                (of_columns, engine.count_columns(source, item, checks)),
            ):
                for rule, our_count, their_count in disagreements(ours, theirs):
                    listed.add_disagreement(item.dataset, rule, our_count, their_count)
                    differing += 1
    finally:
        engine.close(source)
    return asked, differing


def _facts(measured: list[Measured]) -> list[RuleFacts]:
    return [
        RuleFacts(
            department=item.department,
            dataset=item.dataset,
            rule=rule.id,
            dimension=rule.dimension,
            severity=rule.severity,
            applicable=item.counts[rule.id].applicable,
            bad=item.counts[rule.id].bad,
        )
        for item in measured
        for rule in item.plan.rules
    ]


def _weight(measured: Measured) -> float:
    """A dataset weighs as many as it has required fields."""
    return float(sum(item.required for item in measured.contract.fields))


def _versions(engine: GreatExpectations) -> dict[str, str]:
    import polars as pl

    from tongban import __version__

    return {"tongban": __version__, "polars": pl.__version__, "great_expectations": engine.version}


def _digest(document: object) -> str:
    """SHA-256 of a document in one written form."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _results(
    measured: list[Measured], compared: list[tuple[Comparison, Outcome]], scores: list[Score]
) -> dict[str, Any]:
    """What was found, as far as it follows from what was read alone."""
    return {
        "counts": [
            [m.department, m.dataset, rule, count.applicable, count.bad, count.stored_bad]
            for m in measured
            for rule, count in m.counts.items()
        ],
        "comparisons": [[c.id, o.compared, list(o.bad), o.skipped] for c, o in compared],
        "scores": [
            [s.level, s.department, s.dataset, s.dimension, s.rule, _millionths(s.value)]
            for s in scores
        ],
    }


def _millionths(value: float | None) -> int | None:
    return None if value is None else round(value * 1_000_000)


def _counts(audit: Audit) -> dict[str, Any]:
    """What callers and XCom get."""
    return {
        "run_id": str(audit.run_id),
        "day": audit.day.isoformat(),
        "datasets": audit.datasets,
        "stored": audit.stored,
        "quarantined": audit.refused,
        "rules": sum({item.dataset: len(item.plan.rules) for item in audit.measured}.values()),
        "failing_rules": sum(f.kind == "rule" for f in audit.findings),
        "comparisons": len(audit.compared),
        "comparison_findings": sum(len(outcome.bad) for _, outcome in audit.compared),
        "native_checks": audit.native,
        "disagreements": audit.disagreements,
        "to_rectify": len(audit.findings),
        "overdue": overdue(audit.findings, audit.day),
        "score": _percent(audit.whole.value),
        "grade": grade_of(audit.whole.value),
        "departments": {
            s.department: _percent(s.value) for s in audit.scores if s.level == "department"
        },
    }


def _percent(value: float | None) -> float | None:
    return None if value is None else round(value * 100, 3)
