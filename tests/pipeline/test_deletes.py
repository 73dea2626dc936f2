"""Deleted rows arrive from a real server: by a declared mark, and by absence from a snapshot."""

from __future__ import annotations

import sqlite3

import pytest

from tests.pipeline.city import CityHub
from tongban import pipeline
from tongban.kernel.errors import BatchRefused
from tongban.kernel.systems import Sign

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def declare(city: CityHub, **changes) -> None:
    """Change what the housing system's YAML says about its units."""
    systems = city.hub.catalog.systems
    system = systems["housing"]
    unit = system.datasets["house_unit"].model_copy(update=changes)
    datasets = {**system.datasets, "house_unit": unit}
    systems["housing"] = system.model_copy(update={"datasets": datasets})


def snapshot_rule(city: CityHub):
    """The housing system's window, as a snapshot."""
    return city.hub.catalog.systems["housing"].window.model_copy(update={"snapshot": True})


def forget(city: CityHub, count: int) -> list[str]:
    """Take units out of the department's own database."""
    with sqlite3.connect(city.town.state_dir / "housing.sqlite") as state:
        keys = [
            key
            for (key,) in state.execute(
                "SELECT key FROM record WHERE dataset = 'house_unit' ORDER BY key LIMIT ?", (count,)
            )
        ]
        state.executemany(
            "DELETE FROM record WHERE dataset = 'house_unit' AND key = ?", [(k,) for k in keys]
        )
    state.close()
    return keys


def test_units_that_leave_a_snapshot_are_deleted_and_told_to_every_subscriber(city: CityHub):
    """Each pull reads the whole list; rows that were refused are there all the same."""
    declare(city, window=snapshot_rule(city), total=None)  # its server counts once
    (first,) = city.pull("house_unit")
    pipeline.push(city.hub, "substation", "house_unit")
    gone = forget(city, 5)

    landed = pipeline.pull(city.hub, "house_unit")
    second = pipeline.load(city.hub, landed.landing_id, "house_unit")
    again = pipeline.load(city.hub, landed.landing_id, "house_unit")

    assert first.read - second.read >= 5
    assert second == again
    left = city.rows("SELECT house_code FROM data.house_unit_v1")
    assert not set(gone) & {row["house_code"] for row in left}
    deleted = city.one("SELECT deleted_rows FROM hub.transfer ORDER BY started_at DESC LIMIT 1")
    assert 0 < deleted == city.one("SELECT count(*) FROM hub.tombstone")
    pushed = pipeline.push(city.hub, "substation", "house_unit")
    assert deleted == pushed.sent == pushed.accepted


def test_a_snapshot_that_lost_half_its_rows_is_refused(city: CityHub):
    """Nothing is deleted, the transfer says why."""
    declare(city, window=snapshot_rule(city), total=None)  # its server counts once
    city.pull("house_unit")
    before = city.one("SELECT count(*) FROM data.house_unit_v1")
    forget(city, before // 2)

    with pytest.raises(BatchRefused, match="not in the snapshot"):
        city.pull("house_unit")

    assert before == city.one("SELECT count(*) FROM data.house_unit_v1")
    assert "refused" == city.one("SELECT state FROM hub.transfer ORDER BY started_at DESC LIMIT 1")


def test_rows_with_the_declared_mark_are_deleted(city: CityHub):
    """Units in one state stand for tombstones here; their other fields are not judged."""
    city.pull("house_unit")
    (most, *_) = city.rows(
        "SELECT sale_state, count(*) AS n FROM data.house_unit_v1 GROUP BY 1 ORDER BY 2 DESC"
    )
    sold = most["n"]
    codes = city.hub.catalog.codes.to_hub("sale_state", "housing")
    theirs = tuple(code for code, ours in codes.items() if ours == most["sale_state"])
    declare(city, deleted=Sign(path="saleState", equals=theirs))
    rule = snapshot_rule(city).model_copy(update={"snapshot": False})
    declare(city, window=rule.model_copy(update={"overlap_s": 400_000_000}))

    (second,) = city.pull("house_unit")

    parts = second.new + second.changed + second.same + second.quarantined + second.duplicate
    assert second.read == parts
    assert sold > 0
    assert most["sale_state"] not in {
        row["sale_state"] for row in city.rows("SELECT DISTINCT sale_state FROM data.house_unit_v1")
    }
    assert sold == city.one("SELECT count(*) FROM hub.tombstone")
