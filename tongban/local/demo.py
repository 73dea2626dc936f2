"""The demo: the whole job on this machine, through the real DAGs, from any state.

Rounds: all pulls; the cases that they open; then what the pushes made appear at the departments
(tax payments, then registrations), each followed by the cases; then the audit. A run that was
interrupted, also by kill -9, is continued by the next call: runs carry ids of the demo, and
Airflow and the hub hold the rest. A call after a finished one first lets a day pass at the
departments, so that only what changed moves.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from tongban.kernel.catalog import load_catalog
from tongban.kernel.errors import StackBroken
from tongban.kernel.settings import Settings
from tongban.local import airflow, fakes, sandbox, stack
from tongban.local.airflow_api import AirflowApi
from tongban.local.private_files import write_private
from tongban.local.watching import Progress, Run, now, wait_until_quiet

DAGS_TIMEOUT_S = 180.0
DAGS_STEP_S = 0.5


@dataclass(frozen=True, slots=True)
class Round:
    """DAGs to run together; `pull_*` stands for every pull DAG."""

    name: str
    dags: tuple[str, ...]


ROUNDS = (
    Round("pull everything", ("pull_*",)),
    # From here on the cases follow every Asset by themselves; each step is told to the substation.
    Round("cases: accepted, contracts found", ("cases",)),
    Round("buyers compared with civil affairs", ("compare",)),
    Round("tax payments that the contracts caused", ("pull_deed_tax_payment",)),
    Round(
        "registrations that the payments caused", ("pull_real_estate_right", "pull_right_status")
    ),
    Round("audit", ("audit",)),
)


@dataclass(frozen=True, slots=True)
class Journal:
    """How far the demo of a home is; kept in `demo.json`."""

    number: int
    started_at: str
    is_advanced: bool
    is_finished: bool


class Listener:
    """What the demo tells while it runs; the default says nothing."""

    def step(self, line: str) -> None:
        """Hear one line."""

    def round_starts(self, name: str, expected: int) -> None:
        """Hear that a round starts with so many runs."""

    def looked(self, progress: Progress, ended: list[Run]) -> None:
        """Hear what Airflow is doing, about once a second."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What `run` leaves for the results.

    Attributes:
        since: Start of the demo.
        until: When everything was quiet; schedules begin further transfers after it.
        failed: DAGs of which a run failed.
    """

    settings: Settings
    since: datetime
    until: datetime
    seconds: float
    failed: tuple[str, ...]


def run(
    settings: Settings,
    *,
    people: int | None = None,
    seed: int | None = None,
    pools: stack.Pools | None = None,
    listener: Listener | None = None,
) -> Finished:
    """Start the stack and run all rounds.

    Raises:
        StackBroken: A DAG is missing or cannot be imported, or Airflow hangs.
    """
    heard = listener or Listener()
    started = time.monotonic()
    ready = stack.up(settings, people=people, seed=seed, pools=pools, report=heard.step)
    journal = _open_journal(settings)
    if journal.number > 1 and not journal.is_advanced:
        moved = {**sandbox.advance(settings), **fakes.advance(settings)}
        heard.step(f"a day passes: {sum(moved.values())} changes at the departments")
        journal = _keep(settings, replace(journal, is_advanced=True))
    api = airflow.client(settings)
    known = await_dags(api, ROUNDS) - out_of_reach(settings)
    unpause(api, [dag for dag in known if dag.startswith(("pull_", "push_", "approvals"))])
    failed: set[str] = set()
    until = now()
    for number, one in enumerate(ROUNDS, 1):
        dags = [dag for dag in sorted(known) if _is_meant(dag, one.dags)]
        unpause(api, dags)
        progress = _run_round(api, one, dags, f"demo-{journal.number}-{number}", heard)
        failed |= {run.dag_id for run in progress.failed}
        until = progress.looked_at or until
    if not failed:
        _keep(settings, replace(journal, is_finished=True))
    return Finished(
        settings=ready,
        since=datetime.fromisoformat(journal.started_at),
        until=until,
        seconds=round(time.monotonic() - started, 1),
        failed=tuple(sorted(failed)),
    )


def await_dags(api: AirflowApi, rounds: Collection[Round]) -> set[str]:
    """Wait until Airflow has parsed the DAGs that the rounds need; gives all DAG ids.

    Raises:
        StackBroken: A DAG file cannot be imported, or a DAG does not appear.
    """
    deadline = time.monotonic() + DAGS_TIMEOUT_S
    while True:
        known = {dag["dag_id"] for dag in api.dags()}
        missing = [
            wanted
            for one in rounds
            for wanted in one.dags
            if not any(_is_meant(dag, (wanted,)) for dag in known)
        ]
        if not missing and any(dag.startswith("push_") for dag in known):
            return known
        for problem in api.import_errors():
            last = str(problem["stack_trace"]).strip().splitlines()[-1]
            raise StackBroken(f"{problem['filename']}: Airflow cannot import it: {last}")
        if time.monotonic() > deadline:
            raise StackBroken(
                f"Airflow has no DAG {', '.join(missing) or 'push_*'} after "
                f"{DAGS_TIMEOUT_S:.0f} s; look at logs/airflow-dag-processor.log"
            )
        time.sleep(DAGS_STEP_S)


def out_of_reach(settings: Settings) -> set[str]:
    """Pull DAGs of systems that nothing in this stack answers for: no connection leads there."""
    catalog = load_catalog(settings.root)
    return {
        route.dag_id
        for route in catalog.pull_routes
        if not (
            settings.connections_dir / f"{catalog.system(route.system).connection}.json"
        ).is_file()
    }


def unpause(api: AirflowApi, dags: Collection[str]) -> None:
    """Let the DAGs run; Airflow keeps new ones paused."""
    paused = {dag["dag_id"] for dag in api.dags() if dag["is_paused"]}
    for dag_id in sorted(paused & set(dags)):
        api.unpause(dag_id)


def _run_round(
    api: AirflowApi, one: Round, dags: Collection[str], prefix: str, heard: Listener
) -> Progress:
    """Trigger what this round has not run yet and wait for all that follows."""
    since = now()
    heard.round_starts(one.name, len(dags))
    expected = [(dag_id, _trigger(api, dag_id, prefix)) for dag_id in dags]
    return wait_until_quiet(api, since, expected, told=heard.looked)


def _trigger(api: AirflowApi, dag_id: str, prefix: str) -> str:
    """Start the round's run of a DAG; one that an interrupted demo started is taken over."""
    attempt = 1
    while True:
        run_id = f"{prefix}-{attempt}"
        earlier = api.run(dag_id, run_id)
        if earlier is None:
            return api.trigger(dag_id, run_id)
        if earlier["state"] != "failed":
            return run_id
        attempt += 1


def _is_meant(dag_id: str, names: Collection[str]) -> bool:
    return any(
        dag_id.startswith(name[:-1]) if name.endswith("*") else dag_id == name for name in names
    )


def _journal_file(settings: Settings) -> Path:
    return settings.home / "demo.json"


def _open_journal(settings: Settings) -> Journal:
    """Go on with an unfinished demo, or begin the next one."""
    path = _journal_file(settings)
    last = Journal(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
    if last is not None and not last.is_finished:
        return last
    number = 1 if last is None else last.number + 1
    return _keep(settings, Journal(number, now().isoformat(), number == 1, is_finished=False))


def _keep(settings: Settings, journal: Journal) -> Journal:
    write_private(_journal_file(settings), json.dumps(asdict(journal)) + "\n")
    return journal
