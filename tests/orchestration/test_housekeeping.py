"""Housekeeping over a real database and real landings: due rows, parked rows, retention."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import insert, text

from tongban.kernel.catalog import load_catalog
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import Page
from tongban.kernel.retention import Retention
from tongban.orchestration import housekeeping
from tongban.pull import LandingStore
from tongban.store import tables
from tongban.store.engine import open_engine

LANDING = uuid.UUID(int=7)


@pytest.fixture
def hub(database_url: str, root: Path, tmp_path: Path) -> Iterator[Any]:
    """The part of a hub that housekeeping touches, over real storage."""
    engine = open_engine(database_url)
    landing = LandingStore(
        (tmp_path / "landing").as_uri(), seal=lambda _, data: data, unseal=lambda _, data: data
    )
    yield SimpleNamespace(engine=engine, landing=landing, catalog=load_catalog(root))
    engine.dispose()


def queue(hub: Any, state: str, *, dataset: str = "sale_contract", later: bool = False) -> None:
    """Put one row into the outbox."""
    with hub.engine.begin() as connection:
        connection.execute(
            insert(tables.outbox).values(
                target="tax",
                dataset=dataset,
                record_id=uuid.uuid4(),
                version=1,
                state=state,
                attempts=9,
                next_try_at=text("now() + interval '1 hour'") if later else text("now()"),
            )
        )


def land(hub: Any, *, days_ago: int, state: str = "finished", parent: bool = False) -> Path:
    """Land one page and note its transfer as ended so many days ago."""
    landing = hub.landing.landing("tax", "taxpayer", str(LANDING))
    landing.append(Page(number=1, body=b"page", cursor="", next_cursor=None, declared_total=1))
    with hub.engine.begin() as connection:
        connection.execute(
            insert(tables.transfer).values(
                transfer_id=uuid.uuid4() if parent else LANDING,
                parent_id=LANDING if parent else None,
                direction="pull",
                system="tax",
                dataset="child" if parent else "taxpayer",
                state=state,
                landing=f"tax/taxpayer/{LANDING}",
                finished_at=text(f"now() - interval '{days_ago} days'"),
            )
        )
    return Path(str(landing._folder))


@pytest.mark.parametrize("state", ["queued", "sent", "waiting_parent"])
def test_rows_that_a_push_would_take_up_are_due(hub: Any, state: str):
    """A lost answer and a missing parent are taken up again too."""
    queue(hub, state)

    assert 1 == housekeeping.due_rows(hub, ["sale_contract", "sale_contract_party"])


@pytest.mark.parametrize("state", ["accepted", "rejected", "parked", "superseded", "withheld"])
def test_rows_that_no_push_takes_up_are_not_due(hub: Any, state: str):
    """They would start a push for nothing."""
    queue(hub, state)

    assert 0 == housekeeping.due_rows(hub, ["sale_contract"])


def test_rows_that_wait_for_their_next_try_are_not_due(hub: Any):
    """A pause is kept."""
    queue(hub, "queued", later=True)

    assert {} == housekeeping.due_by_dataset(hub)


def test_rows_of_other_datasets_do_not_count(hub: Any):
    """Each dataset has its own pushes."""
    queue(hub, "queued", dataset="taxpayer")

    assert 0 == housekeeping.due_rows(hub, ["sale_contract"])
    assert {"taxpayer": 1} == housekeeping.due_by_dataset(hub)


def test_parked_rows_get_another_chance_from_the_beginning(hub: Any):
    """Undelivered rows never expire."""
    queue(hub, "parked", later=True)
    queue(hub, "rejected")

    assert 1 == housekeeping.requeue_parked(hub)
    assert {"sale_contract": 1} == housekeeping.due_by_dataset(hub)
    with hub.engine.connect() as connection:
        found = connection.execute(text("SELECT attempts FROM hub.outbox WHERE state = 'queued'"))
        assert [0] == list(found.scalars())


def test_a_landing_goes_after_the_retention_time(hub: Any):
    """Raw pages are people's data."""
    folder = land(hub, days_ago=31)

    assert 1 == housekeeping.remove_landings(hub, 30)
    assert not folder.exists()
    assert 0 == housekeeping.remove_landings(hub, 30)


def test_a_younger_landing_stays(hub: Any):
    """It may be needed for a replay."""
    folder = land(hub, days_ago=29)

    assert 0 == housekeeping.remove_landings(hub, 30)
    assert folder.exists()


@pytest.mark.parametrize("state", ["failed", "refused", "landed"])
def test_a_landing_that_was_not_loaded_stays(hub: Any, state: str):
    """A person still has to look at it."""
    folder = land(hub, days_ago=99, state=state)

    assert 0 == housekeeping.remove_landings(hub, 30)
    assert folder.exists()


def test_a_landing_stays_until_every_dataset_of_it_is_loaded(hub: Any):
    """Parent and children share the pages."""
    land(hub, days_ago=99)
    folder = land(hub, days_ago=1, parent=True)

    assert 0 == housekeeping.remove_landings(hub, 30)
    assert folder.exists()


def broken(hub: Any, *, days_ago: int) -> Path:
    """Land a page of a pull that never came to its end."""
    folder = land(hub, days_ago=days_ago, state="failed")
    with hub.engine.begin() as connection:
        connection.execute(text("UPDATE hub.transfer SET landing = NULL"))
    return folder


def test_what_a_broken_pull_left_goes_after_the_retention_time(hub: Any):
    """Nothing can be loaded from it, and its pages are people's data."""
    folder = broken(hub, days_ago=31)

    assert 1 == housekeeping.remove_broken_landings(hub, 30)
    assert not folder.exists()
    assert 0 == housekeeping.remove_broken_landings(hub, 30)


def test_what_a_young_broken_pull_left_stays(hub: Any):
    """It may go on, or somebody looks at it."""
    folder = broken(hub, days_ago=29)

    assert 0 == housekeeping.remove_broken_landings(hub, 30)
    assert folder.exists()


@pytest.mark.parametrize(("term", "removed"), [(5, 1), (60, 0)])
def test_a_contract_may_have_another_term_for_its_pages(hub: Any, term: int, removed: int):
    """Shorter or longer than the DAG's own."""
    folder = land(hub, days_ago=10 if term == 5 else 40)
    (contract, *_) = hub.catalog.contracts().values()
    contract = replace(contract, dataset="taxpayer", retention=Retention(landing=term))
    hub.catalog = SimpleNamespace(contracts=lambda: {"taxpayer": contract})

    assert removed == housekeeping.remove_landings(hub, 30)

    assert folder.exists() != bool(removed)


def test_nothing_expires_where_no_contract_has_a_term(hub: Any):
    """Retention is opt-in."""
    assert {} == housekeeping.expire(hub)


def test_keys_of_what_is_not_stored_are_not_rotated(hub: Any):
    """A typo in the params of a run."""
    with pytest.raises(ConfigInvalid, match="is stored"):
        housekeeping.rotate_keys(hub, "taxpayr")
