"""Two small contracts and frames for the tests of protect, store, push and evidence."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
from sqlalchemy import Engine, text

from tongban.kernel.contracts import Contract, Field
from tongban.kernel.records import BEIJING
from tongban.protect import KeyRing, protect_frame, protect_quarantine
from tongban.store.leases import Lease, take_lease
from tongban.store.load import ChunkOutcome, LoadChunk, write_chunk
from tongban.store.transfers import begin_transfer

T0 = datetime(2026, 3, 1, 9, 0, tzinfo=BEIJING)

PAYMENT_FIELDS = (
    Field("ticket_no", "税票号", "string", required=True),
    Field("contract_no", "合同号", "string"),
    Field("payer_name", "纳税人", "string", required=True, classification="sensitive", mask="name"),
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


class Hub:
    """Loads frames into the store the way the pipeline does, one lease for each dataset."""

    def __init__(self, engine: Engine, keyring: KeyRing) -> None:
        self.engine = engine
        self.keyring = keyring
        self.leases: dict[str, Lease] = {}

    def lease(self, dataset: str) -> Lease:
        """The lease of (tax, dataset)."""
        if dataset not in self.leases:
            self.leases[dataset] = take_lease(self.engine, "tax", dataset)
        return self.leases[dataset]

    def chunk(
        self,
        frame: pl.DataFrame | None,
        refused: pl.DataFrame | None = None,
        *,
        of: Contract = PAYMENT,
        transfer_id: UUID | None = None,
        **more: Any,
    ) -> LoadChunk:
        """A chunk of accepted and refused rows, by default a whole transfer."""
        transfer = transfer_id or begin_transfer(self.engine, "tax", of.dataset)
        rows = None if frame is None else protect_frame(frame, of, self.keyring)
        quarantine = None if refused is None else self.refuse(refused, of)
        return LoadChunk(
            contract=of,
            rows=rows,
            quarantine=quarantine,
            read=sum(f.height for f in (frame, refused) if f is not None),
            transfer_id=transfer,
            lease=more.pop("lease", None) or self.lease(of.dataset),
            **more,
        )

    def refuse(self, frame: pl.DataFrame, of: Contract = PAYMENT) -> pl.DataFrame:
        """Refused rows, each with one finding."""
        findings = pl.Series([json.dumps([{"rule": f"{of.dataset}.bad"}])] * frame.height)
        given = frame.select(pl.all().cast(pl.String))
        return protect_quarantine(frame, given, findings, of, self.keyring)

    def load(
        self, frame: pl.DataFrame | None, refused: pl.DataFrame | None = None, **more: Any
    ) -> ChunkOutcome:
        """Write one chunk."""
        return write_chunk(self.engine, self.chunk(frame, refused, **more))

    def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        with self.engine.connect() as conn:
            return [tuple(row) for row in conn.execute(text(statement), parameters)]

    def one(self, statement: str, **parameters: Any) -> Any:
        """The single value of a query."""
        return self.rows(statement, **parameters)[0][0]


def sales(count: int = 1, *, minutes: int = 0, usage: str = "10") -> pl.DataFrame:
    """Accepted sale contracts C00000 …."""
    when = T0 + timedelta(minutes=minutes)
    return pl.DataFrame(
        {
            "contract_no": [f"C{i:05d}" for i in range(count)],
            "usage": [usage] * count,
            "address": [f"平凉市崆峒区南河路{i}号" for i in range(count)],
            "total_price": [Decimal("500000.00")] * count,
            "signed_at": [T0] * count,
            "changed_at": [when] * count,
        },
        schema_overrides={
            "total_price": pl.Decimal(18, 2),
            "signed_at": pl.Datetime("us", "Asia/Shanghai"),
            "changed_at": pl.Datetime("us", "Asia/Shanghai"),
        },
    )


def parties(count: int = 1, *, minutes: int = 0, share: str = "0.5") -> pl.DataFrame:
    """Two parties for each of `count` sale contracts."""
    pairs = [(i, j) for i in range(count) for j in (1, 2)]
    return pl.DataFrame(
        {
            "contract_no": [f"C{i:05d}" for i, _ in pairs],
            "party_no": [j for _, j in pairs],
            "name": [f"王{i}-{j}" for i, j in pairs],
            "share": [Decimal(share)] * len(pairs),
            "changed_at": [T0 + timedelta(minutes=minutes)] * len(pairs),
        },
        schema_overrides={
            "share": pl.Decimal(9, 6),
            "changed_at": pl.Datetime("us", "Asia/Shanghai"),
        },
    )
