"""Street: many fake departments in one process, each on a port of its own, with one control port.

What lasts lies in a state folder: the beginning, the turns and the seed (`days.json`), from which
all records follow; the accounts of the hub (`accounts.json`); the token of whoever may let a day
pass. A department whose own files do not fit together is told and left out.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tongban.kernel.catalog import Catalog
from tongban.kernel.errors import TongbanError
from tongban.kernel.records import BEIJING
from tongban.onboarding.fake.days import Days
from tongban.onboarding.fake.department import JSON, Answer, Department
from tongban.onboarding.fake.routes import Request
from tongban.onboarding.fake.server import url_at

TOKEN_HEADER = "x-fake-control"  # noqa: S105 - a header's name
TOKEN_FILE, DAYS_FILE, ACCOUNTS_FILE = "control_token", "days.json", "accounts.json"


class Street:
    """All departments of one state folder."""

    def __init__(
        self, catalog: Catalog, folder: Path, ports: Mapping[str, int], *, rows: int, seed: int
    ) -> None:
        """Make or remember the departments.

        Args:
            catalog: Where they are declared.
            folder: State folder; ours alone.
            ports: Name of each department and where it will listen.
            rows: Records of each dataset, when the life of the folder begins.
            seed: Same seed, same people, same changes; when it begins.
        """
        self._folder, self._lock = folder, threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._life, self._rows = self._remembered(rows, seed)
        self.departments: dict[str, Department] = {}
        self.broken: dict[str, str] = {}
        for name in ports:
            try:
                self.departments[name] = Department(catalog, name, rows=self._rows, days=self._life)
            except TongbanError as exc:
                self.broken[name] = str(exc)
        self._open_accounts(ports)
        self._token = self._kept(TOKEN_FILE, lambda: secrets.token_urlsafe(32))

    def answer(self, request: Request) -> Answer:
        """Answer one request to the control port."""
        if not hmac.compare_digest(request.headers.get(TOKEN_HEADER, ""), self._token):
            return Answer(403, {}, b"", "no token")
        asked = f"{request.method} {request.path}"
        if asked == "GET /health":
            return _document({"systems": list(self.departments), "broken": self.broken}, "health")
        if asked == "GET /holdings":
            return _document(self.holdings(), "holdings")
        if asked == "POST /advance":
            return _document(self.advance(), "a day passes")
        return Answer(404, {}, b"", "unknown")

    def holdings(self) -> dict[str, dict[str, dict[str, int]]]:
        """System → dataset → how many records there are, and how many its contract accepts."""
        found: dict[str, dict[str, dict[str, int]]] = {}
        for name, department in self.departments.items():
            own = found.setdefault(name, {})
            for dataset, holding in department.holdings.items():
                own[dataset] = {"records": len(holding.records), "accepted": holding.accepted}
                for child, made in holding.inside.items():
                    own[child] = {"records": made, "accepted": made}
        return found

    def advance(self) -> dict[str, int]:
        """Let a day pass everywhere; gives how many records moved at each department."""
        with self._lock:
            # A second ago: sources count in seconds, and a pull right now must find it.
            at = datetime.now(BEIJING).replace(microsecond=0) - timedelta(seconds=1)
            self._life = Days(self._life.began, (*self._life.turns, at), self._life.seed)
            self._remember()
            return {name: one.advance(at) for name, one in self.departments.items()}

    def _remembered(self, rows: int, seed: int) -> tuple[Days, int]:
        path = self._folder / DAYS_FILE
        if not path.exists():
            self._life, self._rows = Days(datetime.now(BEIJING), seed=seed), rows
            self._remember()
        noted = json.loads(path.read_text(encoding="utf-8"))
        turns = tuple(map(datetime.fromisoformat, noted["turns"]))
        began = datetime.fromisoformat(noted["began"])
        return Days(began, turns, int(noted["seed"])), int(noted["rows"])

    def _remember(self) -> None:
        noted = {
            "began": self._life.began.isoformat(),
            "turns": [at.isoformat() for at in self._life.turns],
            "seed": self._life.seed,
            "rows": self._rows,
        }
        self._write(DAYS_FILE, json.dumps(noted, indent=2))

    def _open_accounts(self, ports: Mapping[str, int]) -> None:
        """Accounts as they were, for a restart changes no password; new ones where there is none.

        `accounts.json`: name of a connection → its document, with the system it leads to.
        """
        path = self._folder / ACCOUNTS_FILE
        kept: dict[str, Any] = {}
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
        accounts = {}
        for name, department in self.departments.items():
            url, connection = url_at(ports[name]), department.system.connection
            fresh = department.open_account(url, self._folder)
            earlier = kept.get(connection, {})
            if earlier.get("extra", {}).keys() == fresh["extra"].keys():
                department.account = {**fresh, **earlier, "base_url": url}
            accounts[connection] = {**department.account, "system": name}
        self._write(ACCOUNTS_FILE, json.dumps(accounts, indent=2))

    def _kept(self, name: str, make: Any) -> str:
        path = self._folder / name
        if not path.exists():
            self._write(name, make())
        return path.read_text(encoding="utf-8").strip()

    def _write(self, name: str, text: str) -> None:
        """Write a file whole or not at all; only its owner reads it."""
        half = self._folder / f"{name}.half"
        half.unlink(missing_ok=True)
        half.touch(mode=0o600)
        half.write_text(text + "\n", encoding="utf-8")
        half.replace(self._folder / name)


def _document(document: dict[str, Any], what: str) -> Answer:
    return Answer(200, {"Content-Type": JSON}, json.dumps(document).encode(), what)
