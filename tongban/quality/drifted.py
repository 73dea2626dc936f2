"""Drifted: what departments changed about their data lately, and the codes that nobody mapped.

Read from what the loads noted. Each line is a ticket of its department, numbered by its first
event; names, counts and codes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, text

from tongban.kernel.records import BEIJING

DAYS = 90
WORDS = {
    "new_field": "新增字段",
    "missing_optional": "可选字段缺失",
    "missing_required": "必填字段缺失",
    "type_change": "取值类型改变",
    "became_nested": "字段变为对象",
    "became_list": "字段变为列表",
    "renamed_field": "字段名写法改变",
    "repeated_name": "字段名重复",
    "field_order": "字段顺序改变",
    "new_code": "出现新代码",
    "date_format": "日期写法改变",
    "unit_change": "计量单位可疑",
    "null_rate": "空值率突增",
    "constant": "整列同一取值",
    "garbage": "乱码",
    "volume": "数据量异常",
    "old_batch": "重送旧数据",
}
POLICIES = {
    "warning": "提醒",
    "quarantine": "隔离有关行",
    "held": "入库，暂不推送",
    "frozen": "整批停载",
    "approved": "经批准放行",
    "accepted": "契约已认可",
}
_EVENTS = text("""
    SELECT system, dataset, kind, field, owner, min(event_id) AS ticket, count(*) AS batches,
           min(at) AS first_at, max(at) AS last_at,
           (array_agg(policy ORDER BY event_id DESC))[1] AS policy
      FROM hub.drift_event
     WHERE at >= CAST(:day AS date) - :days AND policy <> 'accepted'
     GROUP BY system, dataset, kind, field, owner
     ORDER BY owner, dataset, kind, field
""")
_CODES = text("""
    SELECT system, dataset, field, code, rows, first_at FROM hub.unmapped_code
     WHERE last_at >= CAST(:day AS date) - :days ORDER BY system, dataset, field, code
""")


@dataclass(frozen=True, slots=True)
class Ticket:
    """One change of habit that a department must answer."""

    number: int
    system: str
    dataset: str
    kind: str
    field: str
    policy: str
    owner: str
    batches: int
    first_on: date
    last_on: date

    @property
    def word(self) -> str:
        """The kind in Chinese."""
        return WORDS.get(self.kind, self.kind)

    @property
    def done(self) -> str:
        """What was done, in Chinese."""
        return POLICIES.get(self.policy, self.policy)


@dataclass(frozen=True, slots=True)
class NewCode:
    """One code that no code table knows; an empty one is not of the form of a code."""

    system: str
    dataset: str
    field: str
    code: str
    rows: int
    first_on: date


def read_tickets(conn: Connection, day: date) -> list[Ticket]:
    """Changes of the last 90 days, by department."""
    return [
        Ticket(
            number=row.ticket,
            system=row.system,
            dataset=row.dataset,
            kind=row.kind,
            field=row.field,
            policy=row.policy,
            owner=row.owner,
            batches=row.batches,
            first_on=row.first_at.astimezone(BEIJING).date(),
            last_on=row.last_at.astimezone(BEIJING).date(),
        )
        for row in conn.execute(_EVENTS, {"day": day, "days": DAYS})
    ]


def read_new_codes(conn: Connection, day: date) -> list[NewCode]:
    """Codes of the last 90 days that nobody mapped."""
    return [
        NewCode(
            system=row.system,
            dataset=row.dataset,
            field=row.field,
            code=row.code,
            rows=row.rows,
            first_on=row.first_at.astimezone(BEIJING).date(),
        )
        for row in conn.execute(_CODES, {"day": day, "days": DAYS})
    ]
