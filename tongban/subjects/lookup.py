"""Lookup: in which stored datasets one number is known, masked, with its purpose on record.

One statement per dataset, by blind index or by the plain column where the number is no secret.
Nobody gets an answer without naming a purpose, and every answer, also "nowhere", leaves an
entry in the evidence log; the entry holds the blind index, never the number.

Source: domain rules of 政务数据共享条例 (purpose-bound use); GB/T 35273-2020 (minimum necessary).
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from tongban.evidence.log import append
from tongban.kernel.contracts import Contract, Field
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.identifiers import holds_resident_id
from tongban.protect import blind_index_of, mask, open_column
from tongban.store.engine import transaction
from tongban.subjects.numbers import SubjectNumber, read_number

if TYPE_CHECKING:
    from tongban.pipeline import Hub

SUBJECT_INDEX = "subject"
UNIT_FIELD = "unit_no"
SHORTEST_PURPOSE = 4
MOST_ROWS = 50
SYSTEM = "$system"  # no field of a contract is called that


@dataclass(frozen=True, slots=True)
class KnownAs:
    """One stored record that belongs to the number.

    Attributes:
        held_in: Contract field that holds the number (applicant, holder, payer, …).
        held_in_label: Its Chinese label.
        local_key: The department's own key, masked.
        facts: Labels and masked values of a few fields that say what the record is.
        as_of: The source's change time.
    """

    dataset: str
    label: str
    system: str
    held_in: str
    held_in_label: str
    local_key: str
    as_of: datetime | None
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubjectAnswer:
    """Everything that a number is known as."""

    kind: str
    known: tuple[KnownAs, ...]
    searched: tuple[str, ...]
    is_cut: bool


def find_subject(hub: Hub, number: str, *, purpose: str, asker: str | None = None) -> SubjectAnswer:
    """Tell where a number is known, and write down who asked and why.

    Args:
        hub: An open hub.
        number: Resident ID, credit code or real-estate unit number as typed.
        purpose: Why it is asked, at least four characters (a case number, a legal duty).
        asker: Who asks; the operating system's user when not given.

    Raises:
        ConfigInvalid: The purpose is missing, too short to be one, or holds a person's number.
        NumberUnusable: The number has no known form.
    """
    if len(purpose.strip()) < SHORTEST_PURPOSE:
        raise ConfigInvalid(
            "a lookup needs its purpose: --purpose with at least "
            f"{SHORTEST_PURPOSE} characters, such as the case number or the legal duty"
        )
    if holds_resident_id(purpose):
        raise ConfigInvalid(
            "the purpose stays readable in the evidence log, so it may hold nobody's resident ID; "
            "name the case number or the legal duty"
        )
    wanted = read_number(number)
    index = blind_index_of(hub.keyring, SUBJECT_INDEX, wanted.value)
    contracts = [hub.catalog.contract(name) for name in hub.catalog.datasets]
    known: list[KnownAs] = []
    searched: list[str] = []
    is_cut = False
    with transaction(hub.engine) as conn:
        for contract in contracts:
            for item in _fields_for(contract, wanted):
                searched.append(contract.dataset)
                rows = _rows(conn, contract, item, wanted, index)
                is_cut = is_cut or len(rows) > MOST_ROWS
                known += [_known_as(hub, contract, item, row) for row in rows[:MOST_ROWS]]
        append(
            conn,
            "access",
            {
                "purpose": purpose.strip(),
                "asker": asker or _account(),
                "kind": wanted.kind,
                "index": index.hex(),
                "records": len(known),
                "datasets": sorted({item.dataset for item in known}),
            },
            index,
        )
    return SubjectAnswer(
        kind=wanted.kind,
        known=tuple(known),
        searched=tuple(dict.fromkeys(searched)),
        is_cut=is_cut,
    )


def _account() -> str:
    """The account that runs us: from the kernel, since anybody can set LOGNAME."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container without an entry for its user
        return f"uid {uid}"


def _fields_for(contract: Contract, wanted: SubjectNumber) -> Iterable[Field]:
    """Fields of a dataset in which such a number can stand."""
    if wanted.kind == "unit_no":
        return [item for item in contract.fields if item.name == UNIT_FIELD]
    return [item for item in contract.fields if item.index == SUBJECT_INDEX]


def _rows(
    conn: Connection, contract: Contract, item: Field, wanted: SubjectNumber, index: bytes
) -> list[dict[str, Any]]:
    """Stored rows in which that field is the number, newest first."""
    column = f"{item.name}_index" if item.is_classified else item.name
    value: Any = index if item.is_classified else wanted.value
    order = contract.changed_at or "stored_at"
    sql = f"""
        SELECT t.*, (SELECT x.system FROM hub.transfer x
                      WHERE x.transfer_id = t.transfer_id) AS "{SYSTEM}"
          FROM data."{contract.table}" t WHERE "{column}" = :value
         ORDER BY "{order}" DESC NULLS LAST LIMIT {MOST_ROWS + 1}
    """  # noqa: S608 - names come from checked contracts
    return [dict(row) for row in conn.execute(text(sql), {"value": value}).mappings()]


def _known_as(hub: Hub, contract: Contract, item: Field, row: dict[str, Any]) -> KnownAs:
    """One row as a masked answer."""
    keys = [_shown(hub, contract, contract.field(name), row) for name in contract.key]
    facts: dict[str, str] = {}
    for other in contract.fields:
        is_fact = other.name in {"name", "status", "state", "right_status", "unit_name"} or (
            other.code_table is not None and other.name not in contract.key
        )
        if is_fact and row.get(other.name) is not None:
            facts[other.label] = _shown(hub, contract, other, row)
    as_of = row.get(contract.changed_at) if contract.changed_at else row.get("stored_at")
    return KnownAs(
        dataset=contract.dataset,
        label=contract.label,
        system=row[SYSTEM] or contract.owner,
        held_in=item.name,
        held_in_label=item.label,
        local_key=" | ".join(keys),
        as_of=as_of,
        facts=facts,
    )


def _shown(hub: Hub, contract: Contract, item: Field, row: dict[str, Any]) -> str:
    """A value as this lookup may show it: codes by their label, everything else masked."""
    value = row.get(item.name)
    if value is None:
        return "—"
    if item.is_classified:
        key = row["record_id"].bytes
        (plain,) = open_column(hub.keyring, [value], contract.dataset, item.name, [key])
        return mask(item.mask or "text", plain) or "—"
    if item.code_table is not None:
        labels = {code.code: code.label_zh for code in hub.catalog.codes.table(item.code_table)}
        return labels.get(str(value), str(value))
    if item.name in contract.key or item.classification == "restricted" or item.mask:
        return mask(item.mask or "code", str(value)) or "—"
    return str(value)
