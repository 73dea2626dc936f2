"""Runtime: what every task does around its one call — open the hub, read its window, give counts.

Imports of the pipeline stand inside functions: a DAG file must not load polars or a database
driver when it is parsed.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

from tongban.kernel.records import BEIJING, Window
from tongban.kernel.settings import Settings, load_settings
from tongban.orchestration.connections import airflow_connection, airflow_secret
from tongban.orchestration.discretion import discreet

if TYPE_CHECKING:
    from tongban.pipeline import Hub, Landed, Loaded, Pushed

LOADED = ("read", "new", "changed", "same", "quarantined", "duplicate")
PUSHED = ("sent", "accepted", "duplicate", "rejected", "waiting")


def settings_below(root: Path) -> Settings:
    """The settings of the environment; the DAG folder's neighbours are the root by default."""
    return load_settings({**os.environ, "TONGBAN_ROOT": os.environ.get("TONGBAN_ROOT", str(root))})


@contextmanager
def hub_of(root: Path) -> Generator[Hub]:
    """Open the hub for one task, with Airflow's connections first.

    Raises:
        TongbanError: Whatever happens inside; foreign errors come out without their words.
    """
    from tongban.pipeline import open_hub

    settings = settings_below(root)
    with (
        discreet(),
        open_hub(settings, resolver=airflow_connection, secret=airflow_secret) as hub,
    ):
        yield hub


def due_rows(hub: Hub, datasets: Iterable[str]) -> int:
    """Outbox rows of these datasets that a push would take up now."""
    from tongban.orchestration import housekeeping

    return housekeeping.due_rows(hub, datasets)


def window_params() -> dict[str, Param]:
    """Params of a manual run: a window instead of the committed cursor."""
    texts = {
        "since": "起 / from (empty: the committed cursor)",
        "until": "止 / until, not included (empty: now)",
    }
    return {
        name: Param(None, type=["null", "string"], format="date-time", description=text)
        for name, text in texts.items()
    }


def window_of(params: Mapping[str, Any]) -> Window | None:
    """The window that a manual run asked for, or None for the committed cursor.

    Times without a zone are Beijing time.
    """
    since, until = (_moment(params.get(name)) for name in ("since", "until"))
    if since is None and until is None:
        return None
    return Window(since=since, until=until or datetime.now(BEIJING))


def _moment(text: Any) -> datetime | None:
    """ISO 8601 text as an aware moment of Beijing time."""
    if not text:
        return None
    moment = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    return moment.astimezone(BEIJING) if moment.tzinfo else moment.replace(tzinfo=BEIJING)


def landed_reference(landed: Landed) -> dict[str, Any]:
    """Where the pages landed: an id and counts, never a row."""
    return {
        "landing_id": str(landed.landing_id),
        "system": landed.system,
        "dataset": landed.dataset,
        "pages": landed.pages,
        "declared_total": landed.declared_total,
    }


def loaded_counts(dataset: str, loaded: Loaded) -> dict[str, Any]:
    """What a load did, as counts."""
    return {
        "dataset": dataset,
        "transfer_id": str(loaded.transfer_id),
        "contract_version": str(loaded.contract_version),
        **{name: int(getattr(loaded, name)) for name in LOADED},
        **({} if loaded.outcome == "stored" else {"outcome": loaded.outcome}),
    }


def pushed_counts(target: str, dataset: str, pushed: Pushed) -> dict[str, Any]:
    """What a push did, as counts."""
    return {
        "target": target,
        "dataset": dataset,
        **{name: int(getattr(pushed, name)) for name in PUSHED},
    }


def only_counts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Keep numbers, flags and nested counts of a document; text could hold a value, so it goes."""
    kept: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, Mapping):
            kept[str(name)] = only_counts(value)
        elif isinstance(value, bool | int | float):
            kept[str(name)] = value
    return kept
