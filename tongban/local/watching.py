"""Watching: wait until Airflow is quiet — every run ended, every Asset event taken up.

An Asset event starts its consumers a moment later; a wait that only counted running runs would end
in that moment. So an event counts as open until each DAG that it schedules has a run for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tongban.kernel.errors import StackBroken
from tongban.local.airflow_api import AirflowApi, Document

POLL_S = 1.0
WAITS_FOR_PEOPLE = "approvals"  # its runs stand until somebody decides; nobody waits for them here
ENDED = frozenset({"success", "failed"})
SILENCE_LIMIT_S = 900.0  # longer than any retry pause; then something hangs


@dataclass(frozen=True, slots=True)
class Run:
    """One DAG run as far as waiting cares."""

    dag_id: str
    run_id: str
    state: str
    seconds: float

    @property
    def has_ended(self) -> bool:
        """Tell if nothing more will happen in it."""
        return self.state in ENDED


@dataclass(slots=True)
class Progress:
    """What was seen so far.

    Attributes:
        runs: By DAG and run id.
        open_events: Asset events that a DAG has not taken up.
        looked_at: When the last look began; of what began earlier it missed nothing.
    """

    runs: dict[tuple[str, str], Run] = field(default_factory=dict)
    open_events: int = 0
    looked_at: datetime | None = None

    @property
    def active(self) -> list[Run]:
        """Runs that have not ended."""
        return [run for run in self.runs.values() if not run.has_ended]

    @property
    def failed(self) -> list[Run]:
        """Runs that ended badly."""
        return [run for run in self.runs.values() if run.state == "failed"]


Told = Callable[[Progress, list[Run]], None]


def wait_until_quiet(
    api: AirflowApi,
    since: datetime,
    expected: Collection[tuple[str, str]],
    *,
    told: Told = lambda _progress, _ended: None,
    silence_limit_s: float = SILENCE_LIMIT_S,
) -> Progress:
    """Wait for the expected runs and for everything that follows from them.

    Args:
        api: A client of a user that may read.
        since: Runs and events from this moment on are watched.
        expected: (dag_id, run_id) of runs that must have ended.
        told: Called after each look with the progress and the runs that ended since the last one.
        silence_limit_s: How long nothing may happen while something is still open.

    Raises:
        StackBroken: Nothing happened for too long; names what is open.
    """
    consumers = _consumers(api)
    progress = Progress()
    last_sign, last_seen = time.monotonic(), ""
    while True:
        before = {key for key, run in progress.runs.items() if run.has_ended}
        progress.looked_at = now()
        _look(api, since, expected, consumers, progress)
        ended = [run for key, run in progress.runs.items() if run.has_ended and key not in before]
        told(progress, ended)
        missing = [key for key in expected if key not in progress.runs]
        if not missing and not progress.active and not progress.open_events:
            return progress
        seen = repr(sorted((*key, run.state) for key, run in progress.runs.items()))
        if seen != last_seen:
            last_sign, last_seen = time.monotonic(), seen
        elif time.monotonic() - last_sign > silence_limit_s:
            open_runs = [f"{run.dag_id} ({run.state})" for run in progress.active]
            raise StackBroken(
                f"Airflow: nothing happened for {silence_limit_s:.0f} s, still open: "
                f"{', '.join(open_runs) or f'{progress.open_events} Asset events'}; "
                "look at logs/airflow-scheduler.log"
            )
        time.sleep(POLL_S)


def now() -> datetime:
    """Give the present moment as Airflow writes it."""
    return datetime.now(UTC)


def _look(
    api: AirflowApi,
    since: datetime,
    expected: Iterable[tuple[str, str]],
    consumers: dict[int, set[str]],
    progress: Progress,
) -> None:
    """Read events first: a run that one of them causes is then seen in the same look or later."""
    moment = since.isoformat()
    open_events = 0
    for event in api.asset_events(moment):
        served = {run["dag_id"] for run in event["created_dagruns"]}
        open_events += not consumers.get(int(event["asset_id"]), set()) <= served
    found = api.runs(since=moment) + api.runs("queued", "running")
    for dag_id, run_id in expected:
        if (dag_id, run_id) not in progress.runs and (one := api.run(dag_id, run_id)) is not None:
            found.append(one)
    for document in found:
        run = _run_of(document)
        if run.dag_id == WAITS_FOR_PEOPLE:
            continue
        progress.runs[run.dag_id, run.run_id] = run
    for key in [key for key, run in progress.runs.items() if not run.has_ended]:
        if not any((doc["dag_id"], doc["dag_run_id"]) == key for doc in found):
            one = api.run(*key)
            if one is None:
                del progress.runs[key]
            else:
                progress.runs[key] = _run_of(one)
    progress.open_events = open_events


def _consumers(api: AirflowApi) -> dict[int, set[str]]:
    """DAGs that each Asset schedules, without those that are paused."""
    silent = {dag["dag_id"] for dag in api.dags() if dag["is_paused"]} | {WAITS_FOR_PEOPLE}
    return {
        int(asset["id"]): {dag["dag_id"] for dag in asset["scheduled_dags"]} - silent
        for asset in api.assets()
    }


def _run_of(document: Document) -> Run:
    return Run(
        dag_id=str(document["dag_id"]),
        run_id=str(document["dag_run_id"]),
        state=str(document["state"]),
        seconds=float(document.get("duration") or 0.0),
    )
