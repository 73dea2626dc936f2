"""Write the draft of a system's YAML: what the description says, and what it leaves open.

`# check:` marks a guess, `# fill:` what nobody can guess. Budgets start as low as a fragile source
needs; a schedule is only a comment, so no DAG calls a department before a person wants it.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from dataclasses import dataclass
from typing import Any

from tongban.onboarding.described import Description, Node, Operation
from tongban.onboarding.roles import Answer, input_leaves
from tongban.onboarding.write_identity import account_fields, identity_lines, is_signature
from tongban.onboarding.yamltext import block, flow, line, nested, scalar

ROLE_WORDS = {
    "since": "start of the window",
    "until": "end of the window",
    "page": "page number",
    "row": "offset of the first row",
    "cursor": "cursor of the page",
    "size": "rows per page",
}
UNKNOWN_RECORDS = "fill.in"
PAGE_SIZE = 100
_FROM = re.compile(r"(?:从|from|starts? at|starting with)\s*([01])(?![0-9])", re.IGNORECASE)
_TOTAL_HEADER = re.compile(r"total|(^|-)count$")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the draft of one dataset is made from.

    Attributes:
        inner: Answer inside a text, where a sample showed one, and how it is written.
    """

    system: str
    dataset: str
    origin: str
    description: Description
    operation: Operation
    roles: dict[str, str]
    answer: Answer
    inner: Answer | None = None
    inner_as: str = "xml"

    @property
    def shown(self) -> Answer:
        """The answer that holds the records."""
        return self.inner or self.answer


def system_text(plan: Plan, to_fill: list[str]) -> str:
    """The whole file; what a person must fill in is added to `to_fill`."""
    described = plan.description
    host = described.base_url or "the department's address"
    lines = [
        f"# {described.title}: draft from {plan.origin}.",
        "# Lines with `check:` are guesses, lines with `fill:` need you. Then run:",
        f"#   bin/tongban check; bin/tongban system check {plan.system};",
        f"#   bin/tongban system try {plan.system} {plan.dataset}",
        f"system: {plan.system}",
        line(0, f"title: {flow({'zh': described.title, 'en': described.title})}", "fill: its name"),
        line(0, 'department: {code: "62089900", name: 待填}', "fill: code and name of the office"),
        f"protocol: {described.protocol}",
        line(0, f"connection: {plan.system}", f"base_url there, e.g. {host}"),
        "",
        "interfaces:",
        "  api:",
        line(4, f"path: {scalar(described.path or '')}"),
        line(4, "charset: UTF-8", "check: the note may say GB18030"),
    ]
    to_fill.append("title and department: names and code of the office")
    lines += _soap(plan) if described.protocol == "soap" else _pinned_openapi(plan)
    lines += identity_lines(described, plan.operation, to_fill)
    lines += _success(plan, to_fill)
    lines += _window(plan, to_fill)
    lines += _budget()
    lines += _dataset(plan, to_fill)
    lines += _others(plan)
    return "\n".join(lines) + "\n"


def pinned_name(system: str, name: str) -> str:
    """Where a file of the description is pinned, below its folder."""
    return f"{system}/{name}"


def _soap(plan: Plan) -> list[str]:
    described = plan.description
    (main, content), *others = described.files.items()
    lines = [
        line(4, "soap:"),
        line(6, f"wsdl: {scalar(pinned_name(plan.system, main))}"),
        line(6, f"sha256: {hashlib.sha256(content).hexdigest()}"),
        line(6, f'version: "{described.soap_version}"'),
    ]
    if described.service:
        port = line(6, f"port: {scalar(described.port)}", "check: it offers several")
        lines += [line(6, f"service: {scalar(described.service)}"), port]
    if others:
        lines.append(line(6, "imports:"))
        for name, body in others:
            digest = hashlib.sha256(body).hexdigest()
            lines.append(line(8, f"{scalar(pinned_name(plan.system, name))}: {digest}"))
    if described.locations:
        lines.append(line(6, "locations:"))
        for address, name in described.locations.items():
            pinned = pinned_name(plan.system, name)
            beside = posixpath.normpath(pinned_name(plan.system, address))
            told = address if "://" in address else beside
            lines.append(line(8, f"{scalar(told)}: {scalar(pinned)}"))
    return lines


def _pinned_openapi(plan: Plan) -> list[str]:
    (name, content), *others = plan.description.files.items()
    digest = hashlib.sha256(content).hexdigest()
    beside = f", and {len(others)} files that it refers to" if others else ""
    return [
        line(4, "", f"drafted from connectors/openapi/{pinned_name(plan.system, name)}{beside}"),
        line(4, "", f"sha256 {digest}"),
    ]


def _success(plan: Plan, to_fill: list[str]) -> list[str]:
    layers = []
    if plan.answer.code:
        layers.append(_layer(plan.answer))
    payload = plan.answer.payload
    if payload and plan.inner is not None:
        layers.append({"open": payload, "as": plan.inner_as, **_layer(plan.inner)})
    lines = []
    if layers:
        lines.append(line(4, "success:"))
        lines += [line(6, f"- {flow(layer)}", "check: the code for success") for layer in layers]
    else:
        lines.append(line(4, "", "fill: no code found that says success; if there is one:"))
        lines.append(line(4, "", '  success: [{check: code, equals: "0", message: msg}]'))
    if payload and plan.inner is None:
        text = f"{payload} is text: save a real answer and draft again with --sample FILE"
        lines.append(line(4, "", f"fill: {text}"))
        to_fill.append(f"interfaces.api.success: {text}")
    return lines


def _layer(answer: Answer) -> dict[str, Any]:
    if answer.code is None:
        return {}
    layer: dict[str, Any] = {"check": answer.code, "equals": answer.success[0]}
    return layer | ({"message": answer.message} if answer.message else {})


def _window(plan: Plan, to_fill: list[str]) -> list[str]:
    if "since" not in plan.roles:
        text = "no parameter for a time window was found: every pull reads everything"
        to_fill.append(f"window: {text}")
        return ["", line(0, "", f"check: {text}")]
    node = dict(input_leaves(plan.operation))[plan.roles["since"]]
    pattern = "iso" if node.type == "datetime" else _format(node)
    text = f"window: {flow({'format': pattern, 'overlap_s': 600})}"
    return ["", line(0, text, "check: how it writes a moment")]


def _format(node: Node) -> str:
    said = f"{node.label} {' '.join(node.samples)}"
    for pattern in ("yyyyMMddHHmmss", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd", "yyyyMMdd"):
        if pattern.lower() in said.lower():
            return pattern
    if node.type == "date":
        return "yyyy-MM-dd"
    return "epoch_ms" if node.type == "integer" else "yyyy-MM-dd HH:mm:ss"


def _budget() -> list[str]:
    return [
        "",
        "budget:",
        line(2, "hours: []", 'ask them; nights: [{from: "18:30", to: "07:30"}]'),
        line(2, "requests_per_second: 1", "ask them before you raise it"),
        line(2, "concurrent: 1"),
        line(2, "rows_per_run: 100000"),
    ]


def _dataset(plan: Plan, to_fill: list[str]) -> list[str]:
    shown = plan.shown
    lines = ["", "datasets:", line(2, f"{plan.dataset}:")]
    lines.append(line(4, "", 'schedule: "30 2 * * *" once `system try` shows what it should'))
    lines += _call(plan, to_fill)
    records = UNKNOWN_RECORDS if shown.records is None else shown.records
    if shown.records is None:
        to_fill.append(f"datasets.{plan.dataset}.records: path of the record list")
    note = "fill: path of the record list" if shown.records is None else "check: the record list"
    lines.append(line(4, f"records: {scalar(records)}", note))
    counted = next((h for h in plan.operation.answer_headers if _TOTAL_HEADER.search(h)), None)
    total = shown.total or (f"header:{counted}" if counted else None)
    if total:
        lines.append(line(4, f"total: {scalar(total)}", "check: rows of the whole window"))
    lines.append(_paging(plan))
    for path, node in shown.children:
        count = len(list(node.leaves()))
        lines.append(line(4, "", f"{path} is a list of {count} fields: a dataset of its own with"))
        lines.append(
            line(4, "", f"  shares_pages_of: {plan.dataset}, mapping with explode: {path}")
        )
    return lines


def _call(plan: Plan, to_fill: list[str]) -> list[str]:
    operation = plan.operation
    lines = [line(4, "call:")]
    if plan.description.protocol == "soap":
        lines.append(line(6, f"operation: {scalar(operation.name)}"))
    else:
        if operation.method != "GET":
            lines.append(line(6, f"method: {operation.method}"))
        note = "fill: a constant in place of each {…}" if "{" in operation.path else ""
        lines.append(line(6, f"path: {scalar(operation.path)}", note))
        if note:
            to_fill.append(f"datasets.{plan.dataset}.call.path: constants for its placeholders")
    by_path = {path: role for role, path in plan.roles.items()}
    account = account_fields(operation)
    values: dict[str, Any] = {}
    for path, node in input_leaves(operation):
        if path in by_path:
            optional = "?" if by_path[path] == "cursor" else ""
            values[path] = f"{{{by_path[path]}{optional}}}"
        elif node.required and path not in account and not is_signature(path):
            values[path] = _constant(node)
            to_fill.append(f"datasets.{plan.dataset}.call: the value of {path}")
    for node in operation.inputs:  # lists and what we cannot look into
        covered = any(path.split(".")[0] == node.name for path in [*values, *account])
        if node.required and not covered and not is_signature(node.name):
            to_fill.append(f"datasets.{plan.dataset}.call: the content of {node.name}")
            values[node.name] = [] if node.repeated else {}
    comments = {f"{{{role}}}": word for role, word in ROLE_WORDS.items()}
    comments |= {"": "fill: a constant that the note names"}
    where = operation.place if operation.place in {"query", "form"} else "body"
    if values:
        lines.append(line(6, f"{where}:"))
        tree = nested(values) if where == "body" else values
        lines += block(8, tree, comments)
    return lines + _headers(plan, to_fill, comments)


def _headers(plan: Plan, to_fill: list[str], comments: dict[str, str]) -> list[str]:
    """Headers that the call must carry; those that identity brings are written by `auth`."""
    ours = {str(item.get("name", "")).lower() for item in plan.description.auth}
    needed = [
        node
        for node in plan.operation.headers
        if node.required and node.name.lower() not in ours and not is_signature(node.name)
    ]
    if not needed:
        return []
    to_fill += [f"datasets.{plan.dataset}.call: the header {node.name}" for node in needed]
    values = {node.name: str(_constant(node)) for node in needed}
    return [line(6, "headers:"), *block(8, values, comments)]


def _constant(node: Node) -> Any:
    shown = [*node.values, *node.samples]
    if shown:
        return shown[0]
    return {"integer": 0, "decimal": 0, "boolean": False}.get(node.type, "")


def _paging(plan: Plan) -> str:
    roles, shown = plan.roles, plan.shown
    if "link" in plan.operation.answer_headers:
        return line(
            4, f"paging: {{kind: link_header, size: {PAGE_SIZE}}}", "check: rel=next in it?"
        )
    if "cursor" in roles and shown.next_cursor:
        spec = {"kind": "cursor", "size": PAGE_SIZE, "next": shown.next_cursor}
        spec |= {"more": shown.more} if shown.more else {}
        return line(4, f"paging: {flow(spec)}", "check: size that it allows")
    if "page" in roles:
        spec = {"kind": "page_number", "first": _first(plan, 1), "size": PAGE_SIZE}
        spec |= {"shifting": "pass"}
        return line(4, f"paging: {flow(spec)}", "check: is the first page 1 or 0?")
    if "row" in roles:
        spec = {"kind": "offset", "first": _first(plan, 0), "size": PAGE_SIZE, "overlap": 1}
        return line(4, f"paging: {flow(spec)}", "check: is the first row 0 or 1?")
    if shown.next_cursor:
        spec = {"kind": "next_url", "size": PAGE_SIZE, "next": shown.next_cursor}
        return line(4, f"paging: {flow(spec)}", "check: is it the next page's address?")
    return line(4, "paging: {kind: none}", "check: one answer with everything?")


def _first(plan: Plan, usual: int) -> int:
    """The first page or row, where the parameter's default or label says it."""
    path = plan.roles.get("page") or plan.roles["row"]
    node = dict(input_leaves(plan.operation))[path]
    said = next((word for word in node.samples if word in {"0", "1"}), None)
    told = _FROM.search(node.label)
    return int(said or (told.group(1) if told else usual))


def _others(plan: Plan) -> list[str]:
    names = [op.name for op in plan.description.operations if op.name != plan.operation.name]
    if not names:
        return []
    return ["", "# It offers more (draft another with --operation NAME):"] + [
        f"#   {name}" for name in names[:40]
    ]
