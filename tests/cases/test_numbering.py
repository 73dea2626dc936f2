"""Blocks of acceptance numbers: idempotent per request, one number for one case and window."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from tongban.cases.aliases import Alias, add_alias, cases_of, find_aliases
from tongban.cases.number import accept_no, is_accept_no, parts_of
from tongban.cases.numbering import (
    KEPT_FOR,
    NumberClaimed,
    reserve_numbers,
    take_serials,
    use_number,
)
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.records import BEIJING
from tongban.store.engine import open_engine

pytestmark = pytest.mark.postgres
NOW = datetime(2026, 11, 24, 9, tzinfo=BEIJING)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A migrated database."""
    found = open_engine(database_url, pool_size=8)
    yield found
    found.dispose()


def reserve(engine: Engine, window: str, request: str, amount: int = 3) -> list[str]:
    """Reserve in a transaction of its own."""
    with engine.begin() as conn:
        return reserve_numbers(conn, window, request, amount, now=NOW)


def use(engine: Engine, number: str, window: str, request: str, now: datetime = NOW) -> str:
    """Use in a transaction of its own."""
    with engine.begin() as conn:
        return use_number(conn, number, window, request, now=now)


def test_every_place_of_a_number_is_guarded_against_every_wrong_digit_and_swap():
    """All places, all digits: no property left to chance."""
    for serial in (1, 17, 909_090, 999_999):
        number = accept_no(date(2026, 11, 24), serial)
        for place, digit in itertools.product(range(18), string.digits):
            wrong = number[:place] + digit + number[place + 1 :]
            assert (wrong == number) is is_accept_no(wrong)
        for place in range(17):
            pair = number[place + 1] + number[place]
            swapped = number[:place] + pair + number[place + 2 :]
            assert (swapped == number) is is_accept_no(swapped)


def test_a_number_says_its_day_and_serial():
    """What was put in comes out."""
    assert (date(2026, 11, 24), 17) == parts_of(accept_no(date(2026, 11, 24), 17))
    with pytest.raises(ValueError, match="not an acceptance number"):
        parts_of("620826112400001700")


def test_the_same_request_gives_the_same_numbers(engine: Engine):
    """A window whose line broke asks again."""
    first = reserve(engine, "W1", "r1")

    assert first == reserve(engine, "W1", "r1")
    assert 3 == len(set(first))
    assert all(is_accept_no(number) for number in first)
    assert set(first).isdisjoint(reserve(engine, "W1", "r2"))


@pytest.mark.parametrize(("window", "amount"), [("W2", 3), ("W1", 4)])
def test_a_request_of_another_window_or_amount_is_refused(engine: Engine, window: str, amount: int):
    """One id, one request."""
    reserve(engine, "W1", "r1")

    with pytest.raises(NumberClaimed, match="made before"):
        reserve(engine, window, "r1", amount)


@pytest.mark.parametrize("amount", [0, -1, 1001])
def test_a_block_has_one_to_a_thousand_numbers(engine: Engine, amount: int):
    """No window takes the whole day."""
    with pytest.raises(ConfigInvalid, match="a block has"):
        reserve(engine, "W1", "r1", amount)


def test_eight_windows_at_once_never_get_one_number(engine: Engine):
    """Nor does a request that is made by two threads at once get two blocks."""
    with ThreadPoolExecutor(8) as pool:
        asked = [(f"W{n % 8}", f"r{n % 40}") for n in range(80)]
        blocks = list(pool.map(lambda pair: tuple(reserve(engine, *pair, 10)), asked))

    numbers = [number for block in set(blocks) for number in block]
    assert 40 == len(set(blocks))
    assert 400 == len(numbers) == len(set(numbers))


def test_a_number_is_used_once_by_its_window_for_one_request(engine: Engine):
    """Each other way has a name of its own."""
    one, two, _ = reserve(engine, "W1", "r1")

    assert "used" == use(engine, one, "W1", "case-1")
    assert "again" == use(engine, one, "W1", "case-1")
    with pytest.raises(NumberClaimed, match="has another case"):
        use(engine, one, "W1", "case-2")
    with pytest.raises(NumberClaimed, match="has another case"):
        use(engine, two, "W1", "case-1")
    with pytest.raises(NumberClaimed, match="another window"):
        use(engine, two, "W2", "case-3")


def test_numbers_that_nobody_reserved_or_that_were_kept_too_long_are_refused(engine: Engine):
    """A used one stays what it is, also afterwards."""
    one, two, _ = reserve(engine, "W1", "r1")
    use(engine, one, "W1", "case-1")
    late = NOW + KEPT_FOR + timedelta(seconds=1)

    with pytest.raises(ConfigInvalid, match="never reserved"):
        use(engine, accept_no(date(2026, 11, 23), 1), "W1", "case-1")
    with pytest.raises(ConfigInvalid, match="no acceptance number"):
        use(engine, one[:-1] + str((int(one[-1]) + 1) % 10), "W1", "case-1")
    with pytest.raises(NumberClaimed, match="kept too long"):
        use(engine, two, "W1", "case-2", late)
    assert "again" == use(engine, one, "W1", "case-1", late)


def test_a_day_without_serials_says_so(engine: Engine):
    """The millionth case of a day waits for the next day."""
    with engine.begin() as conn:
        take_serials(conn, NOW.date(), 999_999)
    with pytest.raises(ConfigInvalid, match="no serial left"), engine.begin() as conn:
        take_serials(conn, NOW.date(), 1)


def test_any_number_of_a_department_leads_to_the_case(engine: Engine):
    """One may lead to several, an unknown one leads nowhere."""
    first, second = accept_no(NOW.date(), 1), accept_no(NOW.date(), 2)
    with engine.begin() as conn:
        assert add_alias(conn, Alias("HT-1", "housing", "contract_no", first))
        assert not add_alias(conn, Alias("HT-1", "housing", "contract_no", first))
        add_alias(conn, Alias("HT-1", "housing", "contract_no", second))
        add_alias(conn, Alias("SP-9", "tax", "ticket_no", second))

        assert (first, second) == cases_of(conn, "HT-1")
        assert (second,) == cases_of(conn, "SP-9")
        assert () == cases_of(conn, "nothing")
        assert ["housing", "housing"] == [alias.system for alias in find_aliases(conn, "HT-1")]
