"""Batches of sale contracts as the housing system writes them, put straight into the landing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.rows import dict_row

from tongban.kernel.records import BEIJING, Page, Window
from tongban.kernel.settings import load_settings
from tongban.outcomes import transfer_id_of
from tongban.pipeline import Loaded, load, open_hub
from tongban.store import transfers

ROOT = Path(__file__).parents[2]
SYSTEM, DATASET, CHILD = "housing", "sale_contract", "sale_contract_party"
ROWS_PER_PAGE = 100
UNTIL = datetime(2024, 6, 1, tzinfo=BEIJING)
Row = dict[str, Any]


def good_rows(count: int) -> list[Row]:
    """Contracts that break no rule and differ in every field that may differ."""
    rows = []
    for number in range(count):
        area, day = 60 + number % 80, 1 + number % 28
        rows.append(
            {
                "contractNo": f"HT20240305{number:06d}",
                "recordNo": f"BA2024620899{number:06d}",
                "contractKind": "2",
                "signTime": f"2024-03-{day:02d} 10:00:00",
                "recordTime": f"2024-03-{day:02d} 11:30:00",
                "houseCode": f"FW6208990000{number:06d}",
                "unitNo": f"620899001001GB00001F{number + 1:08d}",
                "address": f"平凉市示范区示范路{number}号",
                "buildingArea": area,
                "innerArea": area - 10.5,
                "usage": "10",
                "floor": 1 + number % 18,
                "totalFloors": 18,
                "totalPrice": 5600 * area,
                "unitPrice": 5600.0,
                "payMethod": "2",
                "supervised": "Y",
                "agency": f"示范中介{number % 7}" if number % 5 else None,
                "status": "3",
                "updateTime": f"2024-03-{day:02d} 11:30:00",
            }
        )
    return rows


def changed(rows: list[Row], change: dict[str, Any]) -> list[Row]:
    """What a department does to its rows; the words are those of the corpus."""
    every = change.pop("every", 1)
    ((verb, what),) = change.items()
    return [_one(dict(row), verb, what) if i % every == 0 else row for i, row in enumerate(rows)]


def _one(row: Row, verb: str, what: Any) -> Row:
    """One row after one change."""
    names = [what] if isinstance(what, str) else list(what)
    old = {name: row.pop(name, None) for name in names}
    if verb == "drop":
        return row
    if verb == "rename":
        return row | {what[name]: old[name] for name in names}
    if verb == "repeat":
        return row | {name: [old[name] or "a", "b"] for name in names}
    return row | {name: _cell(verb, old[name], what[name]) for name in names}


def _cell(verb: str, cell: Any, argument: Any) -> Any:
    """One cell after one change."""
    if verb in {"add", "set"}:
        return argument
    if verb == "nest":
        return {argument: cell}
    if verb == "replace":
        return cell.replace(*argument)
    assert verb == "scale"
    return round(cell * argument, 6)


def body_of(rows: list[Row], total: int) -> bytes:
    """One answer of the housing system."""
    document = {"code": "0000", "msg": "ok", "data": {"total": total, "list": rows}}
    return json.dumps(document, ensure_ascii=False).encode()


class Landings:
    """A hub without a network: batches are landed by hand and loaded as always."""

    def __init__(self, folder: Path, database_url: str) -> None:
        settings = load_settings({"TONGBAN_ROOT": str(ROOT), "TONGBAN_HOME": str(folder)})
        settings.connections_dir.mkdir(parents=True)
        self._connection = settings.connections_dir / f"{SYSTEM}.json"
        self.connect("http://127.0.0.1:9")
        self.hub = open_hub(replace(settings, database_url=database_url))
        self.database_url = database_url
        self._days = 0

    def connect(self, url: str) -> None:
        """Say where the department is."""
        account = {"base_url": url, "login": "hub", "password": "secret"}
        self._connection.write_text(json.dumps(account), encoding="utf-8")

    def make_snapshots(self) -> None:
        """Read the whole list each time, as some departments give it."""
        systems = self.hub.catalog.systems
        system = systems[SYSTEM]
        window = system.window.model_copy(update={"snapshot": True})
        contracts = system.datasets[DATASET].model_copy(update={"window": window})
        datasets = {**system.datasets, DATASET: contracts}
        systems[SYSTEM] = system.model_copy(update={"datasets": datasets})

    def land(self, rows: list[Row], *, whole: bool = False) -> str:
        """Put a batch into the landing; gives its id."""
        landing_id = uuid4()
        self._days += 1
        until = UNTIL + timedelta(days=self._days)
        window = Window(since=None if whole else until - timedelta(days=1), until=until)
        transfers.begin_transfer(
            self.hub.engine, SYSTEM, DATASET, window=window, transfer_id=landing_id
        )
        child = transfer_id_of(landing_id, CHILD)
        transfers.begin_transfer(
            self.hub.engine, SYSTEM, CHILD, window=window, parent_id=landing_id, transfer_id=child
        )
        landing = self.hub.landing.landing(SYSTEM, DATASET, str(landing_id))
        starts = range(0, max(1, len(rows)), ROWS_PER_PAGE)
        for number, start in enumerate(starts, 1):
            landing.append(
                Page(
                    number=number,
                    body=body_of(rows[start : start + ROWS_PER_PAGE], len(rows)),
                    cursor=str(number),
                    next_cursor=None,
                    declared_total=len(rows),
                )
            )
        since = window.since.isoformat() if window.since else None
        landing.close(since=since, until=window.until.isoformat())
        transfers.landed(
            self.hub.engine,
            landing_id,
            pages=len(starts),
            declared_rows=len(rows),
            landing=f"{SYSTEM}/{DATASET}/{landing_id}",
        )
        return str(landing_id)

    def load(self, landing_id: str) -> Loaded:
        """Load a landed batch."""
        return load(self.hub, landing_id, DATASET)

    def store(self, rows: list[Row]) -> Loaded:
        """Land and load."""
        return self.load(self.land(rows))

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the hub's database."""
        with psycopg.connect(self.database_url, row_factory=dict_row) as conn:
            return conn.execute(sql.encode(), values).fetchall()

    def one(self, sql: str, *values: Any) -> Any:
        """The single value of a question."""
        (row,) = self.rows(sql, *values)
        return next(iter(row.values()))

    @property
    def stored(self) -> int:
        """Stored contracts."""
        return int(self.one("SELECT count(*) FROM data.sale_contract_v1"))

    def close(self) -> None:
        """Give the connections back."""
        self.hub.close()
