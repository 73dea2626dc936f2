"""Chaos from the command line: `bin/tongban chaos [--short] [--runs N] [--json]`.

The exit code is 0 when nothing was lost, doubled or out of balance. Times are printed with their
goal and decide nothing, since a shared machine is no judge of time.
"""

from __future__ import annotations

import json
import sys

from chaos.suite import RECOVERY_GOAL_S, Report, run


def main(*, short: bool, runs: int, json_output: bool) -> int:
    """Run the suite and print what came of it."""

    def told(name: str) -> None:
        print(name, file=sys.stderr, flush=True)

    report = run(short=short, repeats=runs, on_run=told)
    if json_output:
        print(json.dumps(report.document(), ensure_ascii=False, indent=2))
    else:
        for line in lines(report):
            print(line)
    return 0 if report.is_good else 1


def lines(report: Report) -> list[str]:
    """The report for people: figure, goal, and whether it holds."""
    figures: list[tuple[str, object, object, bool]] = [
        ("records lost", report.lost, 0, report.lost == 0),
        ("records applied twice", report.twice, 0, report.twice == 0),
        ("counts out of balance", report.unbalanced, 0, report.unbalanced == 0),
        ("records without an answer", report.undelivered, 0, report.undelivered == 0),
        ("pages read again", report.pages_read_again, "≤ 1", report.pages_read_again <= 1),
        (
            "s from restart to work, most",
            report.recovery_max_s,
            f"≤ {RECOVERY_GOAL_S:g}",
            report.recovery_max_s <= RECOVERY_GOAL_S,
        ),
        (
            "evidence entries that verify",
            report.evidence_entries,
            "> 0",
            report.evidence_entries > 0,
        ),
    ]
    told = [
        f"{name:32} {value!s:>8}  goal {goal!s:>4}  {'ok' if is_met else 'MISSED'}"
        for name, value, goal, is_met in figures
    ]
    head = (
        f"{report.struck} of {report.runs} runs struck at {report.boundaries} boundaries, "
        f"{report.faults_share:.0%} faults, {report.seconds:.0f} s"
    )
    missed = [f"never reached: {name}" for name in report.missed]
    return [head, *told, *missed]
