"""Truth: what is wrong with the city, written down when it was made wrong.

One line per injected defect in `truth.jsonl`. A line with batch n belongs to change number n of its
system and counts only once that change was applied; `applied.json` holds the highest number applied
per system. `load` gives the lines that hold at this moment: what the hub should find.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from sandbox.datasets import DATASETS
from sandbox.errors import StateMissing
from sandbox.locks import exclusive, replace_text
from sandbox.plans import changes
from sandbox.state import open_state, state_file

TRUTH_FILE = "truth.jsonl"
APPLIED_FILE = "applied.json"

Expectation = Literal["quarantined", "accepted", "duplicate", "audit"]
PARENT_OF = {row.child_dataset: row.name for row in DATASETS.values() if row.child_dataset}


@dataclass(frozen=True, slots=True)
class TruthLine:
    """One injected defect. `key` joins the source's key fields with "|"; `batch` 0 is the base."""

    system: str
    dataset: str
    key: str
    defect: str
    expect: Expectation
    batch: int = 0

    @property
    def record(self) -> tuple[str, str]:
        """Dataset and key of the served record: the parent, where a child is wrong."""
        parent = PARENT_OF.get(self.dataset)
        return (parent, self.key.rsplit("|", 1)[0]) if parent else (self.dataset, self.key)


def write(state_dir: Path, lines: Iterable[TruthLine]) -> None:
    """Write the truth of a fresh population, of which no change is applied yet."""
    text = "".join(json.dumps(asdict(line), ensure_ascii=False) + "\n" for line in lines)
    (state_dir / TRUTH_FILE).write_text(text, encoding="utf-8")
    (state_dir / APPLIED_FILE).write_text("{}\n", encoding="utf-8")


def load_all(state_dir: Path) -> list[TruthLine]:
    """Read every line, those of changes not yet applied included.

    Raises:
        StateMissing: The population of this folder was never built.
    """
    path = state_dir / TRUTH_FILE
    if not path.is_file():
        raise StateMissing(f"{path}: not there; run `python -m sandbox population` first")
    with path.open(encoding="utf-8") as file:
        return [TruthLine(**json.loads(line)) for line in file]


def load(state_dir: Path) -> list[TruthLine]:
    """Read the lines that hold now: not from a later change, and not mended by one."""
    done = applied(state_dir)
    last_change = _last_changes(state_dir, done)
    return [
        line
        for line in load_all(state_dir)
        if line.batch <= done.get(line.system, 0)
        and last_change.get((line.system, *line.record), 0) <= line.batch
    ]


def applied(state_dir: Path) -> dict[str, int]:
    """Read the number of the last applied change per system."""
    path = state_dir / APPLIED_FILE
    if not path.is_file():
        return {}
    numbers: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    return numbers


def note_applied(state_dir: Path, system: str, number: int) -> None:
    """Note that the changes of `system` are applied up to `number`; safe between processes."""
    path = state_dir / APPLIED_FILE
    with exclusive(path):
        numbers = applied(state_dir)
        numbers[system] = max(number, numbers.get(system, 0))
        replace_text(path, json.dumps(numbers, sort_keys=True) + "\n")


def _last_changes(state_dir: Path, done: dict[str, int]) -> dict[tuple[str, str, str], int]:
    """Tell for every changed record the number of its last applied change."""
    last: dict[tuple[str, str, str], int] = {}
    for system, number in done.items():
        if not state_file(state_dir, system).is_file():
            continue
        connection = open_state(state_dir, system)
        try:
            for change in changes(connection):
                if change.n <= number:
                    last[system, change.dataset, change.key] = change.n
        finally:
            connection.close()
    return last
