"""Asking: a connector that reads one short page of a dataset and shows what travelled.

The declared calls are used as they are, inside the declared budget; only the page is shorter. The
department therefore sees one small request per dataset, and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from connectors import Connector, open_connector
from connectors.drafts import Answer, Draft
from tongban.kernel.compares import Compare
from tongban.kernel.connections import Connection
from tongban.kernel.ledger import Ledger
from tongban.kernel.records import BEIJING, Page, Window
from tongban.kernel.systems import PulledDataset, System
from tongban.onboarding.fake import people


@dataclass(slots=True)
class Asked:
    """One connector with the answers that it got, newest last."""

    connector: Connector
    answers: list[tuple[Draft, Answer]] = field(default_factory=list, repr=False)


@contextmanager
def asking(
    system: System, connection: Connection, root: Path, *, rows: int, ledger: Ledger | None = None
) -> Generator[Asked]:
    """Open a connector whose pages have at most `rows` rows.

    Args:
        system: As declared.
        connection: Its address and our identity there.
        root: Project folder.
        rows: Rows per page at most.
        ledger: Where its calls are counted; see `budgeting`.

    Raises:
        ConfigInvalid, InterfaceChanged: As `open_connector`.
    """
    short = short_pages(system, rows)
    with open_connector(short, connection, root, ledger=ledger) as connector:
        asked = Asked(connector)
        connector.observe(lambda draft, answer: asked.answers.append((draft, answer)))
        yield asked


def short_pages(system: System, rows: int) -> System:
    """The same system, asked for fewer rows at a time and tried once only."""
    budget = system.budget.model_copy(update={"attempts": 1})
    datasets = {name: _short(item, rows) for name, item in system.datasets.items()}
    return system.model_copy(update={"datasets": datasets, "budget": budget})


def _short(dataset: PulledDataset, rows: int) -> PulledDataset:
    size = min(rows, dataset.paging.size)
    if dataset.paging.kind == "none":
        return dataset
    return dataset.model_copy(update={"paging": dataset.paging.model_copy(update={"size": size})})


def window(days: int | None) -> Window:
    """The last days, or everything up to now."""
    now = datetime.now(BEIJING)
    return Window(None if days is None else now - timedelta(days=days), now)


def first_page(connector: Connector, dataset: str, asked: Window) -> Page | None:
    """The first page of a window; the rest is not asked for.

    Raises:
        TongbanError: Whatever the call ended with.
    """
    pages = connector.read_pages(dataset, asked)
    try:
        return next(pages, None)
    finally:
        close = getattr(pages, "close", None)
        if close is not None:
            close()


def ask_about_nobody(connector: Connector, spec: Compare, name: str) -> None:
    """Ask one well-formed question about people who do not exist; the answer is thrown away.

    Raises:
        TongbanError: Whatever the call ended with.
    """
    made: dict[str, Callable[[int], str]] = {
        "resident_id": people.resident_id_of,
        "credit_code": people.credit_code_of,
        "unit_no": people.unit_no_of,
        "person_name": people.name_of,
        "text": str,
    }
    question = {n: made[item.type](at) for at, (n, item) in enumerate(spec.asks.items(), 1)}
    code, words = next(iter(spec.purposes.items()))
    about = {
        "purpose": code,
        "purpose_label": words,
        "asker": "tongban-check",
        "unit": "hub",
        "batch_id": uuid4().hex,
    }
    connector.compare(name, [{**question, "case_no": None}], about)
