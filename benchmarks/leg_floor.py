"""Leg: the floor — what nobody can leave out: bytes, parse, COPY, encode, send.

No rule, no mapping, no change detection, no protection, no history, no receipt per record. Three
stages side by side, as a fast hand-written transfer would do it: one thread fetches and parses,
one copies, a small pool sends.
"""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec
import polars as pl
import psycopg
import requests
from lxml import etree

from benchmarks.layout import BATCH, CHUNK_PAGES, FIELDS, NAMESPACE, REST
from benchmarks.meter import Meter, given, peak_memory_mb, since_start_s, tell

SENDERS = 4
ENVELOPE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    f'<Query xmlns="{NAMESPACE}"><cursor>%s</cursor><size>1000</size></Query>'
    "</s:Body></s:Envelope>"
)
_SCHEMA = dict.fromkeys(FIELDS, pl.String)
_page = msgspec.json.Decoder(dict[str, msgspec.Raw])


def rest_frames(session: requests.Session, source: str) -> Iterator[pl.DataFrame]:
    """Pages as frames: the record list is cut out raw and parsed by Polars."""
    cursor: str | None = "0"
    while cursor is not None:
        body = session.get(f"{source}/e0/rest?cursor={cursor}").content
        data = _page.decode(_page.decode(body)["data"])
        yield pl.read_json(io.BytesIO(data["records"]), schema=_SCHEMA)
        cursor = msgspec.json.decode(data["next_cursor"])


def soap_frames(session: requests.Session, source: str) -> Iterator[pl.DataFrame]:
    """Pages as frames: lxml's parser, texts by position."""
    cursor: str | None = "0"
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": "Query"}
    while cursor:
        answer = session.post(f"{source}/e0/soap", data=ENVELOPE % cursor, headers=headers)
        root = etree.fromstring(answer.content)
        rows = [[leaf.text for leaf in item] for item in root.iter(f"{{{NAMESPACE}}}Record")]
        yield pl.DataFrame(rows, schema=_SCHEMA, orient="row")
        cursor = root.findtext(f".//{{{NAMESPACE}}}NextCursor")


def fetch(frames: Iterable[pl.DataFrame], ready: queue.Queue[pl.DataFrame | None]) -> None:
    """Put chunks of pages into the queue; None is the end."""
    waiting: list[pl.DataFrame] = []
    try:
        for frame in frames:
            waiting.append(frame)
            if len(waiting) == CHUNK_PAGES:
                ready.put(pl.concat(waiting, rechunk=True))
                waiting.clear()
        if waiting:
            ready.put(pl.concat(waiting, rechunk=True))
    finally:
        ready.put(None)


def copy(connection: psycopg.Connection[Any], frame: pl.DataFrame) -> None:
    """COPY one chunk and commit."""
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False, null_value="\x01")
    statement = "COPY floor FROM STDIN (FORMAT csv, NULL '\x01')"
    with connection.cursor() as cursor, cursor.copy(statement) as target:
        target.write(buffer.getbuffer())
    connection.commit()


def send(session: requests.Session, source: str, frame: pl.DataFrame) -> int:
    """Encode one batch, send it, read the answer; gives the acknowledged rows."""
    body = frame.write_json().encode()
    answer = session.post(
        f"{source}/ack", data=body, headers={"Content-Type": "application/json; charset=utf-8"}
    )
    accepted: int = answer.json()["accepted"]
    return accepted


def run(facts: dict[str, Any]) -> None:
    """Fetch, copy and send everything once; print what it cost."""
    source, session = facts["source"], requests.Session()
    sessions = threading.local()
    frames = rest_frames if facts["protocol"] == REST else soap_frames
    columns = ", ".join(f"{name} text" for name in FIELDS.values())
    meter = Meter(facts["postgres_pid"])
    with psycopg.connect(facts["database"]) as connection:
        connection.execute(f"CREATE TABLE floor ({columns}, PRIMARY KEY (business_no))".encode())
        connection.commit()
        ready: queue.Queue[pl.DataFrame | None] = queue.Queue(2)

        def deliver(part: pl.DataFrame) -> int:
            if not hasattr(sessions, "own"):
                sessions.own = requests.Session()
            return send(sessions.own, source, part)

        started_s = since_start_s()
        with meter.stage("all"), ThreadPoolExecutor(SENDERS) as pool:
            puller = threading.Thread(target=fetch, args=(frames(session, source), ready))
            puller.start()
            going: list[Future[int]] = []
            while (chunk := ready.get()) is not None:
                copy(connection, chunk)
                named = chunk.rename(FIELDS)
                going += [pool.submit(deliver, part) for part in named.iter_slices(BATCH)]
            acknowledged = sum(future.result() for future in going)
            puller.join()
    tell(
        stages=meter.facts(),
        started_s=started_s,
        acknowledged=acknowledged,
        memory_mb=peak_memory_mb(),
    )


if __name__ == "__main__":
    run(given())
