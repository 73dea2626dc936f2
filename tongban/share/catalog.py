"""The catalog as other departments see it: contracts and cursors, never a record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Engine, func, select

from tongban.kernel.catalog import HUB, Catalog
from tongban.kernel.contracts import CLASSIFICATIONS, Contract, Field
from tongban.kernel.records import BEIJING
from tongban.store import tables
from tongban.store.engine import transaction

ShareClass = Literal["open", "conditional"]


class Label(BaseModel):
    """A name in both languages."""

    model_config = ConfigDict(frozen=True)

    zh: str
    en: str


class Owner(BaseModel):
    """Who is answerable for a dataset."""

    model_config = ConfigDict(frozen=True)

    system: str
    department: str
    title: Label


class DatasetCard(BaseModel):
    """One line of the catalog.

    Attributes:
        classification: The most protected class of any of its fields.
        share: `open` (无条件共享) only where every field is public, else
            `conditional` (有条件共享).
        as_of: Everything that changed at the source before this moment is stored.
    """

    model_config = ConfigDict(frozen=True)

    dataset: str
    version: str
    label: Label
    owner: Owner
    classification: str
    share: ShareClass
    subscribers: list[str]
    as_of: datetime | None


class FieldCard(BaseModel):
    """One field of a dataset."""

    model_config = ConfigDict(frozen=True)

    name: str
    label: Label
    type: str
    precision: int | None
    scale: int | None
    required: bool
    key: bool
    classification: str
    encrypted: bool
    mask: str | None
    code_table: str | None


class DatasetDetail(DatasetCard):
    """One dataset in full."""

    purpose: str
    usage: str
    limitations: str
    rules: int
    fields: list[FieldCard]


def freshness(engine: Engine) -> dict[str, datetime]:
    """Dataset → until when it is stored; of several providers the one that is furthest behind."""
    cursor = tables.cursor.c
    with transaction(engine) as conn:
        rows = conn.execute(
            select(cursor.dataset, func.min(cursor.until).label("until")).group_by(cursor.dataset)
        ).all()
    return {row.dataset: row.until.astimezone(BEIJING) for row in rows}


def card_of(catalog: Catalog, dataset: str, fresh: Mapping[str, datetime]) -> DatasetCard:
    """A dataset's line."""
    return DatasetCard(**_facts(catalog, catalog.contract(dataset), fresh))


def detail_of(catalog: Catalog, dataset: str, fresh: Mapping[str, datetime]) -> DatasetDetail:
    """A dataset with its fields."""
    contract = catalog.contract(dataset)
    return DatasetDetail(
        **_facts(catalog, contract, fresh),
        purpose=contract.description.get("purpose", ""),
        usage=contract.description.get("usage", ""),
        limitations=contract.description.get("limitations", ""),
        rules=len(contract.rules),
        fields=[_field(contract, item) for item in contract.fields],
    )


def _facts(catalog: Catalog, contract: Contract, fresh: Mapping[str, datetime]) -> dict[str, Any]:
    """What line and detail have in common."""
    highest = max((f.classification for f in contract.fields), key=CLASSIFICATIONS.index)
    return {
        "dataset": contract.dataset,
        "version": contract.version,
        "label": Label(zh=contract.label, en=_english(contract.dataset)),
        "owner": _owner(catalog, contract.owner),
        "classification": highest,
        "share": "open" if highest == "public" else "conditional",
        "subscribers": list(catalog.subscribers(contract.dataset)),
        "as_of": fresh.get(contract.dataset),
    }


def _owner(catalog: Catalog, name: str) -> Owner:
    if name == HUB or name not in catalog.systems:
        return Owner(
            system=name, department="通办枢纽", title=Label(zh="通办枢纽", en="Tongban hub")
        )
    system = catalog.systems[name]
    title = Label(zh=system.title.zh, en=system.title.en)
    return Owner(system=name, department=system.department.name, title=title)


def _field(contract: Contract, item: Field) -> FieldCard:
    return FieldCard(
        name=item.name,
        label=Label(zh=item.label, en=_english(item.name)),
        type=item.type,
        precision=item.precision,
        scale=item.scale,
        required=item.required,
        key=item.name in contract.key,
        classification=item.classification,
        encrypted=item.is_classified,
        mask=item.mask,
        code_table=item.code_table,
    )


def _english(name: str) -> str:
    """Our names are English words already."""
    return name.replace("_", " ")
