"""Control: what a tester may ask of a sandbox server, below /_sandbox/.

Health, accepted rows, call counters, faults, and the next prepared changes. Guarded by the token
of the state folder; no department has such addresses, and no fault ever hits them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.credentials import control_token
from sandbox.datasets import beijing_now
from sandbox.intake import (
    add_fault,
    clear_faults,
    count_accepted,
    faults,
    read_accepted,
)
from sandbox.plans import apply_changes, changes
from sandbox.servers.faults import FaultLayer, Kind
from sandbox.servers.json_desk import answer, parse_object
from sandbox.servers.office import Office
from sandbox.servers.refusals import Reason, Refusal
from sandbox.servers.signatures import same
from sandbox.state import count_records, transaction
from sandbox.truth import note_applied

TOKEN_HEADER = "x-sandbox-control"  # noqa: S105 - the name of a header
SMALLEST_ADVANCE = 20
ADVANCE_SHARE = 0.01  # of the served records, per day
ACCEPTED_LIMIT = 1000

Handler = Callable[[Request], Awaitable[Response]]


class Control:
    """The control address of one server."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._token = control_token(office.state_dir)
        self.layer: FaultLayer | None = None

    def routes(self) -> list[BaseRoute]:
        """Return the control addresses, each behind the token."""
        table: list[tuple[str, str, Handler]] = [
            ("GET", "health", self._health),
            ("GET", "accepted", self._accepted),
            ("GET", "calls", self._calls),
            ("GET", "faults", self._list_faults),
            ("POST", "faults", self._add_fault),
            ("DELETE", "faults", self._clear_faults),
            ("POST", "advance", self._advance),
        ]
        return [
            Route(f"/_sandbox/{name}", self._guarded(handler), methods=[method])
            for method, name, handler in table
        ]

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if not same(request.headers.get(TOKEN_HEADER, ""), self._token):
                return answer({"error": "the header X-Sandbox-Control is missing or wrong"}, 403)
            try:
                return await handler(request)
            except Refusal as refusal:
                return answer({"error": refusal.message}, 400)

        return guarded

    async def _health(self, request: Request) -> Response:
        del request
        connection = self._office.connection
        return answer(
            {
                "system": self._office.system,
                "records": count_records(connection),
                "accepted": count_accepted(connection),
                "changes_left": len(changes(connection, applied=False)),
            }
        )

    async def _accepted(self, request: Request) -> Response:
        dataset = request.query_params.get("dataset") or None
        limit = _whole(request.query_params.get("limit", str(ACCEPTED_LIMIT)), "limit")
        rows = read_accepted(self._office.connection, dataset, limit)
        return answer({"system": self._office.system, "rows": [asdict(row) for row in rows]})

    async def _calls(self, request: Request) -> Response:
        del request
        calls = self.layer.calls if self.layer else {}
        played = self.layer.played if self.layer else {}
        return answer(
            {
                "system": self._office.system,
                "calls": dict(sorted(calls.items())),
                "faults_played": dict(sorted(played.items())),
            }
        )

    async def _list_faults(self, request: Request) -> Response:
        del request
        return answer({"faults": [asdict(fault) for fault in faults(self._office.connection)]})

    async def _add_fault(self, request: Request) -> Response:
        body = parse_object(await request.body(), "the body")
        unknown = body.keys() - {"kind", "count", "rate", "match", "seconds"}
        if unknown:
            raise Refusal(Reason.MALFORMED, f"unknown fields: {', '.join(sorted(unknown))}")
        kind = body.get("kind")
        if kind not in set(Kind):
            raise Refusal(Reason.MALFORMED, f"kind must be one of {', '.join(Kind)}")
        count, rate = body.get("count"), body.get("rate")
        seconds = _number(body.get("seconds"), "seconds", 3600)
        if count is None and rate is None and (seconds is None or kind in _TIMED):
            count = 1  # a fault without a measure is for the next call only
        add_fault(
            self._office.connection,
            str(kind),
            rate=_number(rate, "rate", 1),
            count=None if count is None else _whole(str(count), "count"),
            match=body.get("match") or None,
            seconds=seconds,
        )
        return answer({"faults": [asdict(item) for item in faults(self._office.connection)]}, 201)

    async def _clear_faults(self, request: Request) -> Response:
        del request
        clear_faults(self._office.connection)
        return answer({"faults": []})

    async def _advance(self, request: Request) -> Response:
        """Apply the next prepared changes: `changes` of them, or 1 % of the records a day."""
        text = await request.body()
        body = parse_object(text, "the body") if text else {}
        office = self._office
        days = _whole(str(body.get("days") or 1), "days")
        wanted = body.get("changes")
        share = int(sum(count_records(office.connection).values()) * ADVANCE_SHARE)
        count = _whole(str(wanted), "changes") if wanted else days * max(SMALLEST_ADVANCE, share)
        with transaction(office.connection):
            done = apply_changes(office.connection, count, beijing_now())
        if done:
            office.records.changed()
            note_applied(office.state_dir, office.system, done[-1].n)
        per_dataset: dict[str, int] = {}
        for change in done:
            per_dataset[change.dataset] = per_dataset.get(change.dataset, 0) + 1
        left = len(changes(office.connection, applied=False))
        return answer({"applied": len(done), "datasets": per_dataset, "left": left})


_TIMED = {Kind.LATENCY, Kind.TOO_MANY}  # their `seconds` is not how long the fault stays


def _whole(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise Refusal(Reason.MALFORMED, f"{name} must be a whole number")
    return int(text)


def _number(value: Any, name: str, largest: float) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= largest:
        raise Refusal(Reason.MALFORMED, f"{name} must be a number in 0..{largest}")
    return float(value)
