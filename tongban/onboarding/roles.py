"""Roles: which parameter is the window, which the page, and which part of an answer says what.

Guesses by name and label, the more telling words first. Each guess stands in the draft with its
reason; a person reads it before the first call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tongban.onboarding.described import Node, Operation

# Order matters: a page size also says "page", an end time also says "time".
_SINCE: Final = (
    r"(start|begin|since|from|after|modified|updated)_?(time|date|day|since)?$"
    r"|^(start|begin|from|since)|kssj|gxsjq|qssj|ksrq|qsrq|开始|起始|起$"
)
_CODE: Final = (
    r"^(response|result|return|rtn|ret|biz|error|err|status|resp)?_?(code|status|no)$"
    r"|^fhm$|^flag$|^success$|^state$|^ret$|返回码|状态码|结果代码"
)
_INPUTS: Final = (
    ("size", r"page_?size|(^|_)size$|limit|row_?count|per_?page|page_?count|^myts$|每页|条数"),
    ("cursor", r"cursor|token$|marker|^after$|next_?key|scroll|游标"),
    ("row", r"offset|start_?row|start_?index|^skip$|^first$|起始行"),
    ("page", r"page_?(no|num|number|index)?$|current_?page|^ym$|页码|页号|第几页"),
    ("until", r"(end|until|before|to|stop)_?(time|date|day)?$|jssj|gxsjz|jsrq|zzsj|截止|结束|终止"),
    ("since", _SINCE),
)
_OUTPUTS: Final = (
    ("total", r"total|(record|row|all)_?(count|num|size)|^count$|^zjls$|^zs$|总数|总条数|总记录"),
    ("more", r"has_?(more|next)|is_?more|^more$|还有"),
    ("next_cursor", r"next|cursor|scroll|游标"),
    ("code", _CODE),
    ("message", r"(message|msg|info|desc|reason)$|^fhxx$|说明|返回信息"),
)
_NEXT_LINK = re.compile(r"(^|\.)next\.(href|url|uri)$", re.IGNORECASE)
_SUCCESS: Final = ("0", "00", "0000", "000000", "200", "1", "true", "success", "ok", "y")


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands where in an answer; paths are relative to its root, None when not found.

    Attributes:
        children: Lists inside a record, with their paths inside it.
        success: Codes that probably mean success, the likeliest first.
    """

    records: str | None
    record: Node | None
    children: tuple[tuple[str, Node], ...] = ()
    total: str | None = None
    code: str | None = None
    message: str | None = None
    next_cursor: str | None = None
    more: str | None = None
    success: tuple[str, ...] = ()
    payload: str | None = None


def input_roles(operation: Operation) -> dict[str, str]:
    """Role → dotted path of the parameter that plays it, each parameter once."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for role, pattern in _INPUTS:
        for path, node in input_leaves(operation):
            if path not in taken and role not in found and _says(pattern, node):
                found[role] = path
                taken.add(path)
    return found


def input_leaves(operation: Operation) -> list[tuple[str, Node]]:
    """Every single value that a call may carry, with its dotted path."""
    return list(Node("", "object", children=operation.inputs).leaves())


def answer_roles(root: Node | None) -> Answer:
    """Find the record list and the words around it."""
    if root is None:
        return Answer(None, None)
    if root.repeated and root.type == "object":  # the answer is the list
        return Answer("", root, tuple(root.lists()))
    lists = sorted(root.lists(), key=lambda item: -len(list(item[1].leaves())))
    path, record = lists[0] if lists else (None, None)
    roles: dict[str, str] = {}
    nodes: dict[str, Node] = {}
    for role, pattern in _OUTPUTS:
        for name, node in root.leaves():
            if role in roles or name in roles.values():
                continue
            if _says(pattern, node) or (role == "next_cursor" and _NEXT_LINK.search(name)):
                roles[role], nodes[role] = name, node
    texts = [(p, n) for p, n in root.leaves() if n.type == "string" and p not in roles.values()]
    return Answer(
        records=path,
        record=record,
        children=tuple(record.lists()) if record is not None else (),
        total=roles.get("total"),
        code=roles.get("code"),
        message=roles.get("message"),
        next_cursor=roles.get("next_cursor"),
        more=roles.get("more"),
        success=_success(nodes.get("code")),
        payload=texts[0][0] if record is None and texts else None,
    )


def _success(node: Node | None) -> tuple[str, ...]:
    """The likeliest success codes: shown, allowed, or said in the label; else the usual ones."""
    if node is None:
        return ()
    shown = [*node.samples, *node.values, *re.findall(r"[\w]+", node.label)]
    known = tuple(dict.fromkeys(word for word in shown if word.lower() in _SUCCESS))
    if known:
        return known[:1]
    if node.type == "boolean":
        return ("true",)
    return ("0",)


def _says(pattern: str, node: Node) -> bool:
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", node.name.lstrip("@")).lower()
    if re.search(pattern, name):
        return True
    return bool(node.label) and not node.label.isascii() and bool(re.search(pattern, node.label))
