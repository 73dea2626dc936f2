"""Proposals: what a draft says about each field — our name, type, class, operations — and why.

Everything that a draft decides about fields is decided here, so that contract and mapping agree.
What nobody can know is decided carefully: unknown fields are `restricted` and shown as ***, fields
that look personal are `sensitive`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tongban.kernel.contracts import Contract, FieldType
from tongban.onboarding.described import Node
from tongban.onboarding.matching import Match, words_of

_PERSONAL = re.compile(
    r"姓名|身份证|证件号|手机|电话|住址|地址|银行|账户名|户名|联系人|出生"
    r"|^(xm|sfz\w*|zjh\w*|sjh\w*|lxdh|dz|hm)$|id_?card|id_?no|mobile|phone|birth|address"
    r"|(person|holder|owner|full|real|user)_?name|^name$",
    re.IGNORECASE,
)
_KEY = re.compile(r"(^|_)(id|no|number|code|key|bh|lsh)$|(bh|lsh|zh|hm|id|no)$|编号|主键|流水|账号")
_MONEY = re.compile(
    r"金额|余额|价|税额|缴费|元|amount|balance|price|fee|(^|_)je$|ye$", re.IGNORECASE
)
_DATES = (
    (r"[0-9]{8}", "yyyyMMdd"),
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "yyyy-MM-dd"),
    (r"[0-9]{4}/[0-9]{2}/[0-9]{2}", "yyyy/MM/dd"),
    (r"[0-9]{14}", "yyyyMMddHHmmss"),
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", "yyyy-MM-dd HH:mm:ss"),
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T.*", "iso"),
    (r"[0-9]{12,13}", "epoch_ms"),
)
DATE_FORMATS = ("yyyyMMdd", "yyyy-MM-dd", "yyyy/MM/dd", "iso")
MOMENT_FORMATS = ("yyyy-MM-dd HH:mm:ss", "yyyyMMddHHmmss", "iso", "yyyy-MM-dd")
DEFAULT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Proposal:
    """One field of the draft.

    Attributes:
        target: Name in the contract; "" when the contract exists and has no place for it.
        type: Type in the contract.
        why: Confidence and reasons, as the comment says them.
        code_table: Table of ours that its codes may belong to.
    """

    path: str
    node: Node
    target: str
    type: FieldType
    label: str
    classification: str
    mask: str | None
    index: str | None
    operations: tuple[Any, ...]
    rules: tuple[tuple[str, str], ...]
    confidence: float
    why: str
    is_key: bool = False
    code_table: str | None = None


def propose(matches: Sequence[Match], contract: Contract | None) -> list[Proposal]:
    """One proposal per field, in the record's order; exactly one is the key."""
    used: set[str] = {m.concept.name for m in matches if m.concept is not None}
    proposals = [_proposal(match, used, contract) for match in matches]
    if contract is not None:
        return proposals
    at = key_position(proposals)
    return [_as_key(p) if number == at else p for number, p in enumerate(proposals)]


def key_position(proposals: Sequence[Proposal]) -> int:
    """Which field is probably the record's key: called like one, required, early."""

    def score(number: int) -> float:
        item = proposals[number]
        said = f"{item.node.label} {item.node.name.lower()}"
        named = bool(_KEY.search(item.node.name.lower())) or bool(_KEY.search(item.node.label))
        is_said = "key" in said or "主键" in said or "唯一" in said
        personal = item.classification == "sensitive"
        kinds = item.type in {"string", "integer"}
        points = 3 * is_said + 2 * named + item.node.required - 4 * personal + 2 * kinds
        return points - number / 100

    return max(range(len(proposals)), key=score, default=-1)


def _as_key(item: Proposal) -> Proposal:
    return replace(item, is_key=True, why=f"{item.why}; probably the key")


def _proposal(match: Match, used: set[str], contract: Contract | None) -> Proposal:
    node, concept = match.node, match.concept
    if concept is not None:
        field = concept.field
        kind = field.type
        return Proposal(
            path=match.path,
            node=node,
            target=concept.name,
            type=kind,
            label=node.label if not node.label.isascii() else field.label,
            classification=field.classification,
            mask=field.mask,
            index=field.index,
            operations=operations_for(kind, node, tuple(concept.operations)),
            rules=tuple((r.kind, r.description) for r in concept.rules.values()),
            confidence=match.confidence,
            why=f"{match.confidence:.2f} {', '.join(match.reasons)}",
            code_table=field.code_table,
        )
    kind = _type_of(node)
    name, personal = _fresh_name(node, used), is_personal(node)
    hidden = "sensitive" if personal else "restricted"
    money = kind == "decimal" and bool(_MONEY.search(f"{node.label} {node.name}"))
    return Proposal(
        path=match.path,
        node=node,
        target=name if contract is None else "",
        type=kind,
        label=node.label or node.name,
        classification=hidden,
        mask="amount" if money else "text",
        index=None,
        operations=operations_for(kind, node, ()),
        rules=(),
        confidence=0.0,
        why="0.00 no match",
    )


def is_personal(node: Node) -> bool:
    """Whether name or label sound like something about a person."""
    return bool(_PERSONAL.search(node.label) or _PERSONAL.search("_".join(words_of(node.name))))


def operations_for(kind: FieldType, node: Node, safe: tuple[str, ...]) -> tuple[Any, ...]:
    """Operations that bring a source value to that type."""
    if kind in {"date", "datetime"}:
        known = DATE_FORMATS if kind == "date" else MOMENT_FORMATS
        return ({kind: {"formats": list(_formats(node) or known)}},)
    if kind == "month":
        return ({"month": {"formats": ["yyyyMM", "yyyy-MM"]}},)
    if kind == "decimal":
        return ({"decimal": {"scale": node.scale if node.scale is not None else 2}},)
    if kind == "integer":
        return ("integer",)
    if kind == "boolean":
        words = {"true": ["true", "1", "Y", "是"], "false": ["false", "0", "N", "否"]}
        return ({"boolean": words},)
    return tuple(safe)


def _formats(node: Node) -> tuple[str, ...]:
    """Formats that the shown values have."""
    if node.type in {"date", "datetime"} and not node.samples:
        return ("iso", "yyyy-MM-dd")
    found = [
        name for pattern, name in _DATES if any(re.fullmatch(pattern, s) for s in node.samples)
    ]
    return tuple(found)


def _type_of(node: Node) -> FieldType:
    """The contract type of a field that only its description knows."""
    if node.type != "string":
        kinds: dict[str, FieldType] = {"object": "string"}
        return kinds.get(node.type) or node.type  # type: ignore[return-value] # the same words
    formats = _formats(node)
    said = f"{node.label} {'_'.join(words_of(node.name))}"
    timely = re.search(r"时间|日期|date|time|(^|_| )\w*(rq|sj)$", said, re.IGNORECASE)
    if formats and timely:
        moments = {"yyyyMMddHHmmss", "yyyy-MM-dd HH:mm:ss", "epoch_ms", "iso"}
        return "datetime" if moments & set(formats) else "date"
    if timely and not node.samples:
        return "datetime" if re.search(r"时间|time|sj$", said, re.IGNORECASE) else "date"
    return "string"


def _fresh_name(node: Node, used: set[str]) -> str:
    """A contract name made from the source name, that nothing else has."""
    words = [word for word in words_of(node.name) if word.isascii()] or ["field"]
    name = "_".join(words)
    name = name if name[0].isalpha() else f"field_{name}"
    number, fresh = 1, name
    while fresh in used:
        number += 1
        fresh = f"{name}_{number}"
    used.add(fresh)
    return fresh
