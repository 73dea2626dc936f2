"""Pingliang substation, side (b): TIF datasets, signed by headers, with versions and digests.

Rows are idempotent by (dataset, row_guid, version). The statement lists what is live here, so that
the sender can reconcile. More than 50 requests a second are answered with 429.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.servers.inbox import DELETE, OPERATIONS, REREPORTS, Problem, Pushed, Verdict
from sandbox.servers.json_desk import (
    ROWS,
    answer,
    answer_with_rows,
    dump,
    read_object,
    read_rows,
    require_text,
    text_field,
)
from sandbox.servers.office import Office, read_number
from sandbox.servers.refusals import Reason, Refusal, check_batch
from sandbox.servers.signatures import same, tif_signature

SKEW_S = 180
LARGEST_BATCH = 500
LARGEST_RATE = 50  # requests in one second
DATASETS = frozenset(
    {
        "real_estate_right",
        "sale_contract",
        "deed_tax_payment",
        "enterprise",
        "unit_insurance",
        "house_unit",
    }
)
CASE_DATASETS = frozenset({"up_pro_accept", "up_pro_process", "up_pro_result"})
CODES = {
    Reason.AUTH: 400001,
    Reason.MALFORMED: 400002,
    Reason.TOO_MANY_ROWS: 400003,
    Reason.UNKNOWN_SERVICE: 400004,
}
BUSY = 500001
_ABSENT = "absent"  # never a digest; a row without one is refused before it is compared


class Tif:
    """The dataset side of the substation."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._recent: deque[float] = deque()

    def routes(self) -> list[BaseRoute]:
        """Return the addresses of this side."""
        return [
            Route("/tif/datasets/{dataset}/batch", self._batch, methods=["POST"]),
            Route("/tif/statement", self._statement, methods=["GET"]),
        ]

    def busy(self) -> Response:
        """Answer "busy" with HTTP 200."""
        return answer({"code": BUSY, "msg": "系统繁忙，请稍后"})

    def error(self, refusal: Refusal) -> Response:
        """Answer a refusal with HTTP 500, as TIF does for everything."""
        return answer({"code": CODES.get(refusal.reason, 400002), "msg": refusal.message}, 500)

    async def _batch(self, request: Request) -> Response:
        if self._too_fast():
            return _slow_down()
        dataset = request.path_params["dataset"]
        try:
            self._admit(request, dataset, DATASETS)
            body = await read_object(request)
            require_text(body, "batch_id")
            items = read_rows(body, "rows")
            check_batch(len(items), LARGEST_BATCH)
        except Refusal as refusal:
            return self.error(refusal)
        rows = [_pushed(item) for item in items]
        verdicts = self._office.inbox.receive(dataset, rows, _problem)
        return answer({"code": 0, "results": [result_of(verdict) for verdict in verdicts]})

    async def _statement(self, request: Request) -> Response:
        if self._too_fast():
            return _slow_down()
        dataset = request.query_params.get("dataset", "")
        try:
            self._admit(request, dataset, DATASETS | CASE_DATASETS)
        except Refusal as refusal:
            return self.error(refusal)
        sql = (
            "SELECT row_guid, version, digest, receipt_no FROM accepted"
            " WHERE dataset=? AND op<>'D' ORDER BY row_guid"
        )
        is_text = dataset in CASE_DATASETS
        rows = [
            dump(
                {
                    "row_guid": row_guid,
                    "version": version if is_text else int(version),
                    "digest": digest,
                    "receipt_no": receipt_no,
                }
            )
            for row_guid, version, digest, receipt_no in self._office.connection.execute(
                sql, (dataset,)
            )
        ]
        envelope = {"code": 0, "dataset": dataset, "count": len(rows), "rows": ROWS}
        return answer_with_rows(envelope, rows)

    def _admit(self, request: Request, dataset: str, known: frozenset[str]) -> None:
        """Check the four headers, then the dataset's name.

        Raises:
            Refusal: Wrong system, signature, clock or nonce, or an unknown dataset.
        """
        extra, headers = self._office.account.extra, request.headers
        paas_id, timestamp, nonce, signature = (
            headers.get(f"x-tif-{name}", "")
            for name in ("paasid", "timestamp", "nonce", "signature")
        )
        expected = tif_signature(timestamp, str(extra["tif_token"]), nonce)
        # Senders spell the signature in either case; the real filter compares without case.
        if not same(paas_id, str(extra["paas_id"])) or not same(signature.upper(), expected):
            raise Refusal(Reason.AUTH, "paas id or signature is wrong")
        moment = read_number(timestamp, "x-tif-timestamp")
        self._office.admit_once(nonce, moment, time.time(), SKEW_S)
        if dataset not in known:
            raise Refusal(Reason.UNKNOWN_SERVICE, "no such dataset")

    def _too_fast(self) -> bool:
        now = time.monotonic()
        while self._recent and now - self._recent[0] >= 1:
            self._recent.popleft()
        if len(self._recent) >= LARGEST_RATE:
            return True
        self._recent.append(now)
        return False


def _slow_down() -> Response:
    return answer({"code": 429, "msg": "请求过于频繁"}, 429, {"retry-after": "1"})


def _pushed(item: Mapping[str, Any]) -> Pushed:
    version = item.get("version")
    usable = isinstance(version, int) and not isinstance(version, bool) and version >= 0
    data = item.get("data")
    return Pushed(
        row_guid=text_field(item, "row_guid"),
        op=text_field(item, "op"),
        doc=data if isinstance(data, dict) else {},
        version=str(version) if usable else "",
        declared_digest=text_field(item, "digest") or _ABSENT,
        is_rereport=text_field(item, "report_mark") in REREPORTS,
    )


def _problem(row: Pushed) -> Problem | None:
    if not row.row_guid or not row.version or row.declared_digest == _ABSENT:
        return Problem("E101", "row_guid, version (whole number) and digest are required")
    if row.op not in OPERATIONS:
        return Problem("E103", "op must be I, U or D")
    if row.op != DELETE and not row.doc:
        return Problem("E101", "data is required")
    return None


def result_of(verdict: Verdict) -> dict[str, str]:
    """Spell a verdict as both sides of the substation do."""
    return {
        "row_guid": verdict.row_guid,
        "status": verdict.status,
        "code": verdict.code,
        "message": verdict.message,
        "receipt_no": verdict.receipt_no,
    }
