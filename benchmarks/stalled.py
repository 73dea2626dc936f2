"""Benchmark of isolation: one department accepts calls and never answers; what do the others feel?

Real sockets, an hour scaled down to seconds: four departments are read side by side, each by a
thread of its own and inside its own budget, first alone and then beside a fifth that stalls with
all its calls taken. Rates are declared, as for every real department, and must be kept. In the
installation the fifth even is another process; here it shares the interpreter, which is worse.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.figures import Row, figure
from connectors import open_connector
from tongban.kernel.connections import Connection
from tongban.kernel.errors import RetryLater
from tongban.kernel.records import BEIJING, Window
from tongban.kernel.systems import System

DEPARTMENTS = 4
PAGES = 60
RATE = 30.0
WINDOW = Window(None, datetime(2018, 10, 8, tzinfo=BEIJING))


def run() -> list[Row]:
    """Measure the throughput of the others with and without a stalled department."""
    alone, beside = others(stalled=False), others(stalled=True)
    alone = max(alone, others(stalled=False))
    beside = max(beside, others(stalled=True))
    return [
        figure("others alone", alone, "pages/s"),
        figure("others beside a stalled department", beside, "pages/s"),
        figure("share that is left to the others", beside / alone, "ratio", at_least=0.95),
    ]


def others(*, stalled: bool) -> float:
    """Pages a second of all other departments together."""
    with ExitStack() as stack:
        urls = [stack.enter_context(answering()) for _ in range(DEPARTMENTS)]
        if stalled:
            stack.enter_context(stalling_reader())
        with ThreadPoolExecutor(DEPARTMENTS) as pool:
            began = time.monotonic()
            pages = sum(pool.map(read, enumerate(urls)))
            seconds = time.monotonic() - began
    return pages / seconds


def read(place: tuple[int, str]) -> int:
    """Read one department to its end; gives the number of pages."""
    number, url = place
    with open_connector(system(f"d{number}"), Connection("d", url), Path()) as connector:
        return sum(1 for _ in connector.read_pages("rows", WINDOW))


def system(name: str, **budget: Any) -> System:
    """Declare a department of cursor pages."""
    return System.model_validate(
        {
            "system": name,
            "title": {"zh": name, "en": name},
            "department": {"code": "1", "name": name},
            "protocol": "rest",
            "connection": "d",
            "interfaces": {"api": {}},
            "budget": {"requests_per_second": RATE, **budget},
            "datasets": {
                "rows": {
                    "call": {"path": "/rows", "query": {"c": "{cursor}"}},
                    "records": "rows",
                    "paging": {"kind": "cursor", "size": 50, "next": "next"},
                }
            },
        }
    )


@contextmanager
def answering() -> Generator[str]:
    """Serve pages on a free port."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


class _Pages(BaseHTTPRequestHandler):
    """Fifty rows a page."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer with the page of the cursor."""
        at = int(self.path.rpartition("c=")[2] or 0)
        following = str(at + 1) if at + 1 < PAGES else ""
        body = json.dumps({"rows": [{"id": at * 50 + n} for n in range(50)], "next": following})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def stalling_reader() -> Generator[None]:
    """Keep reading a department that accepts every call and never answers."""
    done = threading.Event()
    declared = system("stalled", read_timeout_s=1.0, attempts=2, backoff_first_s=0.05)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def keep_asking() -> None:
            with open_connector(declared, Connection("d", url), Path()) as connector:
                while not done.is_set():
                    try:
                        list(connector.read_pages("rows", WINDOW))
                    except RetryLater:
                        done.wait(0.05)

        threads = [threading.Thread(target=keep_asking) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join()
