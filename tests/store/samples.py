"""Two small contracts and frames for the tests of protect, store, push and evidence."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl

from tongban.kernel.contracts import Contract, Field
from tongban.kernel.records import BEIJING

T0 = datetime(2026, 3, 1, 9, 0, tzinfo=BEIJING)

PAYMENT_FIELDS = (
    Field("ticket_no", "税票号", "string", required=True),
    Field("contract_no", "合同号", "string"),
    Field(
        "payer_name", "纳税人", "string", required=True, classification="sensitive", mask="name"
    ),
    Field(
        "payer_id_no",
        "证件号",
        "string",
        classification="sensitive",
        index="subject",
        mask="resident_id",
    ),
    Field("paid_amount", "实缴", "decimal", precision=18, scale=2),
    Field("paid_at", "缴款时间", "datetime"),
    Field("is_first", "首套", "boolean"),
    Field("floors", "层数", "integer"),
    Field("period", "期间", "month"),
    Field("changed_at", "变更时间", "datetime", required=True),
)
PARTY_FIELDS = (
    Field("contract_no", "合同号", "string", required=True),
    Field("party_no", "序号", "integer", required=True),
    Field("name", "姓名", "string", classification="sensitive", mask="name"),
    Field("share", "份额", "decimal", precision=9, scale=6),
    Field("changed_at", "变更时间", "datetime", required=True),
)
SALE_FIELDS = (
    Field("contract_no", "合同号", "string", required=True),
    Field("usage", "用途", "string", code_table="usage"),
    Field("address", "坐落", "string", classification="sensitive", mask="address"),
    Field("total_price", "总价", "decimal", precision=18, scale=2),
    Field("signed_at", "签订时间", "datetime"),
    Field("changed_at", "变更时间", "datetime", required=True),
)


def contract(
    dataset: str = "payment",
    fields: tuple[Field, ...] = PAYMENT_FIELDS,
    key: tuple[str, ...] = ("ticket_no",),
    version: str = "1.0.0",
    changed_at: str | None = "changed_at",
) -> Contract:
    """A contract as the loader would make it."""
    return Contract(
        dataset=dataset,
        version=version,
        label=dataset,
        owner="tax",
        key=key,
        fields=fields,
        rules=(),
        changed_at=changed_at,
        dirty_share=1.0,
        dirty_rows=0,
        rectification_days=5,
        digest="0" * 64,
        path=Path("contracts") / dataset / "v1.yaml",
    )


PAYMENT = contract()
SALE = contract("sale", SALE_FIELDS, ("contract_no",))
PARTY = contract("sale_party", PARTY_FIELDS, ("contract_no", "party_no"))


def payments(
    count: int = 3, *, start: int = 0, minutes: int = 0, amount: str = "100.00"
) -> pl.DataFrame:
    """Accepted payment rows `start` … `start + count - 1`, all changed at T0 + minutes."""
    numbers = range(start, start + count)
    changed = T0 + timedelta(minutes=minutes)
    return pl.DataFrame(
        {
            "ticket_no": [f"T{i:06d}" for i in numbers],
            "contract_no": [f"C{i // 2:05d}" if i % 3 else None for i in numbers],
            "payer_name": [f"张{i}" for i in numbers],
            "payer_id_no": [f"62089919850314{i:04d}" for i in numbers],
            "paid_amount": [Decimal(amount)] * count,
            "paid_at": [T0] * count,
            "is_first": [i % 2 == 0 for i in numbers],
            "floors": [i if i % 5 else None for i in numbers],
            "period": ["2026-03"] * count,
            "changed_at": [changed] * count,
        },
        schema={
            "ticket_no": pl.String,
            "contract_no": pl.String,
            "payer_name": pl.String,
            "payer_id_no": pl.String,
            "paid_amount": pl.Decimal(18, 2),
            "paid_at": pl.Datetime("us", "Asia/Shanghai"),
            "is_first": pl.Boolean,
            "floors": pl.Int64,
            "period": pl.String,
            "changed_at": pl.Datetime("us", "Asia/Shanghai"),
        },
    )
