"""Small real servers for connector tests, and a clock that nobody waits for."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors import Connector, open_connector
from tongban.kernel.connections import Connection
from tongban.kernel.records import BEIJING, OutgoingRecord, Page, Receipt, Window
from tongban.kernel.systems import System

UNTIL = datetime(2018, 10, 8, 12, 0, tzinfo=BEIJING)
ALL = Window(None, UNTIL)


@dataclass
class Asked:
    """One request that a test server got."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    raw_query: str


Reply = tuple[int, dict[str, str], bytes]
Handler = Callable[[Asked], Reply]


@dataclass
class Server:
    """A running server: its address and what it was asked."""

    url: str
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def serving(handler: Handler) -> Generator[Server]:
    """Serve HTTP on a free port until the block ends."""

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            asked = Asked(
                self.command,
                parts.path,
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                body,
                parts.query,
            )
            server.asked.append(asked)
            status, headers, answer = handler(asked)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - names of the standard library

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server = Server(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@contextmanager
def raw_serving(talk: Callable[[socket.socket], None]) -> Generator[Server]:
    """Serve raw TCP: `talk` gets each connection after its request was read."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    server = Server(f"http://127.0.0.1:{listener.getsockname()[1]}")
    done = threading.Event()

    def loop() -> None:
        while not done.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(1)
                data = connection.recv(1 << 16)
                server.asked.append(Asked("", "", {}, {}, data, ""))
                talk(connection)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield server
    finally:
        done.set()
        thread.join()
        listener.close()


class FakeClock:
    """Time that only passes when somebody waits."""

    def __init__(self, at: datetime = UNTIL) -> None:
        self.at = at
        self.seconds = 1000.0
        self.waits: list[float] = []

    def now(self) -> datetime:
        """Tell the fake moment."""
        return self.at

    def monotonic(self) -> float:
        """Tell the fake seconds."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let the fake time pass."""
        self.waits.append(seconds)
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        """Move the clock."""
        self.seconds += seconds
        self.at += timedelta(seconds=seconds)


BUDGET = {"requests_per_second": 10000, "backoff_first_s": 0.01, "attempts": 3}


def rest_system(
    *,
    interface: dict[str, Any] | None = None,
    dataset: dict[str, Any] | None = None,
    accepts: dict[str, Any] | None = None,
    budget: dict[str, Any] | None = None,
    **more: Any,
) -> System:
    """Declare a REST system called `fund` with one dataset `account`."""
    call = {"path": "/accounts", "query": {"from": "{since}", "to": "{until}"}}
    document = {
        "system": "fund",
        "title": {"zh": "公积金", "en": "Housing fund"},
        "department": {"code": "1", "name": "公积金中心"},
        "protocol": "rest",
        "connection": "fund",
        "interfaces": {"api": interface or {}},
        "budget": {**BUDGET, **(budget or {})},
        "datasets": {"account": {"call": call, "records": "rows", **(dataset or {})}},
        "accepts": {"notice": accepts} if accepts else {},
        **more,
    }
    return System.model_validate(document)


def connect(
    system: System, url: str, *, clock: FakeClock | None = None, root: Path = Path(), **secrets: Any
) -> Connector:
    """Open a connector with an account of its own."""
    connection = Connection(
        "fund",
        url,
        login=str(secrets.pop("login", "hub")),
        password=str(secrets.pop("password", "open-sesame")),
        extra=secrets.pop("extra", {}),
    )
    return open_connector(system, connection, root, clock=clock or FakeClock(), **secrets)


JSON = {"Content-Type": "application/json"}
RECORD = OutgoingRecord("g1", "I", 1, "d", {"name": "甲"})
ACCEPTS = {
    "call": {"method": "POST", "path": "/in", "body": {"rows": "{records}"}},
    "batch": 10,
    "record": {"id": "{guid}", "...": "{data}"},
    "answers": {
        "records": "results",
        "guid": "id",
        "accepted": {"path": "s", "equals": "ok"},
        "duplicate": {"path": "s", "equals": "dup"},
        "rejected": {"path": "s", "equals": ["no", "never"]},
        "receipt_no": "no",
        "code": "code",
        "message": "why",
    },
}


def collect(pages: Iterable[Page], kept: list[Page]) -> None:
    """Keep pages as they come, so that those before an error are not lost."""
    for page in pages:
        kept.append(page)  # noqa: PERF402 - extend would lose them


def in_turn(*handlers: Handler) -> Handler:
    """Answer with each handler once, then always with the last."""
    waiting = list(handlers)

    def answer(asked: Asked) -> Reply:
        handler = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return handler(asked)

    return answer


def ok(rows: Iterable[Any] = (), **more: Any) -> Reply:
    """Answer with rows."""
    return 200, JSON, json.dumps({"rows": list(rows), **more}).encode()


def read(
    url: str, system: System | None = None, *, clock: Any = None, **secrets: Any
) -> list[Page]:
    """Read the dataset once."""
    with connect(system or rest_system(), url, clock=clock, **secrets) as connector:
        return list(connector.read_pages("account", ALL))


def push(
    url: str,
    system: System | None = None,
    records: Sequence[OutgoingRecord] = (RECORD,),
    **secrets: Any,
) -> list[Receipt]:
    """Send a batch once."""
    with connect(system or rest_system(accepts=ACCEPTS), url, **secrets) as connector:
        return connector.send("notice", list(records))


def answers(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Handler:
    """Always answer this."""
    return lambda _a: (status, headers or {"Content-Type": "text/plain"}, body)
