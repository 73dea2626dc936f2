"""Server: a fake department on 127.0.0.1, one thread per connection, until it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from tongban.kernel.errors import PortTaken
from tongban.onboarding.fake.department import Answer
from tongban.onboarding.fake.routes import Request

HOST = "127.0.0.1"
MOST_BYTES = 64 << 20
Heard = Callable[[str, Answer], None]


class Answering(Protocol):
    """A department, or whatever else answers requests."""

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        ...


def open_server(
    department: Answering, port: int = 0, heard: Heard | None = None
) -> ThreadingHTTPServer:
    """Listen; the caller serves and closes.

    Raises:
        PortTaken: Somebody else listens there.
    """

    class Talking(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 60

        def _talk(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > MOST_BYTES:
                self.send_error(413)
                return
            parts = urlsplit(self.path)
            request = Request(
                method=self.command,
                path=unquote(parts.path),
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
            )
            answer = department.answer(request)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            if heard is not None:
                heard(f"{request.method} {request.path}", answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _talk  # noqa: N815 - names of the library

        def log_message(self, *_: object) -> None:
            """Stay silent: the library would log queries."""

    try:
        return ThreadingHTTPServer((HOST, port), Talking)
    except OSError as exc:
        raise PortTaken(
            f"port {port} of {HOST} cannot be used; choose another with --port", port=port
        ) from exc


def url_of(server: ThreadingHTTPServer) -> str:
    """Base address of a listening server."""
    return url_at(server.socket.getsockname()[1])


def url_at(port: int) -> str:
    """Base address of a server that listens on a port."""
    return f"http://{HOST}:{port}"


@contextmanager
def serving(department: Answering, port: int = 0) -> Generator[str]:
    """Serve in a thread until the block ends; gives the base address."""
    server = open_server(department, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield url_of(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
