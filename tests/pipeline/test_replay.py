"""Replay: the landing is loaded again, the department is not asked, older never wins."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from tests.pipeline.city import CityHub
from tongban import pipeline
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING
from tongban.receipts import receipts_of
from tongban.replay import landings_since, replay

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def test_a_landing_that_was_stored_is_loaded_again_and_writes_nothing(city: CityHub):
    """A transfer of its own, with its own counts."""
    landed = pipeline.pull(city.hub, "sale_contract")
    first = [pipeline.load(city.hub, landed.landing_id, name) for name in landed.datasets]
    calls = city.town.control("housing", "GET", "calls")

    again = replay(city.hub, landed.landing_id)

    assert [item.read for item in first] == [item.read for item in again.loaded]
    assert 0 == sum(item.new + item.changed for item in again.loaded)
    assert calls == city.town.control("housing", "GET", "calls")
    assert not {item.transfer_id for item in first} & {item.transfer_id for item in again.loaded}


def test_an_old_landing_never_overwrites_a_newer_version(city: CityHub):
    """A, B, A again: B stays."""
    since = datetime.now(BEIJING) - timedelta(minutes=1)
    city.pull("sale_contract")
    city.town.control("housing", "POST", "advance", {"days": 2})
    time.sleep(1)
    city.pull("sale_contract")
    stored = "SELECT record_id, version, row_digest FROM data.sale_contract_v1 ORDER BY 1"
    before = city.rows(stored)

    done = [replay(city.hub, item) for item in landings_since(city.hub, "sale_contract", since)]

    assert 2 == len(done)
    assert before == city.rows(stored)


def test_a_landing_that_was_never_loaded_is_loaded_to_its_end(city: CityHub):
    """Its own transfer goes on."""
    landed = pipeline.pull(city.hub, "enterprise")

    done = replay(city.hub, landed.landing_id)

    assert landed.landing_id == done.loaded[-1].transfer_id
    assert done.loaded[-1].new > 0


def test_an_unknown_landing_is_named(city: CityHub):
    """Retention may have removed it; or it is no id at all."""
    for unknown in ("00000000-0000-0000-0000-000000000000", "nonsense"):
        with pytest.raises(ConfigInvalid, match="transfers page"):
            replay(city.hub, unknown)


def test_a_backfill_that_was_cut_off_goes_on_as_such_and_not_as_the_increment(city: CityHub):
    """The window that was asked for, and nothing of it in the next regular pull."""
    city.pull("enterprise")
    until = datetime.now(BEIJING) - timedelta(days=1)
    window = pipeline_window(until - timedelta(days=400), until)
    backfill = pipeline.transfers.begin_transfer(
        city.hub.engine, "market", "enterprise", window=window
    )

    increment = pipeline.pull(city.hub, "enterprise")
    resumed = pipeline.pull(city.hub, "enterprise", window=window)

    assert str(backfill) != increment.landing_id
    assert str(backfill) == resumed.landing_id


def pipeline_window(since: datetime, until: datetime):
    """A window of Beijing time."""
    from tongban.kernel.records import Window

    return Window(since=since, until=until)


def test_every_target_of_a_record_has_its_rung(city: CityHub):
    """Queued before the push, a receipt afterwards."""
    city.pull("enterprise")
    (row,) = city.rows("SELECT credit_code FROM data.enterprise_v1 LIMIT 1")
    key = [row["credit_code"]]
    waiting = {item.target: item.rung for item in receipts_of(city.hub, "enterprise", key)}
    pipeline.push(city.hub, "substation", "enterprise")

    found = {item.target: item for item in receipts_of(city.hub, "enterprise", key)}

    assert {"queued"} == set(waiting.values())
    assert "accepted" == found["substation"].rung
    assert found["substation"].receipt_no
    with pytest.raises(ConfigInvalid, match="its key is"):
        receipts_of(city.hub, "enterprise", [])
