"""The city is a function of size, seed and day, and scales with its size."""

from __future__ import annotations

import tracemalloc
from datetime import date

from sandbox.city.build import build_city
from sandbox.city.parties import alone, as_party, family
from sandbox.city.people import make_people
from sandbox.city.timeline import Timeline, add_years
from sandbox.injection import inject_defects
from tests.sandbox.conftest import PEOPLE, SEED, TODAY
from tests.sandbox.rules import share


def test_the_same_seed_gives_the_same_city(clean_city):
    """Every record and every trigger, in the same order."""
    again = build_city(PEOPLE, SEED, TODAY)

    assert clean_city.records == again.records
    assert clean_city.triggers == again.triggers


def test_the_same_seed_gives_the_same_defects(spoiled):
    """The truth is as repeatable as the city."""
    again = build_city(PEOPLE, SEED, TODAY)
    lines = inject_defects(again).lines

    assert spoiled.injected.lines == lines
    assert spoiled.city.records == again.records


def test_another_seed_gives_other_people():
    """Two cities share no resident list."""
    one, other = build_city(200, 1, TODAY), build_city(200, 2, TODAY)
    names = [[doc["AAC002"] for doc in c.records["person_insurance"]] for c in (one, other)]

    assert names[0] != names[1]


def test_another_day_moves_times_but_not_people():
    """Only what is told relative to today changes from one day to the next."""
    one, other = build_city(200, 1, TODAY), build_city(200, 1, date(2027, 2, 1))

    assert [d["uniscid"] for d in one.records["enterprise"]] == [
        d["uniscid"] for d in other.records["enterprise"]
    ]
    assert one.records["sale_contract"] != other.records["sale_contract"]


def test_ten_people_are_enough_for_a_city():
    """The smallest size has every dataset."""
    city = build_city(10, 1, TODAY)

    assert [] == [name for name, docs in city.records.items() if not docs]


def test_sizes_scale_with_the_people():
    """Twice the people, about twice the records, the fixed catalogue apart."""
    small = sum(map(len, build_city(1000, 1, TODAY).records.values())) - 60
    large = sum(map(len, build_city(2000, 1, TODAY).records.values())) - 60

    assert 1.9 < large / small < 2.1


def test_memory_stays_far_below_the_limit():
    """2,000 residents take a tenth of what 20,000 may take."""
    tracemalloc.start()
    build_city(PEOPLE, SEED, TODAY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 40_000_000


def test_residents_have_different_numbers(clean_city):
    """Even in a crowd."""
    people = make_people(clean_city.random("crowd"), 5000)

    assert 5000 == len({person.resident_id for person in people})


def test_leap_day_moves_to_the_28th():
    """A term that begins on 29 February ends in a year without one."""
    assert date(2027, 2, 28) == add_years(date(2024, 2, 29), 3)
    assert date(2028, 2, 29) == add_years(date(2024, 2, 29), 4)


def test_book_months_are_closed_and_in_order():
    """In January the closed months lie in the year before."""
    assert ["202610", "202611", "202612"] == Timeline(date(2027, 2, 1)).months_back(3)
    assert ["202509", "202510", "202511"] == Timeline(date(2026, 1, 31)).months_back(3)


def test_nobody_buys_from_himself(clean_city):
    """Even where only a handful of people could be drawn."""
    random = clean_city.random("handful")
    handful = make_people(random, 6)
    sellers = alone(as_party(handful[0]))
    for _ in range(200):
        buyers = family(random, handful, apart_from=sellers)
        assert handful[0].resident_id not in {party.id_no for party in buyers.parties}


def test_every_way_of_sharing_adds_up(clean_city):
    """One, two or three owners, alone, jointly or by shares."""
    random = clean_city.random("shares")
    handful = make_people(random, 9)
    groups = [family(random, handful) for _ in range(300)]

    assert {"0", "1", "2"} == {group.holding for group in groups}
    assert {1} == {sum(share(part) for part in group.shares) for group in groups}
