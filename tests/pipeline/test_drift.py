"""Fields that nobody agreed on: named with the transfer, their values not kept."""

from __future__ import annotations

import json
import sqlite3

from tests.pipeline.city import CityHub
from tongban.rows import DRIFT


def drift(city: CityHub) -> set[str]:
    """Names of unknown fields over all transfers."""
    rows = city.rows("SELECT rule FROM hub.transfer_finding WHERE rule LIKE %s", f"{DRIFT}:%")
    return {row["rule"].partition(":")[2] for row in rows}


def test_the_six_systems_serve_no_field_that_their_mappings_do_not_know(city: CityHub):
    """Every field of every interface note is mapped or knowingly ignored."""
    city.pull()

    assert set() == drift(city)


def test_a_new_field_is_named_and_its_value_dropped(city: CityHub):
    """The operator sees the name; the value stays outside."""
    state = sqlite3.connect(city.town.state_dir / "market.sqlite")
    found = state.execute("SELECT seq, doc FROM record WHERE dataset = 'enterprise'").fetchall()
    for seq, doc in found:
        changed = json.dumps({**json.loads(doc), "secretNote": "canary-7731"}, ensure_ascii=False)
        state.execute(
            "UPDATE record SET doc = ? WHERE dataset = 'enterprise' AND seq = ?", (changed, seq)
        )
    state.commit()
    state.close()

    (loaded,) = city.pull("enterprise")

    assert loaded.new > 0
    assert {"secretNote"} == drift(city)
    kept = city.rows("SELECT * FROM data.enterprise_v1")
    assert not any("canary-7731" in str(row) for row in kept)
