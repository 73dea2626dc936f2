"""House sales (§6.5 of the notice): 交易 → 纳税 → 登记, moved by the records that arrive.

    ACCEPTED ──contract recorded──▶ IN_TAX ──deed tax paid──▶ IN_REGISTRATION ──registered──▶ DONE

Set-based: each step is one UPDATE over all open cases; a record that arrives late or early moves
the case as soon as the step before it is there, so the order of arrival does not matter.

Source: notice 平政办发〔2018〕179号 §6.5; the flow's steps and join keys are those of the joint
registration service (one window, internal hand-over).
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from tongban.kernel.contracts import Contract

ITEM_CODE = "1162080001389000673620117051000"  # 国有建设用地使用权及房屋所有权转移登记
ADVISORY_LOCK = 6_208_001

ACCEPTED = "ACCEPTED"
IN_TAX = "IN_TAX"
IN_REGISTRATION = "IN_REGISTRATION"
DONE = "DONE"

_CONTRACT_RECORDED = "recorded"
_DEED_TAX = "deed_tax"
_TAX_VALID = "valid"
_BUYER = "buyer"
_RIGHT_CURRENT = "current"

_TO_TAX = """
UPDATE cases.gov_case AS c
   SET state = 'IN_TAX', contract_no = s.contract_no, contract_at = s.recorded_at,
       changed_at = greatest(now(), c.changed_at), is_told = false
  FROM data.{sale_contract} AS s
 WHERE c.state = 'ACCEPTED' AND s.unit_no = c.unit_no AND s.status = :recorded
   AND EXISTS (
       SELECT 1 FROM data.{sale_contract_party} AS p
        WHERE p.contract_no = s.contract_no AND p.role = :buyer
          AND p.id_no_index = c.applicant_index)
RETURNING c.accept_no, s.recorded_at AS occurred_at, s.contract_no AS source_key
"""
_TO_REGISTRATION = """
UPDATE cases.gov_case AS c
   SET state = 'IN_REGISTRATION', ticket_no = s.ticket_no, paid_at = s.paid_at,
       changed_at = greatest(now(), c.changed_at), is_told = false
  FROM (SELECT DISTINCT ON (contract_no) contract_no, ticket_no, paid_at
          FROM data.{deed_tax_payment}
         WHERE tax_kind = :deed_tax AND status = :valid
         ORDER BY contract_no, paid_at, ticket_no) AS s
 WHERE c.state = 'IN_TAX' AND s.contract_no = c.contract_no
RETURNING c.accept_no, s.paid_at AS occurred_at, s.ticket_no AS source_key
"""
_TO_DONE = """
UPDATE cases.gov_case AS c
   SET state = 'DONE', business_no = s.business_no, certificate_no = s.certificate_no,
       registered_at = s.registered_at, changed_at = greatest(now(), c.changed_at),
       is_told = false
  FROM data.{real_estate_right} AS s
 WHERE c.state = 'IN_REGISTRATION' AND s.contract_no = c.contract_no
   AND s.unit_no = c.unit_no AND s.right_status = :current
RETURNING c.accept_no, s.registered_at AS occurred_at, s.business_no AS source_key
"""

STEPS = (
    ("CONTRACT_RECORDED", "sale_contract", _TO_TAX),
    ("DEED_TAX_PAID", "deed_tax_payment", _TO_REGISTRATION),
    ("REGISTERED", "real_estate_right", _TO_DONE),
)
READS = ("sale_contract", "sale_contract_party", "deed_tax_payment", "real_estate_right")


def move_cases(conn: Connection, contracts: dict[str, Contract]) -> dict[str, int]:
    """Move every open case as far as the stored records carry it.

    Args:
        conn: Inside a transaction that holds the advisory lock.
        contracts: At least the datasets of `READS`.

    Returns:
        Event name → cases that it moved.
    """
    tables = {name: contracts[name].table for name in READS}
    values = {
        "recorded": _CONTRACT_RECORDED,
        "buyer": _BUYER,
        "deed_tax": _DEED_TAX,
        "valid": _TAX_VALID,
        "current": _RIGHT_CURRENT,
    }
    moved: dict[str, int] = {}
    for event, dataset, statement in STEPS:
        sql = statement.format(**tables)
        used = {name: value for name, value in values.items() if f":{name}" in sql}
        rows = conn.execute(text(sql), used).mappings().all()
        _record(conn, event, dataset, [dict(row) for row in rows])
        moved[event] = len(rows)
    return moved


def _record(conn: Connection, event: str, dataset: str, rows: list[dict[str, object]]) -> None:
    """Append what happened; a case has each event once."""
    if rows:
        conn.execute(
            text(
                "INSERT INTO cases.case_event"
                " (accept_no, event, occurred_at, source_dataset, source_key)"
                " VALUES (:accept_no, :event, :occurred_at, :dataset, :source_key)"
                " ON CONFLICT DO NOTHING"
            ),
            [{**row, "event": event, "dataset": dataset} for row in rows],
        )
