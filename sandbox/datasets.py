"""The datasets of the six systems: whose they are, their keys and their change times.

Both halves of the sandbox read this table, the population when it writes documents and the servers
when they stamp a change. Dataset names are the hub's; field names are the department's. Nested
children (`QLRLIST`, `parties`) are plain lists inside the parent's document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

BEIJING = timezone(timedelta(hours=8), "+08:00")
SYSTEMS = ("tax", "registration", "housing", "social", "market", "substation")
STATE_TIME = "%Y-%m-%dT%H:%M:%S"

Document = dict[str, Any]
StampForm = Literal["compact", "iso", "spaced", "epoch_ms"]

_PATTERNS: dict[str, str] = {
    "compact": "%Y%m%d%H%M%S",
    "iso": "%Y-%m-%dT%H:%M:%S+08:00",
    "spaced": "%Y-%m-%d %H:%M:%S",
}


@dataclass(frozen=True, slots=True)
class Dataset:
    """One served dataset: its system, key fields in `*` order, and its change-time field."""

    name: str
    system: str
    key_fields: tuple[str, ...]
    stamp_field: str
    stamp_form: StampForm
    child_list: str | None = None
    child_dataset: str | None = None
    child_key: str | None = None


def _table() -> dict[str, Dataset]:
    """List every dataset once, in the order in which the systems are documented."""
    rows = (
        Dataset("deed_tax_payment", "tax", ("DZSPHM",), "GXSJ", "compact"),
        Dataset("taxpayer", "tax", ("DJXH",), "GXSJ", "compact"),
        Dataset(
            "real_estate_right",
            "registration",
            ("YWH",),
            "GXSJ",
            "iso",
            "QLRLIST",
            "right_holder",
            "SXH",
        ),
        Dataset("mortgage", "registration", ("BDCDJZMH",), "GXSJ", "iso"),
        Dataset("right_status", "registration", ("BDCDYH",), "GXSJ", "iso"),
        Dataset(
            "sale_contract",
            "housing",
            ("contractNo",),
            "updateTime",
            "spaced",
            "parties",
            "sale_contract_party",
            "no",
        ),
        Dataset("house_unit", "housing", ("houseCode",), "updateTime", "spaced"),
        Dataset("unit_insurance", "social", ("AAB001",), "AAE036", "compact"),
        Dataset("person_insurance", "social", ("AAC001", "AAE140"), "AAE036", "compact"),
        Dataset("contribution", "social", ("AAC001", "AAE140", "AAE002"), "AAE036", "compact"),
        Dataset("enterprise", "market", ("uniscid",), "updatedAt", "epoch_ms"),
        Dataset("enterprise_person", "market", ("personid",), "updatedAt", "epoch_ms"),
        Dataset("online_application", "substation", ("applyNo",), "updateTime", "compact"),
        Dataset("evaluation", "substation", ("evalNo",), "updateTime", "compact"),
        Dataset("service_item", "substation", ("taskCode",), "updateTime", "compact"),
    )
    return {row.name: row for row in rows}


DATASETS: Mapping[str, Dataset] = _table()


def datasets_of(system: str) -> tuple[str, ...]:
    """Name the datasets that `system` serves, in table order."""
    return tuple(name for name, row in DATASETS.items() if row.system == system)


def key_of(dataset: str, doc: Mapping[str, Any]) -> str:
    """Join the key fields of `doc` with "|", as the truth file and the state tables do."""
    return "|".join(str(doc[name]) for name in DATASETS[dataset].key_fields)


def stamp(dataset: str, doc: Document, when: datetime) -> str:
    """Write `when` into the change-time field in the protocol's own form.

    Args:
        dataset: Hub name of the dataset.
        doc: Source document; changed in place.
        when: Beijing time, naive or with zone; cut to whole seconds.

    Returns:
        The same moment in the form of `record.changed_at`.
    """
    row = DATASETS[dataset]
    moment = to_beijing(when)
    if row.stamp_form == "epoch_ms":
        doc[row.stamp_field] = int(moment.replace(tzinfo=BEIJING).timestamp()) * 1000
    else:
        doc[row.stamp_field] = moment.strftime(_PATTERNS[row.stamp_form])
    return moment.strftime(STATE_TIME)


def read_stamp(dataset: str, doc: Mapping[str, Any]) -> datetime:
    """Read the change time back out of `doc` as naive Beijing time."""
    row = DATASETS[dataset]
    value = doc[row.stamp_field]
    if row.stamp_form == "epoch_ms":
        return datetime.fromtimestamp(value / 1000, BEIJING).replace(tzinfo=None)
    return datetime.strptime(value, _PATTERNS[row.stamp_form])  # noqa: DTZ007 - naive by contract


def to_beijing(when: datetime) -> datetime:
    """Turn any datetime into naive Beijing time cut to whole seconds."""
    local = when.astimezone(BEIJING).replace(tzinfo=None) if when.tzinfo else when
    return local.replace(microsecond=0)


def beijing_now() -> datetime:
    """Tell the present moment as naive Beijing time in whole seconds."""
    return to_beijing(datetime.now(BEIJING))
