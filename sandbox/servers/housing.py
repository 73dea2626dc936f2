"""Housing transaction bureau: REST with JSON, signed with HMAC-SHA256.

Lists come newest first by page number, so that an insert between two calls shifts the pages; a
reader that trusts page numbers loses rows. Errors come with HTTP 200 and a code.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.servers import clock, fields
from sandbox.servers.inbox import Form, Pushed, Verdict
from sandbox.servers.json_desk import (
    ROWS,
    answer,
    answer_with_rows,
    read_object,
    read_rows,
    text_field,
    without,
)
from sandbox.servers.office import Office, read_int, read_number
from sandbox.servers.records import Window
from sandbox.servers.refusals import Reason, Refusal, check_batch, check_page, check_window
from sandbox.servers.signatures import canonical_query, housing_signature, same

SKEW_S = 300
LARGEST_PAGE = 500
LARGEST_BATCH = 100
OK = "0000"
CODES = {
    Reason.AUTH: "4001",
    Reason.MALFORMED: "4002",
    Reason.PAGE_SIZE: "4003",
    Reason.UNKNOWN_SERVICE: "4004",
    Reason.WINDOW: "4005",
    Reason.TOO_MANY_ROWS: "4006",
    Reason.BUSY: "5001",
}
LISTS = {"contracts": "sale_contract", "units": "house_unit"}
PARAMETERS = frozenset({"startTime", "endTime", "pageNo", "pageSize"})
REGISTRATION = Form(
    ("businessNo", "unitNo", "certificateNo", "registeredAt", "rightStatus"),
    {"unitNo": fields.is_unit_no, "registeredAt": fields.is_spaced_time},
    required_to_delete=("businessNo",),
)
_STATUS = {"accepted": "OK", "duplicate": "DUP", "rejected": "REJECT"}


class Housing:
    """The interface of the housing transaction bureau."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def routes(self) -> list[BaseRoute]:
        """Return the bureau's addresses; an unknown one below /api answers in the envelope."""
        return [
            Route("/api/v1/registrations", self._post_registrations, methods=["POST"]),
            Route("/api/v1/{name}", self._get_list, methods=["GET"]),
            Route("/api/{rest:path}", self._unknown, methods=["GET", "POST", "PUT", "DELETE"]),
        ]

    def busy(self, request: Request) -> Response:
        """Answer code 5001 with HTTP 200."""
        del request
        return _error(Refusal(Reason.BUSY, "系统繁忙，请稍后再试"))

    def unauthorised(self, request: Request) -> Response:
        """Answer code 4001."""
        del request
        return _error(Refusal(Reason.AUTH, "the application key is expired"))

    async def _unknown(self, request: Request) -> Response:
        try:
            self._admit(request, await request.body())
        except Refusal as refusal:
            return _error(refusal)
        return _error(Refusal(Reason.UNKNOWN_SERVICE, "no such service"))

    async def _get_list(self, request: Request) -> Response:
        try:
            query = self._admit(request, b"")
            return self._list(request.path_params["name"], query)
        except Refusal as refusal:
            return _error(refusal)

    async def _post_registrations(self, request: Request) -> Response:
        try:
            self._admit(request, await request.body())
            records = read_rows(await read_object(request), "records")
            check_batch(len(records), LARGEST_BATCH)
        except Refusal as refusal:
            return _error(refusal)
        rows = [
            Pushed(text_field(row, "bizId"), text_field(row, "op"), without(row, "bizId", "op"))
            for row in records
        ]
        verdicts = self._office.inbox.receive("real_estate_right", rows, REGISTRATION.problem)
        results = [_result(verdict) for verdict in verdicts]
        return answer({"code": OK, "msg": "成功", "data": {"results": results}})

    def _admit(self, request: Request, body: bytes) -> Mapping[str, str]:
        """Check the four headers and return the query.

        Raises:
            Refusal: Wrong key, signature, clock or nonce.
        """
        headers, account = request.headers, self._office.account
        key, timestamp, nonce, signature = (
            headers.get(f"x-{name}", "") for name in ("app-key", "timestamp", "nonce", "signature")
        )
        pairs = parse_qsl(request.url.query, keep_blank_values=True)
        expected = housing_signature(
            account.password,
            request.method,
            request.scope["raw_path"].decode("latin-1"),
            canonical_query(pairs),
            body,
            timestamp,
            nonce,
        )
        if not same(key, account.login) or not same(signature, expected):
            raise Refusal(Reason.AUTH, "application key or signature is wrong")
        moment = read_number(timestamp, "X-Timestamp") / 1000
        self._office.admit_once(nonce, moment, time.time(), SKEW_S)
        return dict(pairs)

    def _list(self, name: str, query: Mapping[str, str]) -> Response:
        if name not in LISTS:
            raise Refusal(Reason.UNKNOWN_SERVICE, "no such service")
        if not query.keys() <= PARAMETERS:
            raise Refusal(Reason.MALFORMED, "the query has an unknown parameter")
        try:
            since, until = (clock.from_spaced(query.get(n, "")) for n in ("startTime", "endTime"))
        except ValueError as exc:
            text = "startTime and endTime are needed as yyyy-MM-dd HH:mm:ss"
            raise Refusal(Reason.WINDOW, text) from exc
        window = Window(LISTS[name], *check_window(since, until))
        size = check_page(read_int(query.get("pageSize"), "pageSize"), LARGEST_PAGE, "pageSize")
        page = read_int(query.get("pageNo"), "pageNo")
        if page < 1:
            raise Refusal(Reason.PAGE_SIZE, "pageNo counts from 1")
        records = self._office.records
        rows = records.page(window, "changed_desc", (page - 1) * size, size)
        data = {"total": records.total(window), "pageNo": page, "pageSize": size, "list": ROWS}
        return answer_with_rows({"code": OK, "msg": "成功", "data": data}, rows)


def _error(refusal: Refusal) -> Response:
    code = CODES.get(refusal.reason, "4002")
    return answer({"code": code, "msg": refusal.message, "data": None})


def _result(verdict: Verdict) -> dict[str, str]:
    return {
        "bizId": verdict.row_guid,
        "status": _STATUS[verdict.status],
        "receiptNo": verdict.receipt_no,
        "errCode": verdict.code,
        "errMsg": verdict.message,
    }
