"""Market regulation: REST with JSON behind OAuth2 client credentials.

Tokens live 20 seconds unless SANDBOX_TOKEN_SECONDS says otherwise, so that they die while a
reader is still paging. The next page is known only from the Link header.
"""

from __future__ import annotations

import base64
import os
import secrets
import time
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

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
    require_text,
    text_field,
    without,
)
from sandbox.servers.office import Office, read_int
from sandbox.servers.records import Window
from sandbox.servers.refusals import Reason, Refusal, check_batch, check_page, check_window
from sandbox.servers.signatures import same

TOKEN_SECONDS = 20.0
LARGEST_PAGE = 200
LARGEST_BATCH = 200
OK = "00"
CODES = {
    Reason.AUTH: "01",
    Reason.MALFORMED: "02",
    Reason.PAGE_SIZE: "03",
    Reason.UNKNOWN_SERVICE: "04",
    Reason.WINDOW: "05",
    Reason.CURSOR: "06",
    Reason.TOO_MANY_ROWS: "07",
    Reason.BUSY: "99",
}
LISTS = {"enterprises": "enterprise", "persons": "enterprise_person"}
PARAMETERS = frozenset({"modifiedSince", "modifiedBefore", "limit", "after"})
TAXPAYER = Form(
    ("uniscid", "taxState", "clearanceState"),
    {"uniscid": fields.is_credit_code, "clearedOn": fields.is_dashed_date},
    required_to_delete=("uniscid",),
)
_STATE = {"accepted": "0", "rejected": "1", "duplicate": "2"}


class Tokens:
    """Bearer tokens that this server gave out; they die with it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._expiry: dict[str, float] = {}

    def give(self) -> str:
        """Make a token and forget dead ones."""
        now = time.monotonic()
        self._expiry = {token: end for token, end in self._expiry.items() if end > now}
        token = secrets.token_urlsafe(24)
        self._expiry[token] = now + self.seconds
        return token

    def knows(self, token: str) -> bool:
        """Say whether a token is alive."""
        return self._expiry.get(token, 0.0) > time.monotonic()

    def kill_all(self) -> None:
        """Let every token die at once."""
        self._expiry.clear()


class Market:
    """The gateway of the market regulation bureau."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._tokens = Tokens(float(os.environ.get("SANDBOX_TOKEN_SECONDS", TOKEN_SECONDS)))

    def routes(self) -> list[BaseRoute]:
        """Return the token address and the gateway."""
        return [
            Route("/oauth2/token", self._token, methods=["POST"]),
            Route("/gateway/inbound/taxpayers", self._post_taxpayers, methods=["POST"]),
            Route("/gateway/{name:path}", self._get_list, methods=["GET"]),
        ]

    def busy(self, request: Request) -> Response:
        """Answer resultCode 99 with HTTP 200."""
        del request
        return _error(Refusal(Reason.BUSY, "系统繁忙，请稍后"))

    def unauthorised(self, request: Request) -> Response:
        """Let every token die and answer 401."""
        del request
        self._tokens.kill_all()
        return _error(Refusal(Reason.AUTH, "the token is expired"))

    async def _token(self, request: Request) -> Response:
        account = self._office.account
        expected = base64.b64encode(f"{account.login}:{account.password}".encode()).decode("ascii")
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic" or not same(given.strip(), expected):
            realm = {"www-authenticate": 'Basic realm="oauth2"'}
            return answer({"error": "invalid_client"}, 401, realm)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            return answer({"error": "unsupported_grant_type"}, 400)
        return answer(
            {
                "access_token": self._tokens.give(),
                "token_type": "Bearer",
                "expires_in": int(self._tokens.seconds),
            },
            headers={"cache-control": "no-store"},
        )

    def _admit(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._tokens.knows(token.strip()):
            raise Refusal(Reason.AUTH, "the token is missing, unknown or expired")

    async def _get_list(self, request: Request) -> Response:
        try:
            self._admit(request)
            return self._list(request)
        except Refusal as refusal:
            return _error(refusal)

    def _list(self, request: Request) -> Response:
        dataset = LISTS.get(request.path_params["name"])
        if dataset is None:
            raise Refusal(Reason.UNKNOWN_SERVICE, "no such service")
        query = dict(parse_qsl(request.url.query, keep_blank_values=True))
        if not query.keys() <= PARAMETERS:
            raise Refusal(Reason.MALFORMED, "the query has an unknown parameter")
        window = Window(dataset, *_read_window(query))
        limit = check_page(read_int(query.get("limit"), "limit"), LARGEST_PAGE, "limit")
        records = self._office.records
        rows, following = records.page_after(window, query.get("after"), limit)
        headers = {}
        if following:
            address = f"{request.url.scheme}://{request.url.netloc}{request.url.path}"
            headers["link"] = f'<{address}?{urlencode({**query, "after": following})}>; rel="next"'
        envelope = {
            "resultCode": OK,
            "resultInfo": "成功",
            "resultTotal": records.total(window),
            "resultData": ROWS,
        }
        return answer_with_rows(envelope, rows, headers)

    async def _post_taxpayers(self, request: Request) -> Response:
        try:
            self._admit(request)
            body = await read_object(request)
            require_text(body, "messageId")
            records = read_rows(body, "records")
            check_batch(len(records), LARGEST_BATCH)
        except Refusal as refusal:
            return _error(refusal)
        rows = [
            Pushed(text_field(row, "bizId"), text_field(row, "op"), without(row, "bizId", "op"))
            for row in records
        ]
        verdicts = self._office.inbox.receive("taxpayer", rows, TAXPAYER.problem)
        data = [_result(verdict) for verdict in verdicts]
        return answer(
            {"resultCode": OK, "resultInfo": "成功", "resultTotal": len(data), "resultData": data}
        )


def _read_window(query: Mapping[str, str]) -> tuple[str, str]:
    try:
        since, until = (
            clock.from_iso(query.get(name, ""), zone_required=True)
            for name in ("modifiedSince", "modifiedBefore")
        )
    except ValueError as exc:
        text = "modifiedSince and modifiedBefore are needed as ISO 8601 with an offset"
        raise Refusal(Reason.WINDOW, text) from exc
    return check_window(since, until)


def _error(refusal: Refusal) -> Response:
    envelope = {
        "resultCode": CODES.get(refusal.reason, "02"),
        "resultInfo": refusal.message,
        "resultTotal": 0,
        "resultData": [],
    }
    if refusal.reason is Reason.AUTH:
        return answer(envelope, 401, {"www-authenticate": 'Bearer error="invalid_token"'})
    return answer(envelope)


def _result(verdict: Verdict) -> dict[str, str]:
    reason = f"{verdict.code} {verdict.message}".strip()
    return {
        "bizId": verdict.row_guid,
        "state": _STATE[verdict.status],
        "receiptNo": verdict.receipt_no,
        "reason": reason,
    }
