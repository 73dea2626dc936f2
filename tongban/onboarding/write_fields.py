"""Write the drafts of contract and mapping: one line of evidence beside every field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tongban.kernel.contracts import Contract
from tongban.onboarding.proposals import DEFAULT_LENGTH, Proposal
from tongban.onboarding.yamltext import flow, line, scalar

LOGICAL = {"decimal": "number", "datetime": "timestamp", "month": "string"}
PHYSICAL = {
    "integer": "bigint",
    "date": "date",
    "datetime": "timestamptz",
    "boolean": "boolean",
    "month": "varchar(7)",
}
RULE_DIMENSION = {"not_future": "timeliness"}


def contract_text(
    system: str, dataset: str, title: str, proposals: Sequence[Proposal], to_fill: list[str]
) -> str:
    """A contract for a dataset that has none yet."""
    to_fill.append(f"contracts/{dataset}/v1.yaml: names, purpose and class of every field")
    lines = [
        f"# {title}: draft contract. The number beside a field is how sure its meaning is.",
        "# classification decides what happens: sensitive is encrypted, restricted is masked.",
        "apiVersion: v3.2.0",
        "kind: DataContract",
        f"id: tongban.{dataset}",
        line(0, f"name: {scalar(title)}", "fill: 中文名"),
        "version: 1.0.0",
        "status: draft",
        "tenant: 平凉市",
        line(0, "domain: 待填", "fill: 领域"),
        "description:",
        line(2, "purpose: 待填", "fill: 用途"),
        line(2, "usage: 待填", "fill: 谁用、一行是什么"),
        line(2, "limitations: 有条件共享", "fill: 限制"),
        "team:",
        line(2, "name: 待填", "fill: 数据提供单位"),
        "  description: 数据提供单位；谁主管、谁提供、谁负责。",
        "schema:",
        f"  - name: {dataset}",
        "    logicalType: object",
        f"    physicalName: {dataset}_v1",
        "    physicalType: table",
        f"    businessName: {scalar(title)}",
        "    properties:",
    ]
    for item in proposals:
        lines += _property(dataset, item)
    changed = next((p.target for p in proposals if p.target == "changed_at"), None)
    lines += ["customProperties:", f"  - {{property: owner, value: {system}}}"]
    if changed is not None:
        lines.append(f"  - {{property: changeTime, value: {changed}}}")
    else:
        text = "fill: which field says when a row changed?"
        lines.append(line(2, "", f"{text} {{property: changeTime, value: FIELD}}"))
        to_fill.append(f"contracts/{dataset}/v1.yaml: changeTime, if a field says it")
    lines += [
        "  - {property: dirtyLimit, value: {share: 0.2, rows: 50}}",
        "  - {property: rectificationDays, value: 5}",
    ]
    return "\n".join(lines) + "\n"


def _property(dataset: str, item: Proposal) -> list[str]:
    node = item.node
    indexed = [("index", item.index), ("mask", item.mask), ("codeTable", None)]
    custom = [(name, value) for name, value in indexed if value]
    custom += [("format", "month")] if item.type == "month" else []
    lines = [
        line(6, f"- name: {item.target}", f"{node.name}: {item.why}"),
        line(8, f"businessName: {scalar(item.label)}"),
        line(8, f"logicalType: {LOGICAL.get(item.type, item.type)}"),
        line(8, f"physicalType: {scalar(_physical(item))}"),
    ]
    if item.is_key or node.required:
        lines.append(line(8, "required: true"))
    if item.is_key:
        note = "check: is it unique and does it never change?"
        lines += [line(8, "primaryKey: true", note), line(8, "primaryKeyPosition: 1")]
    lines.append(line(8, f"classification: {item.classification}", "check"))
    if item.type == "string":
        length = node.max_length or DEFAULT_LENGTH
        lines.append(line(8, f"logicalTypeOptions: {{minLength: 1, maxLength: {length}}}"))
    if node.values:
        allowed = ", ".join(node.values[:20])
        lines.append(line(8, "", f"the description allows only: {allowed}"))
    if custom:
        lines.append(line(8, "customProperties:"))
        lines += [line(10, f"- {{property: {name}, value: {value}}}") for name, value in custom]
    if item.code_table:
        text = f"codes? the hub has the table {item.code_table}: {{property: codeTable, …}}"
        lines.append(line(8, "", text))
    return lines + _rules(dataset, item)


def _rules(dataset: str, item: Proposal) -> list[str]:
    if not item.rules:
        return []
    lines = [line(8, "quality:")]
    for kind, description in item.rules:
        dimension = RULE_DIMENSION.get(kind, "accuracy")
        lines += [
            line(10, f"- name: {dataset}.{item.target}_{kind}"),
            line(12, "type: custom"),
            line(12, "engine: tongban"),
            line(12, f"dimension: {dimension}"),
            line(12, "severity: error", "check: warning lets the row pass"),
            line(12, f"description: {scalar(description)}"),
            line(12, f"implementation: {{rule: {kind}}}"),
        ]
    return lines


def _physical(item: Proposal) -> str:
    if item.type == "string":
        length = item.node.max_length or DEFAULT_LENGTH
        return f"varchar({length})" if length <= 4000 else "text"  # noqa: PLR2004
    if item.type == "decimal":
        return f"numeric(18,{item.node.scale if item.node.scale is not None else 2})"
    return PHYSICAL[item.type]


def mapping_text(
    system: str,
    dataset: str,
    proposals: Sequence[Proposal],
    lists: Sequence[str],
    contract: Contract | None,
    to_fill: list[str],
) -> str:
    """The mapping of the way in, every field with its evidence."""
    lines = [
        f"# Draft mapping {system} → {dataset}. The number is how sure a match is; all are guesses",
        "# until `system try` shows rows that make sense. Codes need a table in mappings/codes/.",
        f"mapping: {dataset}",
        f"system: {system}",
        "version: 1.0.0",
        f"contract: {dataset}",
        line(0, f"key: {flow(_source_key(proposals, contract))}", "check: their key, in order"),
        "",
        "fields:",
    ]
    mapped = [item for item in proposals if item.target]
    for item in mapped:
        spec: dict[str, Any] = {"from": item.path}
        spec |= {"ops": list(item.operations)} if item.operations else {}
        lines.append(line(2, f"{item.target}: {flow(spec)}", item.why))
        if item.code_table:
            text = f"codes? mappings/codes/{item.code_table}.{system}.csv, then ops [{{code: …}}]"
            lines.append(line(2, "", text))
    lines += _missing(contract, {item.target for item in mapped}, dataset, to_fill)
    left = [*(item.path for item in proposals if not item.target), *lists]
    lines += ["", line(0, f"ignore: {flow(left)}", "known and not carried")]
    lines += ["", line(0, "examples: []", "add synthetic ones; area code 620899 for people")]
    return "\n".join(lines) + "\n"


def _source_key(proposals: Sequence[Proposal], contract: Contract | None) -> list[str]:
    wanted = set(contract.key) if contract is not None else set()
    found = [p.path for p in proposals if p.is_key or p.target in wanted]
    return found or [proposals[0].path if proposals else "id"]


def _missing(
    contract: Contract | None, mapped: set[str], dataset: str, to_fill: list[str]
) -> list[str]:
    """Fields of an existing contract that no source was found for."""
    if contract is None:
        return []
    lines = []
    for field in contract.fields:
        if field.name not in mapped:
            need = "fill" if field.required else "check"
            lines.append(line(2, "", f"{need}: {field.name} ({field.label}): no source was found"))
            if field.required:
                to_fill.append(f"mapping of {dataset}: a source for {field.name} ({field.label})")
    return lines
