"""A city in which two people carry names that nobody else has, and a search for their traces.

Every resident ID and telephone number of the city is a canary; names need planting, since common
ones also stand in places that are public. `Traces` collects whatever a run leaves behind and looks
for plain values in it: `numbers` for everybody's, `spelled` for the planted people's in every
spelling that a leak might take.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import sqlite3
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

RESIDENT_ID = re.compile(r"620899(?:18|19|20)\d{9}[\dXx]")
PHONE = re.compile(r"1390000\d{4}")
BYTEA = re.compile(r"\\x((?:[0-9a-f]{2})+)")
APPLICANT, OFFICER = "鹿泠雪崖", "鹿沅霜渡"
TABLES_WITH_DOCUMENTS = ("record", "pending", "change")


@dataclass(frozen=True, slots=True)
class Person:
    """One planted person."""

    name: str
    number: str
    phone: str


def plant(state_dir: Path) -> tuple[Person, Person, set[str]]:
    """Rename an applicant and the officer of a spoiled record; also gives every number there is."""
    applicant = _document(state_dir, "substation", "online_application", "")
    spoiled = _spoiled_officer(state_dir)
    officer = _document(state_dir, "market", "enterprise_person", spoiled)
    for old, new in ((applicant["applicantName"], APPLICANT), (officer["name"], OFFICER)):
        for path in sorted(state_dir.glob("*.sqlite")):
            with sqlite3.connect(path) as state:
                for table in TABLES_WITH_DOCUMENTS:
                    sql = f"UPDATE {table} SET doc = replace(doc, ?, ?)"
                    state.execute(sql, (old, new))
            state.close()
    return (
        Person(APPLICANT, applicant["applicantId"], applicant["phone"]),
        Person(OFFICER, officer["cerno"], officer["tel"]),
        set(_numbers(state_dir)),
    )


def _spoiled_officer(state_dir: Path) -> str:
    """Key of an enterprise's officer whose record the contract must refuse, with a number in it."""
    lines = (state_dir / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    for line in map(json.loads, lines):
        if line["dataset"] == "enterprise_person" and line["expect"] == "quarantined":
            found = _document(state_dir, "market", "enterprise_person", line["key"])
            if all(found[name] for name in ("name", "cerno", "tel")):
                return str(line["key"])
    raise AssertionError("the city has no such record; take another seed")


def _document(state_dir: Path, system: str, dataset: str, key: str) -> dict[str, str]:
    state = sqlite3.connect(state_dir / f"{system}.sqlite")
    sql = "SELECT doc FROM record WHERE dataset = ? AND (? = '' OR key = ?) ORDER BY seq"
    rows = [json.loads(row[0]) for row in state.execute(sql, (dataset, key, key))]
    state.close()
    if dataset == "online_application":
        rows = [row for row in rows if RESIDENT_ID.fullmatch(row["applicantId"] or "")]
    return rows[0]


def _numbers(state_dir: Path) -> Iterator[str]:
    """Every resident ID and telephone number that any server knows."""
    for path in sorted(state_dir.glob("*.sqlite")):
        state = sqlite3.connect(path)
        for table in TABLES_WITH_DOCUMENTS:
            for (text,) in state.execute(f"SELECT doc FROM {table}"):
                yield from RESIDENT_ID.findall(text)
                yield from PHONE.findall(text)
        state.close()


@dataclass
class Traces:
    """What a run left behind, by place."""

    places: dict[str, str] = field(default_factory=dict)
    errors: list[BaseException] = field(default_factory=list)

    def add(self, place: str, text: str) -> None:
        """Keep some text of a place."""
        self.places[place] = self.places.get(place, "") + "\n" + text

    def raised(self, error: BaseException) -> None:
        """Keep an error as a log, a person and Airflow would see it, with all its causes."""
        self.errors.append(error)
        self.add("errors", "".join(traceback.format_exception(error)))
        self.add("errors", f"{error!r} {getattr(error, 'context', '')!r}")

    @contextmanager
    def listening(self) -> Generator[None]:
        """Keep every log line of every library at every level, and both streams."""
        logs, out, err = io.StringIO(), io.StringIO(), io.StringIO()
        handler = logging.StreamHandler(logs)
        root = logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                yield
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
            self.add("logs", logs.getvalue())
            self.add("stdout", out.getvalue())
            self.add("stderr", err.getvalue())

    def add_database(self, url: str) -> None:
        """Keep every row of every table, all columns as text (bytea as hex and as it is)."""
        with psycopg.connect(url) as conn:
            tables = conn.execute(
                "SELECT schemaname, tablename FROM pg_tables"
                " WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema' ORDER BY 1, 2"
            ).fetchall()
            for schema, table in tables:
                sql = f'SELECT t::text FROM "{schema}"."{table}" t'
                text = "\n".join(row[0] for row in conn.execute(sql.encode()))
                inside = [bytes.fromhex(found).decode("latin-1") for found in BYTEA.findall(text)]
                self.add(f"table {schema}.{table}", "\n".join([text, *inside]))

    def add_files(self, folder: Path) -> None:
        """Keep every file below a folder; bytes that are no UTF-8 as Latin-1 and as hex."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                text = data.decode("latin-1") + "\n" + data.hex()
                self.add(f"file {path.relative_to(folder)}", text)

    def numbers(self, values: set[str]) -> set[str]:
        """Give places in which one of many resident IDs or telephone numbers stands.

        Hex of bytea is left out, its bytes are looked at: an id that ends with 139 and the version
        00000001 after it are no telephone number.
        """
        plain = {place: BYTEA.sub("", text) for place, text in self.places.items()}
        return {
            place
            for place, text in plain.items()
            if values & {*RESIDENT_ID.findall(text), *PHONE.findall(text)}
        }

    def spelled(self, values: set[str]) -> set[tuple[str, str]]:
        """Give (place, spelling) wherever one of a few values stands in any spelling."""
        forms = [pair for value in sorted(values) for pair in spellings(value)]
        return {
            (place, kind)
            for place, text in self.places.items()
            for kind, form in forms
            if form in text
        }


def spellings(value: str) -> Iterator[tuple[str, str]]:
    """A value as it would look in text, JSON, bytes, hex and base64."""
    yield "plain", value
    yield "json", json.dumps(value).strip('"')
    for charset in ("utf-8", "gb18030", "utf-16-le"):
        data = value.encode(charset)
        yield f"{charset} bytes", data.decode("latin-1")
        yield f"{charset} hex", data.hex()
        for skip in range(3):  # base64 looks different at each of three places
            coded = base64.b64encode(b"\0" * skip + data).decode()
            yield f"{charset} base64", coded[4 if skip else 0 : -4]
