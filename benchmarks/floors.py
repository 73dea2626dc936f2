"""Floors: what single steps cost at least, each by the ways that one could choose between.

Bytes per HTTP client, JSON and XML parsing, COPY, digest and encryption per value; µs of CPU per
record (or value) of this process alone. They tell which library to use and where time must go;
none has a goal.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any
from xml.parsers import expat

import httpx
import msgspec
import polars as pl
import psycopg
import requests
import urllib3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from lxml import etree

from benchmarks.figures import Row, figure
from benchmarks.gen import pages_of
from benchmarks.layout import FIELDS, NAMESPACE, REST, SOAP
from benchmarks.stage import Stage, open_stage

ROWS_VARIABLE = "TONGBAN_BENCH_FLOOR_ROWS"
DEFAULT_ROWS = 20_000
_SCHEMA = dict.fromkeys(FIELDS, pl.String)
_page = msgspec.json.Decoder(dict[str, msgspec.Raw])
_rows = msgspec.json.Decoder(list[dict[str, str]])
Way = Callable[[], object]


def run() -> list[Row]:
    """Measure every way on the same pages."""
    rows = int(os.environ.get(ROWS_VARIABLE) or DEFAULT_ROWS)
    with open_stage(rows, epochs=1) as stage:
        json_pages = list(pages_of(stage.pages, REST, rows, 0).read())
        xml_pages = list(pages_of(stage.pages, SOAP, rows, 0).read())
        groups: dict[str, dict[str, Way]] = {
            "bytes": _bytes_ways(stage, len(json_pages)),
            "json": _each(json_pages, JSON_WAYS),
            "xml": _each(xml_pages, XML_WAYS),
            "value": _value_ways(rows),
            "copy": _copy_ways(stage, pl.concat(map(json_sliced, json_pages))),
        }
        return [
            figure(f"floors.{group}.{name}", _cost_us(way, rows), "us/record")
            for group, ways in groups.items()
            for name, way in ways.items()
        ]


def _cost_us(way: Way, rows: int) -> float:
    """CPU per record: the better of two tries."""
    costs = []
    for _ in range(2):
        started = time.process_time()
        way()
        costs.append(time.process_time() - started)
    return min(costs) / rows * 1e6


def _each(pages: Iterable[bytes], ways: dict[str, Callable[[bytes], object]]) -> dict[str, Way]:
    """Ways that take one page after the other."""

    def all_pages(way: Callable[[bytes], object]) -> Way:
        return lambda: [way(page) for page in pages] and None

    return {name: all_pages(way) for name, way in ways.items()}


def _bytes_ways(stage: Stage, count: int) -> dict[str, Way]:
    """The same pages through each HTTP client."""
    host = stage.source.removeprefix("http://")
    session, client = requests.Session(), httpx.Client()
    pool, connection = urllib3.PoolManager(), http.client.HTTPConnection(host)

    def plain(path: str) -> bytes:
        connection.request("GET", path)
        return connection.getresponse().read()

    ways: dict[str, Callable[[str], object]] = {
        "requests": lambda path: session.get(stage.source + path).content,
        "httpx": lambda path: client.get(stage.source + path).content,
        "urllib3": lambda path: pool.request("GET", stage.source + path).data,
        "http.client": plain,
    }

    def all_pages(way: Callable[[str], object]) -> Way:
        return lambda: [way(f"/e0/rest?cursor={page}") for page in range(count)] and None

    return {name: all_pages(way) for name, way in ways.items()}


def json_sliced(page: bytes) -> pl.DataFrame:
    """The record list cut out raw, read by Polars."""
    records = _page.decode(_page.decode(page)["data"])["records"]
    return pl.read_json(io.BytesIO(records), schema=_SCHEMA)


def json_columns(page: bytes) -> pl.DataFrame:
    """Typed dicts by msgspec, then columns."""
    rows = _rows.decode(_page.decode(_page.decode(page)["data"])["records"])
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in FIELDS}, schema=_SCHEMA)


def json_standard(page: bytes) -> Any:
    """The standard library, to dicts."""
    return json.loads(page)["data"]["records"]


def json_msgspec(page: bytes) -> Any:
    """The whole page by msgspec, to dicts."""
    return msgspec.json.decode(page)


def xml_lxml(page: bytes) -> pl.DataFrame:
    """A tree by lxml, texts by position."""
    root = etree.fromstring(page)
    rows = [[leaf.text for leaf in item] for item in root.iter(f"{{{NAMESPACE}}}Record")]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def xml_tree(page: bytes) -> object:
    """A tree by lxml and nothing more."""
    return etree.fromstring(page)


def xml_expat(page: bytes) -> list[str]:
    """Events by expat, texts collected."""
    texts: list[str] = []
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.CharacterDataHandler = texts.append
    parser.Parse(page, True)  # noqa: FBT003 - expat knows no keyword
    return texts


JSON_WAYS: dict[str, Callable[[bytes], object]] = {
    "raw-slice+polars": json_sliced,
    "msgspec+columns": json_columns,
    "msgspec": json_msgspec,
    "json": json_standard,
}
XML_WAYS: dict[str, Callable[[bytes], object]] = {
    "lxml-tree": xml_tree,
    "lxml+columns": xml_lxml,
    "expat": xml_expat,
}


def _value_ways(rows: int) -> dict[str, Way]:
    """Digest and encryption of one short value per record."""
    values = [f"620899199001{number:06d}".encode() for number in range(rows)]
    key = os.urandom(32)
    nonces = [os.urandom(12) for _ in values]
    gcm, chacha = AESGCM(key), ChaCha20Poly1305(key)
    keyed = hashlib.blake2b(key=key, digest_size=16).copy

    def blake(value: bytes) -> bytes:
        state = keyed()
        state.update(value)
        return state.digest()

    def sealed(cipher: AESGCM | ChaCha20Poly1305) -> Way:
        return lambda: (
            [
                cipher.encrypt(nonce, value, None)
                for nonce, value in zip(nonces, values, strict=True)
            ]
            and None
        )

    return {
        "sha256": lambda: [hashlib.sha256(value).digest() for value in values] and None,
        "blake2b-keyed": lambda: [blake(value) for value in values] and None,
        "aes-256-gcm": sealed(gcm),
        "chacha20-poly1305": sealed(chacha),
    }


def _copy_ways(stage: Stage, frame: pl.DataFrame) -> dict[str, Way]:
    """Into a text table: CSV written by Polars, and psycopg row by row."""
    columns = ", ".join(f"{name} text" for name in FIELDS.values())
    database = stage.database("floors")

    def copying(write: Callable[[psycopg.Copy], None], form: str) -> Way:
        def way() -> None:
            with psycopg.connect(database) as connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE TEMPORARY TABLE t ({columns})".encode())
                with cursor.copy(f"COPY t FROM STDIN{form}".encode()) as copy:
                    write(copy)

        return way

    def csv(copy: psycopg.Copy) -> None:
        buffer = io.BytesIO()
        frame.write_csv(buffer, include_header=False)
        copy.write(buffer.getbuffer())

    def by_row(copy: psycopg.Copy) -> None:
        for row in frame.iter_rows():
            copy.write_row(row)

    return {"polars-csv": copying(csv, " (FORMAT csv)"), "psycopg-rows": copying(by_row, "")}
