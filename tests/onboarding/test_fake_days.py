"""A fake lives: days pass, few records change, and the same life is told again after a restart."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.pipeline.city import SYSTEMS
from tongban.kernel.catalog import load_catalog
from tongban.kernel.records import BEIJING
from tongban.onboarding.fake.days import Days, stands
from tongban.onboarding.fake.department import Department

ROOT = Path(__file__).parents[2]
CATALOG = load_catalog(ROOT)
PROVIDERS = sorted({route.system for route in CATALOG.pull_routes} - set(SYSTEMS))
BEGAN = datetime(2026, 11, 20, 12, tzinfo=BEIJING)
LATER = BEGAN + timedelta(days=1)


def test_all_changes_of_the_beginning_lie_before_it():
    """The first window, which ends now, brings every record."""
    found = stands(200, Days(BEGAN), "any")

    assert list(range(200)) == [stand.number for stand in found]
    assert BEGAN > found[-1].changed > found[0].changed >= BEGAN - timedelta(days=30)


def test_a_turn_changes_few_records_and_adds_fewer():
    """The next window brings those and no other."""
    found = stands(200, Days(BEGAN, (LATER,)), "any")
    moved = [stand for stand in found if stand.changed == LATER]

    assert (5, 3) == (sum(s.number < 200 for s in moved), sum(s.number >= 200 for s in moved))
    assert list(range(203)) == sorted(stand.number for stand in found)
    assert {1} == {stand.turn for stand in moved if stand.number < 200}


def test_the_same_life_is_told_again():
    """Seed, beginning and turns are all there is; another seed is another life."""
    life = Days(BEGAN, (LATER, LATER + timedelta(days=1)), seed=7)

    assert stands(100, life, "any") == stands(100, life, "any")
    assert stands(100, life, "any") != stands(100, Days(BEGAN, life.turns, seed=8), "any")
    assert stands(100, life, "any") != stands(100, life, "other")


@pytest.mark.parametrize("system", PROVIDERS)
def test_what_a_day_changes_still_passes_its_contract(system):
    """No record of a department that was added is ever refused."""
    department = Department(CATALOG, system, rows=100, now=BEGAN)
    before = {name: len(holding.records) for name, holding in department.holdings.items()}

    moved = department.advance(LATER)

    assert set(before.values()) == {100}
    for holding in department.holdings.values():
        assert len(holding.records) == holding.accepted == 102
    assert len(before) * 5 == moved


@pytest.mark.parametrize("system", PROVIDERS)
def test_a_restarted_department_holds_the_same(system):
    """Keys, people and moments; the second demo reads on where the first one ended."""
    life = Days(BEGAN, (LATER,), seed=3)
    first = Department(CATALOG, system, rows=50, days=life)
    second = Department(CATALOG, system, rows=50, days=Days(BEGAN, seed=3))
    second.advance(LATER)

    assert first.holdings == second.holdings


@pytest.mark.parametrize("system", PROVIDERS)
def test_a_change_shows_in_the_record(system):
    """Not in its change time alone, and its key stays."""
    department = Department(CATALOG, system, rows=100, now=BEGAN)
    for dataset in department.holdings:
        mapping = CATALOG.mapping(system, dataset)
        clock = mapping.fields[CATALOG.contract(dataset).changed_at].sources
        key = mapping.source_key

        def shown(key: tuple[str, ...] = key, clock=clock, dataset=dataset) -> dict:
            return {
                tuple(str(r.document.get(k)) for k in key): {
                    k: v for k, v in r.document.items() if k not in clock
                }
                for r in department.holdings[dataset].records
            }

        before = shown()
        department.advance(LATER)
        after = shown()

        assert set(before) <= set(after)
        if len(mapping.examples) > 1:
            assert any(before[k] != after[k] for k in before), dataset
