"""Our client of Airflow's REST API, against a server that behaves like a busy Airflow."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tongban.kernel.errors import StackBroken, SystemUnavailable
from tongban.local import airflow_api, ports
from tongban.local.airflow_api import AirflowApi

PASSWORD = "right"


class Desk(BaseHTTPRequestHandler):
    """Answers as Airflow does; the server object holds what it knows."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def answer(self, status: int, body: Any) -> None:
        """Send JSON."""
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def handle_call(self) -> None:
        """Log in, or look the address up."""
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        path = urlsplit(self.path)
        server: Any = self.server
        server.calls.append((self.command, path.path, body))
        if path.path == "/auth/token":
            if body["password"] != PASSWORD:
                self.answer(401, {"detail": "wrong"})
                return
            server.token += 1
            self.answer(201, {"access_token": f"token-{server.token}"})
            return
        if self.headers.get("Authorization") != f"Bearer token-{server.token}":
            self.answer(401, {"detail": "no"})
            return
        if server.trouble:
            self.answer(server.trouble.pop(0), {"detail": "busy"})
            return
        query = parse_qs(path.query)
        answer = server.answers[self.command, path.path]
        if isinstance(answer, list):
            start, size = int(query["offset"][0]), int(query["limit"][0])
            part = answer[start : start + size]
            self.answer(200, {"dags": part, "total_entries": len(answer)})
        else:
            self.answer(*answer)

    do_GET = do_POST = do_PATCH = handle_call  # noqa: N815 - http.server looks for these names


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Run the desk on a free port; waiting between tries is cut short."""
    monkeypatch.setattr(airflow_api, "PAUSE_S", 0.001)
    made: Any = ThreadingHTTPServer((ports.HOST, 0), Desk)
    made.token, made.trouble, made.calls, made.answers = 0, [], [], {}
    made.url = f"http://{ports.HOST}:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def test_all_pages_are_read(server: Any) -> None:
    """Airflow gives at most 100 at a time."""
    server.answers["GET", "/api/v2/dags"] = [{"dag_id": str(n)} for n in range(250)]

    found = AirflowApi(server.url, "admin", PASSWORD).dags()

    assert 250 == len({dag["dag_id"] for dag in found})


def test_expired_token_is_renewed_once(server: Any) -> None:
    """A demo may run longer than a token lives."""
    server.answers["GET", "/api/v2/dags"] = [{"dag_id": "one"}]
    api = AirflowApi(server.url, "admin", PASSWORD)
    api.dags()
    server.token += 1  # the old one is no longer known

    assert [{"dag_id": "one"}] == api.dags()


def test_busy_server_is_asked_again(server: Any) -> None:
    """Two refusals of a busy server are no failure."""
    server.answers["GET", "/api/v2/dags"] = [{"dag_id": "one"}]
    server.trouble = [503, 500]

    assert [{"dag_id": "one"}] == AirflowApi(server.url, "admin", PASSWORD).dags()


def test_server_that_stays_busy_is_unavailable(server: Any) -> None:
    """The caller learns that the same call may succeed later."""
    server.trouble = [503] * 20

    with pytest.raises(SystemUnavailable, match="failed 5 times \\(HTTP 503\\)"):
        AirflowApi(server.url, "admin", PASSWORD).dags()


def test_silent_server_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens: our error, not that of the HTTP library."""
    monkeypatch.setattr(airflow_api, "PAUSE_S", 0.001)

    with pytest.raises(SystemUnavailable):
        AirflowApi(f"http://{ports.HOST}:{ports.free_port()}", "admin", PASSWORD).dags()


def test_wrong_password_is_said_without_the_password(server: Any) -> None:
    """The message names the user and the file."""
    with pytest.raises(StackBroken, match=r"admin was refused.*passwords\.json") as caught:
        AirflowApi(server.url, "admin", "canary").dags()

    assert "canary" not in str(caught.value)


def test_refusal_has_airflows_reason(server: Any) -> None:
    """A mistake of the caller is not repeated."""
    server.answers["POST", "/api/v2/dags/x/dagRuns"] = (404, {"detail": "DAG x not found"})

    with pytest.raises(StackBroken, match="HTTP 404: DAG x not found"):
        AirflowApi(server.url, "admin", PASSWORD).trigger("x", "run-1")
    assert 1 == sum(path.endswith("/dagRuns") for _, path, _ in server.calls)


def test_triggering_the_same_run_again_is_no_error(server: Any) -> None:
    """The answer may have been lost; the run id makes the repetition harmless."""
    server.answers["POST", "/api/v2/dags/x/dagRuns"] = (409, {"detail": "exists"})

    assert "run-1" == AirflowApi(server.url, "admin", PASSWORD).trigger("x", "run-1")


def test_unknown_run_is_none(server: Any) -> None:
    """Asking for a run that was never made is a normal question."""
    server.answers["GET", "/api/v2/dags/x/dagRuns/run-1"] = (404, {"detail": "no"})

    assert AirflowApi(server.url, "admin", PASSWORD).run("x", "run-1") is None


@pytest.mark.parametrize(("status", "healthy"), [("healthy", True), ("unhealthy", False)])
def test_health_is_what_airflow_says(server: Any, status: str, healthy: bool) -> None:
    """A component that Airflow misses is not well, even if its process lives."""
    health = {"scheduler": {"status": status}}
    server.answers["GET", "/api/v2/monitor/health"] = (200, health)
    api = AirflowApi(server.url, "admin", PASSWORD)
    api._log_in()  # the real address needs no token, the desk's does
    api._session.headers["Authorization"] = f"Bearer {api._token}"

    assert healthy == api.is_healthy("scheduler")
    assert not api.is_healthy("triggerer")
