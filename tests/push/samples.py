"""A target office in memory: idempotent by guid and version, with faults on demand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.store.samples import PARTY, PAYMENT, SALE, Hub
from tongban.kernel.catalog import PushRoute
from tongban.kernel.errors import DeliveryUnclear, SystemRefused
from tongban.kernel.mappings import FieldMapping, Op, PushChild, PushMapping
from tongban.kernel.records import Receipt
from tongban.protect import Vault
from tongban.push import PushCounts, deliver


def made(target: str, *sources: str, **ops: Any) -> FieldMapping:
    """One field of a push mapping; `iso_datetime={}` and the like are its operations."""
    operations = tuple(Op(name=name, args=args, where="test.yaml:1") for name, args in ops.items())
    return FieldMapping(target=target, sources=sources, ops=operations, where="test.yaml:1")


def mapping_of(dataset: str, *fields: FieldMapping, **more: Any) -> PushMapping:
    """A push mapping to the office."""
    return PushMapping(
        target="office",
        dataset=dataset,
        version="1.0.0",
        where=more.get("where", {}),
        fields={item.target: item for item in fields},
        children=more.get("children", {}),
        digest="0" * 64,
        path=Path("test.yaml"),
    )


PAYMENT_OUT = mapping_of(
    "payment",
    made("ticket", "ticket_no"),
    made("payer.name", "payer_name"),
    made("payer.id", "payer_id_no", mask={"kind": "resident_id"}),
    made("amount", "paid_amount", money_out={"unit": "元", "scale": 2}),
    made("paid_at", "paid_at", iso_datetime=None),
)
SALE_OUT = mapping_of(
    "sale",
    made("no", "contract_no"),
    made("usage", "usage", code_out={"table": "usage"}),
    children={
        "LIST.PARTY": PushChild(
            dataset="sale_party",
            on={"contract_no": "contract_no"},
            fields={
                "NAME": made("NAME", "name"),
                "SHARE": made("SHARE", "share", percent_text=None),
            },
        )
    },
    where={"usage": ("10", "20")},
)
CODES = SimpleNamespace(
    from_hub=lambda table, target: {"10": "住宅"},  # noqa: ARG005
    known=lambda table: frozenset({"10", "20"}),  # noqa: ARG005
)


class Declared:
    """The part of a catalog that delivery reads."""

    codes = CODES

    def __init__(self, mapping: PushMapping, batch: int, *, is_xml: bool = False) -> None:
        self._mapping = mapping
        self._batch = batch
        self._send_as = "xml" if is_xml else "json"

    def push_mapping(self, target: str, dataset: str) -> PushMapping:  # noqa: ARG002
        """The one mapping."""
        return self._mapping

    def contract(self, dataset: str) -> Any:
        """Sample contracts."""
        return {"payment": PAYMENT, "sale": SALE, "sale_party": PARTY}[dataset]

    def system(self, name: str) -> Any:  # noqa: ARG002
        """The office's batch size, and how it is spoken to."""
        call = SimpleNamespace(send_as=self._send_as, body=None, form={})
        accepted = SimpleNamespace(batch=self._batch, call=call)
        return SimpleNamespace(
            accepts={self._mapping.dataset: accepted},
            interface_of=lambda _: SimpleNamespace(soap=None),
        )


class Office:
    """The target: what it holds, what it was sent, and how it fails."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.held: dict[str, tuple[int, str, dict[str, Any]]] = {}
        self.receipts: dict[tuple[str, int], str] = {}
        self.effects: list[tuple[str, int]] = []
        self.batches: list[list[Any]] = []
        self.lose_answers = 0
        self.raises: list[Exception] = []
        self.refuse: dict[str, str] = {}
        self.poison: set[str] = set()
        self.silent: set[str] = set()
        self.during: Any = None

    def send(self, dataset: str, records: Any) -> list[Receipt]:  # noqa: ARG002
        """Take a batch the way the substation does."""
        self.batches.append(list(records))
        if self.during is not None:
            self.during()
        if self.raises:
            raise self.raises.pop(0)
        if self.poison & {self.key(record) for record in records}:
            raise SystemRefused("office: the batch cannot be read")
        answers = [self.take(record) for record in records]
        if self.lose_answers:
            self.lose_answers -= 1
            raise DeliveryUnclear("office: connection reset after the request")
        return [a for a, r in zip(answers, records, strict=True) if self.key(r) not in self.silent]

    @staticmethod
    def key(record: Any) -> str:
        """The business key inside the document."""
        return record.data.get("ticket") or record.data.get("no")

    def take(self, record: Any) -> Receipt:
        """Effect once per (guid, version), refusals by key."""
        code = self.refuse.get(self.key(record))
        if code is not None:
            return Receipt(record.guid, "rejected", code=code, message=f"不接受 {self.key(record)}")
        at = (record.guid, record.version)
        if at in self.receipts:
            return Receipt(record.guid, "duplicate", self.receipts[at])
        self.receipts[at] = f"R{len(self.receipts) + 1}"
        self.effects.append(at)
        self.held[record.guid] = (record.version, record.digest, record.data)
        return Receipt(record.guid, "accepted", self.receipts[at])

    def deliver(
        self,
        mapping: PushMapping = PAYMENT_OUT,
        *,
        batch: int = 2,
        is_xml: bool = False,
        **more: Any,
    ) -> PushCounts:
        """One delivery run."""
        return deliver(
            self.hub.engine,
            Vault(self.hub.keyring),
            Declared(mapping, batch, is_xml=is_xml),
            PushRoute(target="office", dataset=mapping.dataset, protocol="rest"),
            self,
            **more,
        )

    def states(self) -> dict[str, int]:
        """Outbox rows by state."""
        found = self.hub.rows("SELECT state, count(*) FROM hub.outbox GROUP BY 1")
        return {str(state): int(count) for state, count in found}

    def make_due(self) -> None:
        """Let the time of backoff pass."""
        with self.hub.engine.begin() as conn:
            conn.exec_driver_sql("UPDATE hub.outbox SET next_try_at = now()")
