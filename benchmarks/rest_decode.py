"""Benchmark of decoding REST answers: pages into text columns, beside msgspec + Polars alone.

The peer reads a page with msgspec and makes a frame with types guessed, of the dicts or of one list
per wanted column, whichever is faster here; it keeps no digits, finds no drift and no success
code. All read the same bytes in turn, in one run. orjson is measured too where it is installed (it
is not in our lock).
"""

from __future__ import annotations

import importlib
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from benchmarks.figures import Row, figure
from benchmarks.rows import cpu_beside
from connectors import open_connector
from connectors.protocols.jsondoc import check_names, parse_json
from connectors.protocols.lines import parse_lines, parse_table
from tongban.kernel.catalog import load_catalog
from tongban.kernel.connections import Connection
from tongban.kernel.interfaces import (
    Csv,
)
from tongban.kernel.records import RecordShape

ROOT = Path(__file__).parents[1]
GOAL = 0.7
PAGE = 500
ROUNDS = 9
DOCUMENT = list[dict[str, Any]]


def run(total: int = 20_000) -> list[Row]:
    """Measure the goals of REST decoding.

    Args:
        total: Records of each kind.
    """
    contracts = [contract(n) for n in range(total)]
    flat = [
        {k: v for k, v in item.items() if k != "parties"} | {"memo": "平凉市"} for item in contracts
    ]
    found: list[Row] = []
    for reader, decode in readers().items():
        found += beside(f"flat records, {reader}", flat_pages(flat), flat_ours(flat), decode, total)
        found += beside(
            f"contracts with parties, {reader}",
            wrapped_pages(contracts),
            contracts_ours(),
            decode,
            total,
            path=("data", "list"),
        )
    return found + lines_and_tables(flat, total)


def readers() -> dict[str, Callable[[bytes], Any]]:
    """The JSON readers that are installed."""
    made: dict[str, Callable[[bytes], Any]] = {"msgspec": msgspec.json.Decoder().decode}
    if importlib.util.find_spec("orjson") is not None:
        made["orjson"] = importlib.import_module("orjson").loads
    return made


def beside(
    what: str,
    pages: list[bytes],
    ours: Callable[[bytes], Any],
    decode: Callable[[bytes], Any],
    total: int,
    *,
    path: tuple[str, ...] = ("rows",),
) -> list[Row]:
    """Our rate, and how it stands to the peer's on the same pages."""

    def rows_of(page: bytes) -> Any:
        rows = decode(page)
        for name in path:
            rows = rows[name]
        return rows

    def by_dicts(page: bytes) -> None:
        pl.DataFrame(rows_of(page), infer_schema_length=None)

    def by_columns(page: bytes) -> None:
        rows = rows_of(page)
        wanted = [name for name, value in rows[0].items() if not isinstance(value, list)]
        pl.DataFrame({name: [row.get(name) for row in rows] for name in wanted})

    spent = cpu_beside(
        {
            "ours": lambda: [ours(page) for page in pages],
            "dicts": lambda: [by_dicts(page) for page in pages],
            "columns": lambda: [by_columns(page) for page in pages],
            "names": lambda: [check_names(page, "") for page in pages],
        },
        rounds=ROUNDS,
    )
    theirs = min(spent["dicts"], spent["columns"])
    return [
        figure(f"{what} + Polars / ours", theirs / spent["ours"], "ratio", at_least=GOAL),
        figure(f"{what}: ours", total / spent["ours"], "records/s"),
        figure(f"{what}: peer", total / theirs, "records/s"),
        figure(f"{what}: check for repeated names", total / spent["names"], "records/s"),
    ]


def flat_ours(flat: DOCUMENT) -> Callable[[bytes], Any]:
    """Records without anything inside."""
    names = tuple(flat[0])
    shape = RecordShape(names, None, frozenset(names))
    return lambda page: parse_json(page, "").columns("rows", shape, whole=True)


def contracts_ours() -> Callable[[bytes], Any]:
    """The housing system as declared: envelope, code, nested parties as drift-checked names."""
    catalog = load_catalog(ROOT)
    shape = catalog.mapping("housing", "sale_contract").shape
    connector = open_connector(
        catalog.system("housing"), Connection("housing", "http://127.0.0.1:9"), ROOT
    )
    return lambda page: connector.decode("sale_contract", page, shape)


def flat_pages(rows: DOCUMENT) -> list[bytes]:
    """Pages of a plain list."""
    return [msgspec.json.encode({"rows": rows[at : at + PAGE]}) for at in range(0, len(rows), PAGE)]


def wrapped_pages(rows: DOCUMENT) -> list[bytes]:
    """Pages as the housing system sends them."""
    return [
        msgspec.json.encode(
            {"code": "0000", "msg": "", "data": {"total": len(rows), "list": rows[at : at + PAGE]}}
        )
        for at in range(0, len(rows), PAGE)
    ]


def lines_and_tables(flat: DOCUMENT, total: int) -> list[Row]:
    """NDJSON and CSV, told without a goal beside Polars' own readers."""
    names = tuple(flat[0])
    shape = RecordShape(names, None, frozenset(names))
    lines = b"".join(msgspec.json.encode(row) + b"\n" for row in flat)
    stream = io.BytesIO()
    pl.DataFrame(flat).write_csv(stream)
    table = stream.getvalue()
    spent = cpu_beside(
        {
            "ndjson": lambda: parse_lines(lines, "").columns("", shape, whole=True),
            "ndjson_polars": lambda: pl.read_ndjson(io.BytesIO(lines)),
            "csv": lambda: parse_table(table, Csv(), "").columns("", shape, whole=True),
            "csv_polars": lambda: pl.read_csv(table, infer_schema=False),
        }
    )
    told = {
        "ndjson: ours": "ndjson",
        "ndjson: Polars' own reader": "ndjson_polars",
        "csv: ours": "csv",
        "csv: Polars' own reader": "csv_polars",
    }
    return [figure(name, total / spent[key], "records/s") for name, key in told.items()]


def contract(number: int) -> dict[str, Any]:
    """One sale contract in the housing system's own names; the people have area code 620899."""
    chance = random.Random(number)
    area = round(60 + chance.random() * 90, 2)
    price = round(area * 5200, 2)
    when = f"2018-{1 + number % 12:02d}-{1 + number % 28:02d} 09:{number % 60:02d}:00"
    return {
        "contractNo": f"2018-{number:08d}",
        "recordNo": f"BA{number:08d}",
        "contractKind": "1",
        "signTime": when,
        "recordTime": when,
        "houseCode": f"H{number:09d}",
        "unitNo": f"620899{number:022d}",
        "address": f"平凉市崆峒区南河路{number}号",
        "buildingArea": area,
        "innerArea": round(area * 0.8, 2),
        "usage": "10",
        "floor": number % 30,
        "totalFloors": 33,
        "totalPrice": price,
        "unitPrice": 5200,
        "payMethod": "2",
        "supervised": "Y",
        "agency": None,
        "status": "3",
        "updateTime": when,
        "parties": [
            {
                "no": n,
                "role": role,
                "name": "测试" + role,
                "idType": "01",
                "idNo": f"62089919850314{number % 10_000:04d}",
                "share": "100%",
                "agentName": None,
            }
            for n, role in ((1, "S"), (2, "B"))
        ],
    }


if __name__ == "__main__":
    for line in run():
        print(json.dumps(line, ensure_ascii=False))
