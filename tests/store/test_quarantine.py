"""Quarantine: one open row per key, sealed, resolved by a newer accepted row."""

from __future__ import annotations

import json

import polars as pl
import pytest

from tests.store.samples import PAYMENT, payments
from tongban.protect import open_quarantine

pytestmark = pytest.mark.postgres


def states(hub):
    """Rows by state."""
    return dict(hub.rows("SELECT state, count(*) FROM hub.quarantine GROUP BY 1"))


def test_refused_row_is_sealed_with_its_findings_beside_it(hub, keyring):
    """The operator sees the rule, the department gets its row back."""
    hub.load(payments(1), payments(1, start=7))

    key, sealed, findings = hub.rows(
        "SELECT uuid_send(key_index), row_sealed, findings FROM hub.quarantine"
    )[0]
    row = open_quarantine(keyring, "payment", key, sealed)

    assert [{"rule": "payment.bad"}] == findings
    assert b"T000007" not in sealed
    assert "T000007" == row["given"]["ticket_no"] == row["record"]["ticket_no"]


def test_refused_row_is_not_stored_and_not_pushed(hub):
    """Every row ends in exactly one place."""
    outcome = hub.load(None, payments(2), subscribers=("a",))

    assert (2, 0, 0) == (outcome.quarantined, outcome.new, outcome.queued)
    assert 0 == hub.one("SELECT count(*) FROM data.payment_v1")


def test_row_that_is_refused_again_unchanged_is_one_open_row(hub):
    """Every pull until the department corrects it."""
    hub.load(None, payments(1))
    hub.load(None, payments(1))

    assert [("open", 2)] == hub.rows("SELECT state, times_seen FROM hub.quarantine")


def test_other_bad_row_of_the_same_key_replaces_the_open_one(hub):
    """The department tried to correct it, and failed."""
    hub.load(None, payments(1))
    hub.load(None, payments(1, minutes=3, amount="-1.00"))

    assert {"replaced": 1, "open": 1} == states(hub)


def test_older_bad_row_does_not_replace_a_newer_one(hub):
    """A replay of an old landing."""
    hub.load(None, payments(1, minutes=3))
    hub.load(None, payments(1, amount="-1.00"))

    assert {"open": 1} == states(hub)


def test_accepted_newer_row_resolves_the_open_one(hub):
    """The department corrected it."""
    hub.load(None, payments(1))
    hub.load(payments(1, minutes=1))

    assert {"resolved": 1} == states(hub)
    assert 1 == hub.one("SELECT count(*) FROM data.payment_v1")


def test_accepted_older_row_does_not_resolve_a_newer_refusal(hub):
    """The newest word of the source is still bad."""
    hub.load(None, payments(1, minutes=5))
    hub.load(payments(1))

    assert {"open": 1} == states(hub)


def test_unchanged_good_row_resolves_a_refusal_as_well(hub):
    """The source took its bad change back."""
    hub.load(payments(1))
    hub.load(None, payments(1, minutes=1, amount="-1.00"))
    hub.load(payments(1, minutes=2))

    assert {"resolved": 1} == states(hub)


def test_bad_row_that_is_older_than_the_stored_one_opens_nothing(hub):
    """It was corrected long ago; the replay is only counted."""
    hub.load(payments(1, minutes=5))

    outcome = hub.load(None, payments(1))

    assert 1 == outcome.quarantined
    assert {} == states(hub)


def test_good_and_bad_copy_of_one_key_in_one_chunk_leave_it_open(hub):
    """A duplicate with a defect is still a defect, in every pull."""
    hub.load(payments(1), payments(1, amount="-1.00"))
    hub.load(payments(1), payments(1, amount="-1.00"))

    assert [("open", 2)] == hub.rows("SELECT state, times_seen FROM hub.quarantine")


def test_row_without_a_key_is_recognized_by_its_content(hub):
    """It has no number, but it is the same broken row."""
    keyless = payments(1).with_columns(ticket_no=pl.lit(None, pl.String))
    hub.load(None, keyless)
    hub.load(None, keyless)
    hub.load(None, keyless.with_columns(contract_no=pl.lit("C9")))

    assert [(False, 2), (False, 1)] == hub.rows(
        "SELECT has_key, times_seen FROM hub.quarantine ORDER BY quarantine_id"
    )


def test_two_bad_rows_of_one_key_in_one_chunk_are_both_counted(hub):
    """One open row, but the balance counts rows."""
    frame = pl.concat([payments(1, minutes=1), payments(1)])

    outcome = hub.load(None, frame)

    assert 2 == outcome.quarantined
    assert {"open": 1} == states(hub)


def test_nothing_in_the_table_shows_a_value(hub):
    """Not even in the findings."""
    hub.load(None, payments(1, start=7))

    ((whole,),) = hub.rows("SELECT q::text FROM hub.quarantine q")

    assert "T000007" not in whole
    assert b"T000007".hex() not in whole
    assert PAYMENT.dataset in whole
    assert json.dumps({"rule": "payment.bad"}).replace('"', '""') in whole
