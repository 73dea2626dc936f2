"""Pingliang substation, side (a): the Gansu gateway. Side (b) is in `substation_tif`.

One address, form fields, an interface id, JSON inside a string and two success layers. Case rows
go in (a step or result without its acceptance is refused); applications, evaluations and
service items come out in queue order.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.servers import clock
from sandbox.servers.inbox import DELETE, PARENT_MISSING, REREPORTS, Form, Problem, Pushed
from sandbox.servers.json_desk import (
    ROWS,
    answer,
    dump,
    dump_with_rows,
    parse_object,
    read_rows,
    require_text,
    text_field,
    without,
)
from sandbox.servers.office import Office, check_skew, read_number
from sandbox.servers.records import Window
from sandbox.servers.refusals import Reason, Refusal, check_batch, check_page, check_window
from sandbox.servers.signatures import GATEWAY_SIGNED_FIELDS, gateway_sign, same
from sandbox.servers.substation_tif import Tif, result_of

PATH = "/jpaas-jags-server/interface/gateway"
SKEW_S = 300
LARGEST_PAGE = 200
LARGEST_BATCH = 200
OUTER_CODES = {Reason.AUTH: "401", Reason.UNKNOWN_SERVICE: "404", Reason.MALFORMED: "400"}
INNER_CODES = {
    Reason.MALFORMED: "1001",
    Reason.PAGE_SIZE: "1002",
    Reason.WINDOW: "1003",
    Reason.CURSOR: "1004",
    Reason.TOO_MANY_ROWS: "1005",
    Reason.BUSY: "9001",
}
PULLS = {
    "pull_online_application": "online_application",
    "pull_evaluation": "evaluation",
    "pull_service_item": "service_item",
}
PUSHES = {
    "up_pro_accept": Form(
        ("project_no", "task_code", "applyer_name", "apply_date"),
        required_to_delete=("project_no",),
    ),
    "up_pro_process": Form(
        ("project_no", "event_name", "event_start_time"), required_to_delete=("project_no",)
    ),
    "up_pro_result": Form(
        ("project_no", "result_type", "result_date"), required_to_delete=("project_no",)
    ),
}
ACCEPT = "up_pro_accept"
TRANSPORT_FIELDS = ("row_guid", "cd_operation", "cd_time", "digest", "report_mark")


class Substation:
    """Both sides of the substation."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._tif = Tif(office)
        office.connection.execute(
            "CREATE INDEX IF NOT EXISTS accepted_project"
            " ON accepted(dataset, json_extract(doc, '$.project_no'))"
        )

    def routes(self) -> list[BaseRoute]:
        """Return the gateway's address and those of TIF."""
        return [Route(PATH, self._gateway, methods=["POST"]), *self._tif.routes()]

    def busy(self, request: Request) -> Response:
        """Answer "busy": at the gateway in the inner layer, at TIF as code 500001 with HTTP 200."""
        if request.url.path != PATH:
            return self._tif.busy()
        return _layers(_inner_error(Refusal(Reason.BUSY, "系统繁忙，请稍后")))

    def unauthorised(self, request: Request) -> Response:
        """Answer as each side does to a bad signature."""
        refusal = Refusal(Reason.AUTH, "the application is expired")
        return self._tif.error(refusal) if request.url.path != PATH else _outer_error(refusal)

    async def _gateway(self, request: Request) -> Response:
        try:
            interface_id, content = self._admit(request, await request.body())
        except Refusal as refusal:
            return _outer_error(refusal)
        request.scope["sandbox.service"] = interface_id
        try:
            body = parse_object(content, "biz_content")
            if interface_id in PULLS:
                return _layers(self._pull(PULLS[interface_id], body))
            return _layers(self._push(interface_id, body))
        except Refusal as refusal:
            return _layers(_inner_error(refusal))

    def _admit(self, request: Request, body: bytes) -> tuple[str, str]:
        """Check form, signature and clock; return interface id and biz_content.

        Raises:
            Refusal: Any of them is wrong; answered in the outer layer.
        """
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/x-www-form-urlencoded":
            raise Refusal(Reason.MALFORMED, "expected a form")
        try:
            form = dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))
        except UnicodeDecodeError as exc:
            raise Refusal(Reason.MALFORMED, "the form is not UTF-8") from exc
        missing = [name for name in (*GATEWAY_SIGNED_FIELDS, "sign") if name not in form]
        if missing:
            raise Refusal(Reason.MALFORMED, f"form fields are missing: {', '.join(missing)}")
        if not same(form["app_id"], self._office.account.login) or not same(
            form["sign"], gateway_sign(form)
        ):
            raise Refusal(Reason.AUTH, "app_id or sign is wrong")
        check_skew(read_number(form["timestamp"], "timestamp") / 1000, time.time(), SKEW_S)
        if (form["version"], form["charset"], form["origin"]) != ("1.0", "UTF-8", "1"):
            raise Refusal(Reason.MALFORMED, "version, charset or origin is not 1.0, UTF-8, 1")
        interface_id = form["interface_id"]
        if interface_id not in PULLS and interface_id not in PUSHES:
            raise Refusal(Reason.UNKNOWN_SERVICE, "no such interface_id")
        return interface_id, form["biz_content"]

    def _pull(self, dataset: str, body: Mapping[str, Any]) -> str:
        try:
            since, until = (clock.from_compact(text_field(body, n)) for n in ("since", "until"))
        except ValueError as exc:
            text = "since and until are needed as yyyyMMddHHmmss"
            raise Refusal(Reason.WINDOW, text) from exc
        window = Window(dataset, *check_window(since, until))
        limit = body.get("limit")
        if not isinstance(limit, int) or isinstance(limit, bool):
            raise Refusal(Reason.MALFORMED, "limit must be a whole number")
        size = check_page(limit, LARGEST_PAGE, "limit")
        records = self._office.records
        rows, following = records.page_of_queue(window, text_field(body, "after") or None, size)
        inner = {
            "success": True,
            "code": "0",
            "message": "成功",
            "total": records.total(window),
            "next": following or "",
            "rows": ROWS,
        }
        return dump_with_rows(inner, rows)

    def _push(self, interface_id: str, body: Mapping[str, Any]) -> str:
        require_text(body, "batch_id")
        items = read_rows(body, "rows")
        check_batch(len(items), LARGEST_BATCH)
        rows = [_pushed(item) for item in items]
        verdicts = self._office.inbox.receive(
            interface_id, rows, lambda row: self._problem(interface_id, row)
        )
        results = [result_of(verdict) for verdict in verdicts]
        return dump({"success": True, "code": "0", "message": "成功", "results": results})

    def _problem(self, interface_id: str, row: Pushed) -> Problem | None:
        if not row.version or not row.declared_digest:
            return Problem("E101", "cd_time and digest are required")
        problem = PUSHES[interface_id].problem(row)
        if problem is None and interface_id != ACCEPT and row.op != DELETE:
            project_no = str(row.doc["project_no"])
            if not self._is_accepted(project_no):
                text = "the case has no accepted up_pro_accept row; send that one first"
                return Problem(PARENT_MISSING, text)
        return problem

    def _is_accepted(self, project_no: str) -> bool:
        sql = (
            "SELECT 1 FROM accepted WHERE dataset=? AND op<>'D'"
            " AND json_extract(doc, '$.project_no')=?"
        )
        found = self._office.connection.execute(sql, (ACCEPT, project_no)).fetchone()
        return found is not None


def _pushed(item: Mapping[str, Any]) -> Pushed:
    return Pushed(
        row_guid=text_field(item, "row_guid"),
        op=text_field(item, "cd_operation"),
        doc=without(item, *TRANSPORT_FIELDS),
        version=text_field(item, "cd_time"),
        declared_digest=text_field(item, "digest"),
        is_rereport=text_field(item, "report_mark") in REREPORTS,
    )


def _layers(inner: str) -> Response:
    return answer({"success": True, "code": "200", "message": "成功", "data": inner})


def _inner_error(refusal: Refusal) -> str:
    code = INNER_CODES.get(refusal.reason, "1001")
    return dump({"success": False, "code": code, "message": refusal.message})


def _outer_error(refusal: Refusal) -> Response:
    code = OUTER_CODES.get(refusal.reason, "400")
    return answer({"success": False, "code": code, "message": refusal.message, "data": ""})
