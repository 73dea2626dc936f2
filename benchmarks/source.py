"""Source and sink: one process that serves generated pages and acknowledges what is sent to it.

Raw sockets and one thread per connection, so that it costs next to nothing beside the client that
is measured. It holds no state but counts, and refuses nothing.

    GET  /e<EPOCH>/rest?cursor=K   page K as JSON
    POST /e<EPOCH>/soap            page K of `<cursor>K</cursor>`; GET …/soap?wsdl gives the WSDL
    POST /sink                     a receipt for each record that carries a guid
    POST /ack                      one receipt for the whole batch
    GET  /stats                    records, distinct guids and batches since the last call
"""

from __future__ import annotations

import contextlib
import json
import mmap
import re
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from benchmarks.gen import pages_of
from benchmarks.layout import REST, SOAP

WSDL = Path(__file__).parent / "catalog" / "shared" / "connectors" / "wsdl" / "BenchSource.wsdl"
RECEIVE_BYTES = 1 << 18
_REQUEST = re.compile(rb"^(GET|POST) (?:/e(\d)/(rest|soap)|/(sink|ack|stats))(?:\?(\S*))? ")
_LENGTH = re.compile(rb"content-length: *(\d+)")
_REST_CURSOR = re.compile(rb"cursor=(\d+)")
_SOAP_CURSOR = re.compile(rb"cursor>(\d+)<")
_GUID = re.compile(rb'"guid":"([^"]+)"')


class Book:
    """Opened pages by protocol and epoch."""

    def __init__(self, folder: Path, rows: int) -> None:
        self._folder = folder
        self._rows = rows
        self._open: dict[tuple[str, int], tuple[list[int], memoryview]] = {}
        self._lock = threading.Lock()

    def page(self, protocol: str, epoch: int, number: int) -> memoryview:
        """The bytes of one page."""
        with self._lock:
            if (protocol, epoch) not in self._open:
                pages = pages_of(self._folder, protocol, self._rows, epoch)
                with pages.body.open("rb") as stream:
                    mapped = mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)
                self._open[protocol, epoch] = (list(pages.offsets()), memoryview(mapped))
        offsets, body = self._open[protocol, epoch]
        return body[offsets[number] : offsets[number + 1]]


class Counts:
    """What the sink was given."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records = 0
        self._batches = 0
        self._guids: set[bytes] = set()

    def add(self, records: int, guids: list[bytes]) -> None:
        """Note one batch."""
        with self._lock:
            self._records += records
            self._batches += 1
            self._guids.update(guids)

    def take(self) -> bytes:
        """The counts as JSON; counting starts anew."""
        with self._lock:
            facts = {
                "records": self._records,
                "batches": self._batches,
                "guids": len(self._guids),
            }
            self._records = self._batches = 0
            self._guids.clear()
        return json.dumps(facts).encode()


def serve(listener: socket.socket, book: Book, counts: Counts) -> None:
    """Accept connections until the process ends."""
    while True:
        connection, _ = listener.accept()
        arguments = (connection, book, counts)
        threading.Thread(target=_converse, args=arguments, daemon=True).start()


def _converse(connection: socket.socket, book: Book, counts: Counts) -> None:
    """Answer the requests of one connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    with contextlib.suppress(ConnectionError), connection:
        for head, body in _requests(connection):
            kind, answer = _answer(head, body, book, counts)
            length = len(answer)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: %s; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
                % (kind, length)
            )
            connection.sendall(answer)


def _requests(connection: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    """Head and body of each request."""
    rest = b""
    while True:
        while (end := rest.find(b"\r\n\r\n")) < 0:
            received = connection.recv(RECEIVE_BYTES)
            if not received:
                return
            rest += received
        head, first = rest[:end], rest[end + 4 :]
        found = _LENGTH.search(head.lower())
        needed = int(found[1]) if found else 0
        parts, have = [first], len(first)
        while have < needed:
            received = connection.recv(RECEIVE_BYTES)
            if not received:
                return
            parts.append(received)
            have += len(received)
        whole = b"".join(parts)
        rest = whole[needed:]
        yield head, whole[:needed]


def _answer(
    head: bytes, body: bytes, book: Book, counts: Counts
) -> tuple[bytes, bytes | memoryview]:
    """Content type and body of the answer to one request."""
    match = _REQUEST.match(head)
    if match is None:
        return b"text/plain", b"unknown request"
    method, epoch, protocol, place, query = match.groups()
    if protocol == b"soap" and method == b"GET":
        host = re.search(rb"host: *(\S+)", head, re.IGNORECASE)
        address = b"http://%s/e%s/soap" % (host[1] if host else b"127.0.0.1", epoch)
        return b"text/xml", WSDL.read_bytes().replace(b"http://127.0.0.1/soap", address)
    if protocol == b"soap":
        number = _SOAP_CURSOR.search(body)
        return b"text/xml", book.page(SOAP, int(epoch), int(number[1]) if number else 0)
    if protocol == b"rest":
        number = _REST_CURSOR.search(query or b"")
        return b"application/json", book.page(REST, int(epoch), int(number[1]) if number else 0)
    if place == b"stats":
        return b"application/json", counts.take()
    return b"application/json", _acknowledge(body, counts, each=place == b"sink")


def _acknowledge(body: bytes, counts: Counts, *, each: bool) -> bytes:
    """A receipt per record, or one for the batch."""
    if not each:
        records = body.count(b'"business_no"')
        counts.add(records, [])
        return b'{"code":"0","accepted":%d}' % records
    guids = _GUID.findall(body)
    counts.add(len(guids), guids)
    receipts = b",".join(b'{"guid":"%s","state":"0","receipt":"R%s"}' % (g, g[:8]) for g in guids)
    return b'{"code":"0","message":"","results":[%s]}' % receipts


def main() -> None:
    """Listen on a free port, print it, serve."""
    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        print(listener.getsockname()[1], flush=True)
        serve(listener, Book(folder, rows), Counts())


if __name__ == "__main__":
    main()
