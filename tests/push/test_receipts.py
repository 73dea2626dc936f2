"""Receipts: what a target writes into its answer shows nobody's number and stops no run."""

from __future__ import annotations

import pytest

from tests.store.samples import payments

pytestmark = pytest.mark.postgres
OFFICE = ("office",)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("E-17", "E-17"),
        ("证件 620899199001010012 已存在", "???***????"),
        ("ID 62089919900101001X", "ID?***"),
        ("tel=13900001234", "tel?***"),
        ("E\x00\x1b[31m", "E???31m"),
        ("9" * 500, "9" * 64),
    ],
)
def test_code_of_a_refusal_shows_nobodys_number_and_stops_no_run(hub, office, code, shown):
    """Some targets write a sentence where a code belongs; a zero byte must not park the route."""
    hub.load(payments(2), subscribers=OFFICE)
    office.refuse["T000001"] = code

    done = office.deliver()

    assert (1, 1) == (done.accepted, done.rejected)
    assert [(shown,)] == hub.rows("SELECT code FROM hub.outbox WHERE state = 'rejected'")


def test_words_in_the_place_of_a_code_are_kept_sealed(hub, office, keyring):
    """What is hidden in the table is not lost."""
    hub.load(payments(1), subscribers=OFFICE)
    office.refuse["T000000"] = "重复：13900001234"
    office.deliver()

    guid, sealed = hub.rows("SELECT record_id::text, answer_sealed FROM hub.outbox")[0]

    words = keyring.unseal(f"receipt|office|payment|{guid}", sealed).decode()
    assert "重复：13900001234 不接受 T000000" == words


def test_receipt_number_with_unprintable_signs_is_kept_without_them(hub, office):
    """A number that no database text can hold must not undo the answers of a whole claim."""
    hub.load(payments(1), subscribers=OFFICE)
    guid = hub.one("SELECT record_id::text FROM hub.outbox")
    office.receipts[guid, 1] = "R\x00-1\n"

    done = office.deliver(patience_s=5)  # twice: it never went out, as far as we know

    assert (1, 1) == (done.unclear, done.duplicate)
    assert "R-1" == hub.one("SELECT receipt_no FROM hub.outbox")
