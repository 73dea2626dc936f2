"""Suite: boundaries, runs at each of them, and what must hold afterwards.

A run changes some contracts at the department, kills a worker at its boundary, starts it again
until it has done its work, and lets the other verbs follow. At the end every fault is lifted, all
is delivered, and a second hub reads the department undisturbed: both must know the same.
"""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import Literal, TypeVar

from sqlalchemy import text

from chaos.stage import DATASET, PART, SOURCE, TARGETS, Stage, ended
from chaos.wire import Trap, When, Wire
from tongban.evidence import log
from tongban.kernel.errors import RetryLater
from tongban.pipeline import Hub, load, pull, push
from tongban.store.summary import dataset_balances

Verb = Literal["pull", "load", "push"]
Blow = Literal["worker killed", "worker frozen and followed", "PostgreSQL killed"]
Result = TypeVar("Result")
CHANGED_ROWS = 40
MOST_TRIES = 12
RECOVERY_GOAL_S = 5.0


_VERBS_KILLED: tuple[tuple[Verb, int], ...] = (("pull", 3), ("load", 7), ("push", 4))
_VERBS_FROZEN: tuple[tuple[Verb, int], ...] = (("pull", 3), ("load", 6), ("push", 4))
_UNDELIVERED = """
    SELECT count(*) FROM hub.outbox
     WHERE dataset = 'sale_contract' AND target = ANY(%s)
       AND state NOT IN ('accepted', 'duplicate', 'superseded', 'withheld')
"""
_TOLD = """
    SELECT DISTINCT record_id FROM hub.outbox
     WHERE dataset = 'sale_contract' AND target = %s AND state IN ('accepted', 'duplicate')
"""


@dataclass(frozen=True, slots=True)
class Boundary:
    """A moment: the N-th commit, or the N-th call to a department, of one verb."""

    verb: Verb
    place: str
    number: int
    when: When
    blow: Blow = "worker killed"

    @property
    def name(self) -> str:
        """As it stands in the report."""
        return f"{self.verb}: {self.blow} {self.when} {self.place} {self.number}"


@dataclass(slots=True)
class Report:
    """What came of all runs."""

    runs: int = 0
    struck: int = 0
    boundaries: int = 0
    faults_share: float = 0.0
    lost: int = 0
    twice: int = 0
    unbalanced: int = 0
    undelivered: int = 0
    evidence_entries: int = 0
    pages_read_again: int = 0
    recovery_median_s: float = 0.0
    recovery_max_s: float = 0.0
    seconds: float = 0.0
    missed: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing doubled, all in balance; time is for people to judge."""
        wrong = self.lost + self.twice + self.unbalanced + self.undelivered
        return wrong == 0 and self.evidence_entries > 0 and self.pages_read_again <= 1

    def document(self) -> dict[str, object]:
        """For `--json`."""
        return {**asdict(self), "is_good": self.is_good}


def boundaries() -> list[Boundary]:
    """Every moment of the full form, by verb."""
    found: list[Boundary] = []
    for when in ("before", "after"):
        found += [Boundary("pull", "call", n, when) for n in (1, 2, 3)]
        found += [Boundary("pull", "commit", n, when) for n in (2, 4, 6)]
        found += [Boundary("load", "commit", n, when) for n in (2, 4, 6, 7, 8, 9, 10)]
        found += [Boundary("push", "call", n, when) for n in (1, 2)]
        found += [Boundary("push", "commit", n, when) for n in (2, 3, 4, 5)]
        found += [
            Boundary(verb, "commit", n, when, "PostgreSQL killed") for verb, n in _VERBS_KILLED
        ]
    found += [
        Boundary(verb, "commit", n, "after", "worker frozen and followed")
        for verb, n in _VERBS_FROZEN
    ]
    return found


SHORT = (
    Boundary("pull", "call", 2, "after"),
    Boundary("load", "commit", 8, "after"),
    Boundary("push", "call", 1, "after"),
    Boundary("push", "commit", 4, "before", "PostgreSQL killed"),
)


def run(
    *, short: bool, repeats: int = 40, people: int = 600, on_run: Callable[[str], None] = print
) -> Report:
    """Run the suite on a stage of its own.

    Args:
        short: Four boundaries once, for the tests.
        repeats: Runs at each boundary in the full form.
        people: Size of the city.
        on_run: Told of every run.
    """
    started = time.monotonic()
    chosen = list(SHORT) if short else boundaries()
    report = Report(boundaries=len(chosen), faults_share=0.1)
    recoveries: list[float] = []
    with Stage(Path(tempfile.mkdtemp(prefix="tongban-chaos-")), people, seed=7) as stage:
        _round(stage, None, report, recoveries)  # the first load, undisturbed
        stage.fail_often()
        for _ in range(1 if short else repeats):
            for boundary in chosen:
                struck = report.struck
                _round(stage, boundary, report, recoveries)
                report.runs += 1
                if struck == report.struck and boundary.name not in report.missed:
                    report.missed.append(boundary.name)
                on_run(boundary.name)
        stage.recover()
        _judge(stage, report)
    if recoveries:
        report.recovery_median_s = round(statistics.median(recoveries), 2)
        report.recovery_max_s = round(max(recoveries), 2)
    report.seconds = round(time.monotonic() - started, 1)
    return report


def _round(
    stage: Stage, boundary: Boundary | None, report: Report, recoveries: list[float]
) -> None:
    """New rows at the department, all verbs once, one of them disturbed."""
    stage.change(CHANGED_ROWS)
    time.sleep(1.01)  # source times count in seconds
    verb = boundary.verb if boundary else ""
    landing = ""
    if boundary and verb == "pull":
        if boundary.place == "call":
            stage.recover()  # a call that fails is no page that is read again
        landing = _struck(stage, boundary, ["pull", DATASET], report, recoveries)
        stage.recover()
        stage.fail_often()
    landing = landing or _until_done(lambda: pull(stage.hub, DATASET).landing_id)
    for dataset in (PART, DATASET):
        if boundary and verb == "load" and dataset == DATASET:
            _struck(stage, boundary, ["load", landing, dataset], report, recoveries)
        _until_done(partial(load, stage.hub, landing, dataset))
    for target in TARGETS:
        if boundary and verb == "push" and target == TARGETS[0]:
            _struck(stage, boundary, ["push", target, DATASET], report, recoveries)
        _until_done(partial(push, stage.hub, target, DATASET))


def _struck(
    stage: Stage, boundary: Boundary, words: list[str], report: Report, recoveries: list[float]
) -> str:
    """Disturb a worker at its boundary, start it again until it is done; what it printed last."""
    wire = _wire(stage, boundary)
    worker = stage.worker(*words)
    for _ in range(MOST_TRIES):
        blows: dict[Blow, Callable[[], None]] = {
            "worker killed": partial(os.kill, worker.pid, signal.SIGKILL),
            "worker frozen and followed": partial(os.kill, worker.pid, signal.SIGSTOP),
            "PostgreSQL killed": stage.kill_database,
        }
        trap = Trap(boundary.number, boundary.when, blows[boundary.blow])
        wire.arm(trap)
        while worker.poll() is None and not trap.sprung.is_set():
            time.sleep(0.01)
        if trap.sprung.is_set():
            break
        code, printed = ended(worker)  # a fault was quicker, or there is no such moment
        if code == 0:
            wire.arm(None)
            return printed[-1] if len(printed) > 1 else ""
        time.sleep(0.2)
        worker = stage.worker(*words)
    else:
        raise RuntimeError(f"{boundary.name}: never reached, the worker only failed")
    report.struck += 1
    frozen = boundary.blow == "worker frozen and followed"
    if not frozen:
        ended(worker)
    if boundary.blow == "PostgreSQL killed":
        stage.start_database()
    delivered = wire.delivered
    landed = _pages(stage) if boundary.place == "call" and boundary.verb == "pull" else None
    if landed is not None:
        read_again = delivered + (boundary.when == "after") - landed
        report.pages_read_again = max(report.pages_read_again, read_again)
    last = _again(stage, words, recoveries)
    if frozen:
        os.kill(worker.pid, signal.SIGCONT)
        ended(worker)
    return last


def _again(stage: Stage, words: list[str], recoveries: list[float]) -> str:
    """Start the worker until it has done its work; gives what it printed last.

    Recovery is the time from its start to its first commit.
    """
    for attempt in range(MOST_TRIES):
        stage.database.arm(None)
        worker = stage.worker(*words)
        begun = time.monotonic()
        while stage.database.delivered == 0 and worker.poll() is None:
            time.sleep(0.005)
        if attempt == 0:
            recoveries.append(time.monotonic() - begun)
        code, printed = ended(worker)
        if code == 0:
            return printed[-1] if len(printed) > 1 else ""
        time.sleep(0.2)
    raise RuntimeError(f"{' '.join(words)}: not done after {MOST_TRIES} tries")


def _wire(stage: Stage, boundary: Boundary) -> Wire:
    """The wire on which the boundary lies."""
    if boundary.place == "commit":
        return stage.database
    return stage.calls[SOURCE if boundary.verb == "pull" else TARGETS[0]]


def _pages(stage: Stage) -> int:
    """Pages that the newest pull has landed."""
    newest = "SELECT transfer_id FROM hub.transfer WHERE direction = 'pull' AND parent_id IS NULL"
    ((landing_id,),) = stage.rows(f"{newest} ORDER BY started_at DESC LIMIT 1")
    folder = stage.settings.home / "landing" / SOURCE / DATASET / str(landing_id)
    return len(list(folder.glob("page-*.bin")))


def _until_done(work: Callable[[], Result]) -> Result:
    """Do it as often as it asks to be done again."""
    for _ in range(MOST_TRIES):
        try:
            return work()
        except RetryLater:
            time.sleep(0.2)
    return work()


def _judge(stage: Stage, report: Report) -> None:
    """Deliver the rest, then hold the hub against the department, the targets and itself."""
    landing = pull(stage.hub, DATASET)
    for dataset in (PART, DATASET):
        load(stage.hub, landing.landing_id, dataset)
    with stage.hub.engine.begin() as connection:
        connection.execute(text("UPDATE hub.outbox SET next_try_at = now()"))
    for target in TARGETS:
        _until_done(partial(push, stage.hub, target, DATASET))
    report.lost = sum(_differences(stage).values())
    report.twice = sum(
        times - 1 for target in TARGETS for *_, times in stage.taken(target) if times > 1
    )
    contracts = [stage.hub.catalog.contract(name) for name in (DATASET, PART)]
    report.unbalanced = sum(
        not balance.in_balance for balance in dataset_balances(stage.hub.engine, contracts)
    )
    report.unbalanced += stage.rows(
        "SELECT count(*) FROM hub.transfer WHERE direction = 'pull' AND state = 'finished' AND"
        " read_rows <> new_rows + changed_rows + same_rows + quarantined_rows + duplicate_rows"
    )[0][0]
    ((report.undelivered,),) = stage.rows(_UNDELIVERED, list(TARGETS))
    report.evidence_entries = log.check(stage.hub.engine)


def _differences(stage: Stage) -> Counter[str]:
    """Records that an undisturbed hub knows otherwise, and receipts that a target does not hold."""
    found: Counter[str] = Counter()
    with stage.fresh_hub("hub_undisturbed") as undisturbed:
        landed = pull(undisturbed, DATASET)
        for dataset in (PART, DATASET):
            load(undisturbed, landed.landing_id, dataset)
            ours, theirs = (set(_stored(hub, dataset)) for hub in (stage.hub, undisturbed))
            found[dataset] = len(ours ^ theirs)
    for target in TARGETS:
        held = {row_guid for dataset, row_guid, *_ in stage.taken(target) if dataset == DATASET}
        told = set(starmap(str, stage.rows(_TOLD, target)))
        found[target] = len(held ^ told)
    return found


def _stored(hub: Hub, dataset: str) -> Iterator[tuple[str, str]]:
    """Record and digest of every stored row."""
    table = hub.catalog.contract(dataset).table
    with hub.engine.connect() as connection:
        for record_id, digest in connection.execute(
            text(f'SELECT record_id::text, row_digest FROM data."{table}"')  # noqa: S608 - our own
        ):
            yield record_id, bytes(digest).hex()
