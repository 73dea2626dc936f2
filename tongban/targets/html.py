"""HTML: a contract as one page for people, Chinese first, that asks no server for anything.

Style stands inside the page, there is no script, and everything from the contract is escaped. It
says what the fields are, who may see them, which rules hold and which target cannot say them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, Field
from tongban.targets.declared import Declared, document_of
from tongban.targets.sql_rules import condition
from tongban.targets.statements import Statement, statements_of
from tongban.targets.xsd import compile_xsd

CLASSES = {
    "public": "公开 public",
    "internal": "内部 internal",
    "restricted": "受限 restricted",
    "sensitive": "敏感 sensitive",
}
TYPES = {
    "string": "文本 text",
    "integer": "整数 integer",
    "decimal": "小数 decimal",
    "date": "日期 date",
    "datetime": "时间 moment",
    "boolean": "是否 yes/no",
    "month": "月份 month",
}
DIMENSIONS = {
    "accuracy": "准确性 accuracy",
    "completeness": "完整性 completeness",
    "conformity": "规范性 conformity",
    "consistency": "一致性 consistency",
    "coverage": "覆盖性 coverage",
    "timeliness": "时效性 timeliness",
    "uniqueness": "唯一性 uniqueness",
}
MOST_CODES = 40  # of a table, shown in the page


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One line of the field table."""

    field: Field
    declared: Declared
    type: str
    protection: str
    is_key: bool
    bounds: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One line of the rule table."""

    id: str
    severity: str
    dimension: str
    description: str
    sql: str


def contract_page(contract: Contract, codes: CodeTables) -> str:
    """Render a contract.

    Raises:
        ConfigInvalid: As `compile_contract`.
    """
    document = document_of(contract)
    statements = statements_of(contract, codes)
    dimensions = {rule.id: rule.dimension for rule in contract.rules}
    tables = sorted({str(f.code_table) for f in contract.fields if f.code_table})
    return _template().render(
        contract=contract,
        document=document,
        fields=[_field(contract, item, document.of(item.name)) for item in contract.fields],
        rules=[_rule(s, dimensions) for s in statements if s.kind != "type"],
        codes={name: codes.table(name) for name in tables},
        most_codes=MOST_CODES,
        gaps=compile_xsd(contract, codes).gaps,
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("tongban.targets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("contract.html")


def _field(contract: Contract, item: Field, declared: Declared) -> FieldRow:
    kind = TYPES[item.type]
    if item.type == "decimal":
        kind += f" ({item.precision},{item.scale})"
    protection = CLASSES[item.classification]
    if item.is_classified:
        protection += "；加密存放 encrypted"
    return FieldRow(item, declared, kind, protection, item.name in contract.key, _bounds(item))


def _bounds(item: Field) -> str:
    """Length, range and pattern in one line."""
    parts: list[str] = []
    if item.min_length is not None or item.max_length is not None:
        parts.append(f"{item.min_length or 0}–{item.max_length or '∞'} 字")
    if item.minimum is not None or item.maximum is not None:
        low, high = ("∞" if b is None else str(b) for b in (item.minimum, item.maximum))
        parts.append(f"{'-' if item.minimum is None else ''}{low} … {high}")
    if item.pattern is not None:
        parts.append(item.pattern)
    if item.code_table is not None:
        parts.append(f"代码表 {item.code_table}")
    return "；".join(parts)


def _rule(s: Statement, dimensions: dict[str, str]) -> RuleRow:
    implicit = "completeness" if s.kind == "required" else "conformity"
    return RuleRow(
        id=s.id,
        severity="错误 error" if s.is_enforced else "提醒 warning",
        dimension=DIMENSIONS[dimensions.get(s.id, implicit)],
        description=s.description,
        sql=condition(s) or f"{s.item.name} IS NOT NULL",
    )
