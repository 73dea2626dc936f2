"""Parts: a party that leaves its contract, or whose contract ends, ends too."""

from __future__ import annotations

import pytest

from tests.store.samples import PARTY, SALE, parties, payments, sales
from tests.store.test_deletes import ids, mark
from tongban.store.load import write_chunk
from tongban.store.parts import Part
from tongban.store.summary import dataset_balances

pytestmark = pytest.mark.postgres
OFFICE = ("office",)


def contracts(hub, count, frame, *, minutes=0, key_missing=False, price=0):
    """Load parties and then the contracts whose pages they were in."""
    hub.load(frame, of=PARTY, subscribers=OFFICE)
    owners = sales(count, minutes=minutes)
    owners = owners.with_columns(total_price=owners["total_price"] + price)
    seen = None if key_missing else ids(hub, frame, PARTY)["record_id"]
    part = Part(PARTY, {"contract_no": "contract_no"}, seen, OFFICE)
    return write_chunk(hub.engine, hub.chunk(owners, of=SALE, subscribers=OFFICE, parts=(part,)))


def stored(hub):
    """Key of every stored party."""
    return hub.rows("SELECT contract_no, party_no FROM data.sale_party_v1 ORDER BY 1, 2")


def test_a_party_that_left_its_contract_is_deleted_and_told(hub):
    """The department sends the contract without it, and nothing more."""
    contracts(hub, 2, parties(2))
    left = parties(2, minutes=5).filter(parties(2)["party_no"] != 2)

    done = contracts(hub, 2, left, minutes=5, price=1)

    assert [("C00000", 1), ("C00001", 1)] == stored(hub)
    assert 2 == done.deleted == hub.one("SELECT count(*) FROM hub.tombstone")
    assert 2 == hub.one(
        "SELECT count(*) FROM hub.outbox WHERE dataset = 'sale_party' AND version > 1"
        " AND record_id IN (SELECT record_id FROM hub.tombstone)"
    )
    assert dataset_balances(hub.engine, [PARTY])[0].in_balance


def test_an_unchanged_contract_keeps_its_parties(hub):
    """Its pages hold them, or another page does; nothing is known to be left out."""
    contracts(hub, 1, parties(1))

    done = contracts(hub, 1, parties(1).head(0))

    assert (0, 2) == (done.deleted, len(stored(hub)))


def test_a_party_without_its_key_keeps_all_the_others(hub):
    """It could be any of them."""
    contracts(hub, 1, parties(1))

    done = contracts(hub, 1, parties(1, minutes=5).head(1), minutes=5, price=1, key_missing=True)

    assert (0, 2) == (done.deleted, len(stored(hub)))


def test_a_party_that_is_newer_than_its_contract_stays(hub):
    """A later landing has put it there."""
    contracts(hub, 1, parties(1, minutes=9))

    done = contracts(hub, 1, parties(1, minutes=5).head(0), minutes=5, price=1)

    assert (0, 2) == (done.deleted, len(stored(hub)))


def test_parties_end_with_their_contract_and_come_back_with_it(hub):
    """Nobody gets parties of a contract that does not exist."""
    contracts(hub, 2, parties(2))
    part = Part(PARTY, {"contract_no": "contract_no"}, None, OFFICE)
    done = mark(hub, sales(1, minutes=5), of=SALE, parts=(part,))
    assert 3 == done.deleted
    assert [("C00001", 1), ("C00001", 2)] == stored(hub)

    contracts(hub, 1, parties(1, minutes=9), minutes=9)

    assert 4 == len(stored(hub))
    assert dataset_balances(hub.engine, [PARTY, SALE])[0].in_balance


def test_a_refused_row_of_a_deleted_record_is_closed(hub):
    """Nobody has to correct what its source has deleted."""
    hub.load(payments(1))
    hub.load(None, payments(1, minutes=3))
    hub.load(None, payments(1, start=7, minutes=3))
    mark(hub, payments(1, minutes=5))

    states = hub.rows("SELECT state, count(*)::int FROM hub.quarantine GROUP BY 1 ORDER BY 1")
    assert [("open", 1), ("resolved", 1)] == states


def test_a_refused_row_of_a_record_that_was_never_stored_is_closed_too(hub):
    """It came broken and was deleted."""
    hub.load(None, payments(1, minutes=3))

    outcome = mark(hub, payments(1, minutes=5))

    assert 0 == outcome.deleted
    assert "resolved" == hub.one("SELECT state FROM hub.quarantine")


def test_a_refused_row_that_is_newer_than_the_deletion_stays_open(hub):
    """The record exists again, and is still broken."""
    hub.load(payments(1))
    hub.load(None, payments(1, minutes=9))
    mark(hub, payments(1, minutes=5))

    assert "open" == hub.one("SELECT state FROM hub.quarantine")
