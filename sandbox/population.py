"""Population: build a city, spoil some of it, plan its future, and write the state folder.

The one entry point of the generating half: afterwards the folder holds a state file per system,
`truth.jsonl`, `credentials.json` and the control token, and the servers can be started.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from sandbox.changes import plan_changes
from sandbox.city.build import City, build_city
from sandbox.credentials import FIRST_PORT, write_credentials
from sandbox.datasets import (
    STATE_TIME,
    SYSTEMS,
    Document,
    beijing_now,
    datasets_of,
    key_of,
    read_stamp,
)
from sandbox.injection import DEFAULT_RATE, inject_defects
from sandbox.plans import Change, add_changes, add_pending
from sandbox.state import add_records, create_state, transaction
from sandbox.truth import write as write_truth


@dataclass(frozen=True, slots=True)
class Summary:
    """What a population consists of."""

    records: dict[str, int]
    in_flight: int
    defects: int
    changes: dict[str, int]

    @property
    def total(self) -> int:
        """All records of all datasets."""
        return sum(self.records.values())


def populate(
    state_dir: Path,
    people: int,
    seed: int,
    *,
    defect_rate: float = DEFAULT_RATE,
    first_port: int = FIRST_PORT,
    today: date | None = None,
) -> Summary:
    """Write the state folder of a city, replacing an earlier one; secrets in it are kept.

    Args:
        state_dir: Folder to write into; made if absent.
        people: Number of residents; everything else scales with it.
        seed: The same seed, size and day give the same records.
        defect_rate: Share of records with a defect that a contract refuses; 0 for a clean city.
        first_port: Port of the first system; the others follow in order.
        today: Anchor day; today in Beijing if absent.
    """
    city = build_city(people, seed, today or beijing_now().date())
    injected = inject_defects(city, defect_rate)
    changes, later_lines = plan_changes(city, injected, with_defects=defect_rate > 0)
    for system in SYSTEMS:
        _write_system(state_dir, city, system, changes[system])
    write_truth(state_dir, [*injected.lines, *later_lines])
    write_credentials(state_dir, first_port)
    return Summary(
        records={name: len(docs) for name, docs in city.records.items()},
        in_flight=len(city.in_flight),
        defects=len(injected.lines),
        changes={system: len(rows) for system, rows in changes.items()},
    )


def _write_system(state_dir: Path, city: City, system: str, changes: list[Change]) -> None:
    connection = create_state(state_dir, system)
    try:
        with transaction(connection):
            for dataset in datasets_of(system):
                add_records(connection, dataset, _in_order(dataset, city.records[dataset]))
            for trigger in city.triggers:
                if trigger.system == system:
                    add_pending(connection, trigger.kind, trigger.key, trigger.dataset, trigger.doc)
            add_changes(connection, changes)
    finally:
        connection.close()


def _in_order(dataset: str, docs: list[Document]) -> list[tuple[str, Document]]:
    """Sort by change time, then key: the order in which the department got them."""
    rows = [(read_stamp(dataset, doc).strftime(STATE_TIME), doc) for doc in docs]
    return sorted(rows, key=lambda row: (row[0], key_of(dataset, row[1])))
