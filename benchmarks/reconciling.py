"""Benchmark of reconciliation: a million delivered records, one lost and one altered.

A target on a real socket lists what it has in pages of JSON; the hub reads, keys and copies them
and compares in PostgreSQL. Measured from the first request to the signed statement that names the
records. The database is one of its own, thrown away afterwards.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from benchmarks.figures import Row, figure
from connectors import open_connector
from tongban.evidence.signing import open_signer
from tongban.kernel.connections import Connection
from tongban.kernel.systems import System
from tongban.local import databases, ports, postgres
from tongban.protect import KeyRing, Vault
from tongban.reconcile.service import Reconciled, compare_lists, settle
from tongban.reconcile.sides import moment_of
from tongban.store.copy import copy_frame
from tongban.store.engine import open_engine, transaction
from tongban.store.migrate import migrate

RECORDS = 1_000_000
PAGE = 50_000
GOAL_S = 10.0
TARGET, DATASET = "office", "rows"


def run(records: int = RECORDS) -> list[Row]:
    """Measure a quiet day, a lost record and an altered one."""
    with tempfile.TemporaryDirectory(prefix="tongban-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server drops root's rights and must reach its data folder
        try:
            url = postgres.start(folder / "pg", ports.free_port())
            return _measured(_database(url), folder, records)
        finally:
            postgres.stop(folder / "pg")


def _database(url: str) -> str:
    """A fresh database of the hub's own role."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        databases.ensure_role(connection, databases.HUB, "bench", creates_roles=True)
        databases.ensure_database(connection, "bench", owner=databases.HUB)
    place = url.partition("@")[2].partition("/")[0]
    return f"postgresql://{databases.HUB}:bench@{place}/bench"


def _measured(url: str, folder: Path, records: int) -> list[Row]:
    engine = open_engine(url)
    migrate(engine)
    keyring = KeyRing.open(folder / "keys", {})
    lines = [_line(number) for number in range(records)]
    _deliver(engine, Vault(keyring), lines)
    lost, altered = records // 3, records // 2
    found: list[Row] = []
    with _listing(lines) as base_url:
        found.append(_figure("quiet day", *_compared(engine, keyring, base_url), {}))
        kept = lines[lost]
        lines[lost] = lines[0]
        lines[0] = kept
        del lines[0]
        told = _compared(engine, keyring, base_url)
        found.append(_figure("one record lost", *told, {"missing_there": 1}))
        lines.append(kept)
        guid, _ = lines[altered]
        lines[altered] = (guid, "0" * 64)
        told = _compared(engine, keyring, base_url)
        found.append(_figure("one record altered", *told, {"altered_there": 1}))
    engine.dispose()
    return found


def _line(number: int) -> tuple[str, str]:
    """Guid and content digest of one record."""
    head = hashlib.sha256(number.to_bytes(8, "big")).hexdigest()
    guid = f"{head[:8]}-{head[8:12]}-8{head[13:16]}-8{head[17:20]}-{head[20:32]}"
    return guid, head


def _deliver(engine: Any, vault: Vault, lines: list[tuple[str, str]]) -> None:
    """The outbox after a million receipts."""
    import polars as pl

    guids, digests = zip(*lines, strict=True)
    frame = pl.DataFrame({"record_id": guids, "digest": vault.keyed_all(list(digests))})
    rows = frame.select(
        pl.lit(TARGET).alias("target"),
        pl.lit(DATASET).alias("dataset"),
        "record_id",
        pl.lit(1).alias("version"),
        pl.lit("accepted").alias("state"),
        pl.lit("I").alias("op"),
        "digest",
        pl.format("R{}", pl.int_range(pl.len())).alias("receipt_no"),
    )
    with transaction(engine) as conn:
        copy_frame(conn, "outbox", rows, schema="hub")
        conn.execute(text("UPDATE hub.outbox SET sent_at = now() - interval '1 hour'"))
    with transaction(engine) as conn:
        conn.execute(text("ANALYZE hub.outbox"))


def _compared(engine: Any, keyring: KeyRing, url: str) -> tuple[float, Reconciled]:
    """One comparison and how long it took; it repairs nothing."""
    with open_connector(_system(), Connection(TARGET, url), Path()) as connector:
        began = time.monotonic()
        with transaction(engine) as conn:
            begun = Reconciled(uuid4(), TARGET, DATASET, None, "none", moment_of(conn), 0)
            pages = connector.statement_pages(DATASET)
            found = compare_lists(conn, begun, pages, Vault(keyring))
            signer = open_signer(keyring.derived("bench"))
            found = settle(conn, found, signer, repairs=False, all_of_it=False)
        return time.monotonic() - began, found


def _figure(name: str, seconds: float, found: Reconciled, expected: dict[str, int]) -> Row:
    """A figure only counts when the comparison said what is true."""
    if dict(found.differences) != expected:
        note = f"found {dict(found.differences)}, expected {expected}"
        return figure(name, None, "s", at_most=GOAL_S, note=note)
    return figure(f"{name} in {found.ours_rows:,}", seconds, "s", at_most=GOAL_S)


def _system() -> System:
    """Declare the target."""
    answers = {"records": "results", "guid": "g", "accepted": {"path": "s", "equals": "ok"}}
    answers["rejected"] = {"path": "s", "equals": "no"}
    call = {"path": "/list", "query": {"c": "{cursor}"}}
    statement = {"call": call, "records": "rows", "guid": "g", "version": "v", "digest": "d"}
    statement["paging"] = {"kind": "cursor", "size": PAGE, "next": "next"}
    push = {"path": "/rows", "method": "POST", "body": {"rows": "{records}"}}
    return System.model_validate(
        {
            "system": TARGET,
            "title": {"zh": TARGET, "en": TARGET},
            "department": {"code": "1", "name": TARGET},
            "protocol": "rest",
            "connection": TARGET,
            "interfaces": {"api": {}},
            "accepts": {
                DATASET: {"call": push, "batch": 500, "answers": answers, "statement": statement}
            },
        }
    )


@contextmanager
def _listing(lines: list[tuple[str, str]]) -> Generator[str]:
    """Serve the list in pages on a free port; what changes in it is served at once."""

    class Handler(BaseHTTPRequestHandler):
        """Answers every call with one page, made on its first asking."""

        def do_GET(self) -> None:
            """Pages from the cursor on."""
            told = self.path.partition("c=")[2]
            body = _page(lines, int(told) if told.isdigit() else 0)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _page(lines: list[tuple[str, str]], at: int) -> bytes:
    """One page of the list."""
    rows = ",".join(
        f'{{"g":"{guid}","v":1,"d":"{digest}"}}' for guid, digest in lines[at : at + PAGE]
    )
    following = f'"{at + PAGE}"' if at + PAGE < len(lines) else "null"
    return f'{{"rows":[{rows}],"next":{following}}}'.encode()
