"""Airflow's REST API: what the local stack and the demo ask it, and no more.

A thin client: one method per question, plain dicts as answered. Calls that only read are repeated
when the server is busy; a call that makes something is repeated only with an id of our own.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from typing import Any

import requests

from tongban.kernel.errors import StackBroken, SystemUnavailable

Document = dict[str, Any]

TIMEOUT_S = 20.0
TRIES = 5
PAUSE_S = 0.5
PAGE = 100
HEALTH_NAMES = {
    "api-server": "metadatabase",  # who answers the question is up itself
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
}
BUSY = frozenset({500, 502, 503, 504})
UNKNOWN, CONFLICT, UNAUTHORIZED = 404, 409, 401


class AirflowApi:
    """One user at one Airflow; usable from one thread."""

    def __init__(self, base_url: str, user: str, password: str) -> None:
        self.base_url = base_url
        self._login = {"username": user, "password": password}
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy between us and 127.0.0.1
        self._token = ""

    def is_healthy(self, component: str) -> bool:
        """Tell if Airflow calls one of its components healthy; False when it does not answer."""
        with contextlib.suppress(requests.RequestException, ValueError):
            answer = self._session.get(f"{self.base_url}/api/v2/monitor/health", timeout=5)
            health = answer.json().get(HEALTH_NAMES[component]) or {}
            return bool(health.get("status") == "healthy")
        return False

    def dags(self) -> list[Document]:
        """Give all DAGs that Airflow has parsed, paused ones too."""
        return self._pages("dags", "dags", {"exclude_stale": "true"})

    def import_errors(self) -> list[Document]:
        """Give DAG files that could not be imported, with `filename` and `stack_trace`."""
        return self._pages("importErrors", "import_errors")

    def unpause(self, dag_id: str) -> None:
        """Let a DAG's runs be scheduled."""
        self._call("PATCH", f"dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run under an id of our own; the same id again is the same run.

        Raises:
            StackBroken: No such DAG, or Airflow refused.
            SystemUnavailable: No answer; the same call may be made again.
        """
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        self._call("POST", f"dags/{dag_id}/dagRuns", json=body, allowed={CONFLICT})
        return run_id

    def run(self, dag_id: str, run_id: str) -> Document | None:
        """Give one run, or None if there is none of this id."""
        return self._call("GET", f"dags/{dag_id}/dagRuns/{run_id}", allowed={UNKNOWN})

    def runs(self, *states: str, since: str | None = None) -> list[Document]:
        """Give runs of all DAGs in the given states, oldest first."""
        query: Document = {"order_by": "run_after"}
        if states:
            query["state"] = list(states)
        if since is not None:
            query["run_after_gte"] = since
        return self._pages("dags/~/dagRuns", "dag_runs", query)

    def task_instances(self, dag_id: str, run_id: str) -> list[Document]:
        """Give the tasks of one run with their states."""
        return self._pages(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")

    def result(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """Give what a task returned, or None."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        found = self._call("GET", path, allowed={UNKNOWN})
        return None if found is None else found.get("value")

    def assets(self) -> list[Document]:
        """Give all Assets, each with the DAGs that it schedules."""
        return self._pages("assets", "assets")

    def asset_events(self, since: str) -> list[Document]:
        """Give Asset events from a moment on, each with the runs that it caused."""
        return self._pages("assets/events", "asset_events", {"timestamp_gte": since})

    def ensure_pools(self, wanted: Iterable[Mapping[str, Any]]) -> list[str]:
        """Make pools that are missing and correct slots that differ; gives the changed names."""
        known = {pool["name"]: pool for pool in self._pages("pools", "pools")}
        changed = []
        for pool in wanted:
            name, slots = str(pool["name"]), int(pool["slots"])
            body = {"name": name, "slots": slots, "description": pool.get("description", "")}
            body["include_deferred"] = False
            if name not in known:
                self._call("POST", "pools", json=body, allowed={CONFLICT})
            elif known[name]["slots"] != slots:
                self._call("PATCH", f"pools/{name}?update_mask=slots", json=body)
            else:
                continue
            changed.append(name)
        return changed

    def _pages(self, path: str, key: str, query: Mapping[str, Any] | None = None) -> list[Document]:
        found: list[Document] = []
        while True:
            page = {**(query or {}), "limit": PAGE, "offset": len(found)}
            answer = self._call("GET", path, params=page) or {}
            found += answer.get(key, [])
            if not answer.get(key) or len(found) >= int(answer.get("total_entries", 0)):
                return found

    def _call(
        self, method: str, path: str, allowed: Iterable[int] = (), **options: Any
    ) -> Document | None:
        """Make one call; log in when the token is missing or too old, wait when busy."""
        problem = ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(PAUSE_S * 2**attempt)
            try:
                answer = self._send(method, path, **options)
            except requests.RequestException as exc:
                problem = type(exc).__name__
                continue
            if answer.status_code in allowed:
                return None
            if answer.ok:
                return dict(answer.json()) if answer.content else {}
            problem = f"HTTP {answer.status_code}"
            if answer.status_code not in BUSY:
                raise StackBroken(f"Airflow: {method} {path} gave {problem}: {_reason(answer)}")
        raise SystemUnavailable(
            f"Airflow: {method} {path} failed {TRIES} times ({problem}); "
            "look at logs/airflow-api-server.log and call again"
        )

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        if not self._token:
            self._log_in()
        answer = self._authorized(method, path, **options)
        if answer.status_code == UNAUTHORIZED:
            self._log_in()
            answer = self._authorized(method, path, **options)
        return answer

    def _authorized(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._token}"}
        url = f"{self.base_url}/api/v2/{path}"
        return self._session.request(method, url, headers=headers, timeout=TIMEOUT_S, **options)

    def _log_in(self) -> None:
        url = f"{self.base_url}/auth/token"
        answer = self._session.post(url, json=self._login, timeout=TIMEOUT_S)
        if answer.status_code == UNAUTHORIZED:
            raise StackBroken(
                f"Airflow: the user {self._login['username']} was refused; "
                "its password is in airflow/passwords.json"
            )
        answer.raise_for_status()
        self._token = str(answer.json()["access_token"])


def _reason(answer: requests.Response) -> str:
    """Give Airflow's own short reason, if it has one."""
    with contextlib.suppress(ValueError, AttributeError):
        return str(answer.json().get("detail"))[:200]
    return "no reason given"
