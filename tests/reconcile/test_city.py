"""Reconciliation against the substation's real server: found, named, mended, signed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.pipeline.city import CityHub
from tongban.kernel.catalog import PushRoute
from tongban.pipeline import push
from tongban.reconcile import Reconciled, reconcile, routes_of

DATASET = "enterprise"


@pytest.fixture
def sent(city: CityHub) -> CityHub:
    """A city whose enterprises have been pulled and delivered."""
    city.pull(DATASET)
    push(city.hub, "substation", DATASET)
    return city


def route(city: CityHub) -> PushRoute:
    """The one route that is compared here."""
    return routes_of(city.hub, "substation", DATASET)[0]


def compared(city: CityHub, **options: Any) -> Reconciled:
    """One comparison."""
    return reconcile(city.hub, route(city), **options)


def spoil(city: CityHub, statement: str) -> str:
    """Change what the substation holds of one record behind everybody's back; gives its guid."""
    state = city.town.state_dir / "substation.sqlite"
    with closing(sqlite3.connect(state, timeout=10)) as held, held:
        sql = "SELECT min(row_guid) FROM accepted WHERE dataset = ?"
        (guid,) = held.execute(sql, (DATASET,)).fetchone()
        held.execute(statement, {"dataset": DATASET, "guid": guid})
    return str(guid)


WHERE = " WHERE dataset = :dataset AND row_guid = :guid"
LOSE = "DELETE FROM accepted" + WHERE
ALTER = "UPDATE accepted SET digest = upper(hex(zeroblob(32)))" + WHERE
SET_BACK = "UPDATE accepted SET version = '0', digest = hex(zeroblob(32))" + WHERE


def test_a_quiet_day_agrees_and_both_digests_are_equal(sent: CityHub):
    """Every delivered record is on both sides."""
    found = compared(sent)

    assert ("listed", "agrees") == (found.mode, found.state)
    assert sent.one("SELECT count(*) FROM data.enterprise_v1") == found.ours_rows
    assert found.ours_digest == found.theirs_digest


@pytest.mark.parametrize(
    ("spoiling", "kind", "why"),
    [
        (LOSE, "missing_there", "resent"),
        (ALTER, "altered_there", "corrected"),
        (SET_BACK, "older_there", "resent"),
    ],
)
def test_a_spoiled_record_is_named_and_mended_by_sending_it_alone(
    sent: CityHub, spoiling: str, kind: str, why: str
):
    """It goes out once more with the receiver's marker, and the next comparison agrees."""
    guid = spoil(sent, spoiling)

    found = compared(sent)

    assert ({kind: 1}, 1, 1) == (found.differences, found.contradictions, found.requeued_rows)
    (row,) = sent.rows("SELECT * FROM hub.statement_difference")
    assert (guid, kind, "requeued", why) == (
        str(row["record_id"]),
        row["kind"],
        row["action"],
        row["rereport"],
    )
    assert 1 == push(sent.hub, "substation", DATASET).accepted
    assert "agrees" == compared(sent).state


def test_a_statement_that_denies_a_receipt_is_kept_with_both_receipts(sent: CityHub):
    """Ours and the one that the statement names, under the same number."""
    spoil(sent, ALTER)

    compared(sent, repairs=False)

    (row,) = sent.rows("SELECT * FROM hub.statement_difference")
    assert row["is_contradiction"]
    assert row["receipt_no"] == row["their_receipt_no"]
    assert row["receipt_no"].startswith("SUBSTATION-")
    assert row["our_digest"] != row["their_digest"]


def test_a_record_that_the_target_has_without_us_waits_for_a_person(sent: CityHub):
    """Nothing is deleted there that we do not know."""
    statement = (
        "INSERT INTO accepted SELECT dataset, '00000000-0000-8000-8000-000000000001', version,"
        " digest, op, doc, receipt_no, received_at FROM accepted" + WHERE
    )
    spoil(sent, statement)

    found = compared(sent)

    assert ({"unknown_there": 1}, 0) == (found.differences, found.requeued_rows)
    assert "person" == sent.one("SELECT action FROM hub.statement_difference")


def test_a_foreign_key_is_counted_and_its_text_kept_nowhere(sent: CityHub):
    """It may be a person's number."""
    number = "622899198503140011"
    spoil(sent, f"UPDATE accepted SET row_guid = '{number}'" + WHERE)  # noqa: S608 - our own text

    found = compared(sent, repairs=False)

    assert (1, {"missing_there": 1}) == (found.foreign_rows, found.differences)
    kept = sent.rows("SELECT to_jsonb(s)::text AS t FROM hub.statement s")
    assert number not in str(kept)


def test_the_statement_is_signed_and_the_log_holds_its_digest(sent: CityHub):
    """Who has the public key can check what we said that day."""
    found = compared(sent)

    (row,) = sent.rows("SELECT * FROM hub.statement")
    public = Ed25519PublicKey.from_public_bytes(bytes(row["public"]))
    public.verify(bytes(row["signature"]), row["document"].encode())
    entry = sent.rows(
        "SELECT subject, leaf = sha256(convert_to(%s, 'UTF8')) AS is_it FROM hub.evidence_entry"
        " WHERE kind = 'statement'",
        row["document"],
    )
    assert [(str(found.statement_id), True)] == [
        (item["subject"]["statement"], item["is_it"]) for item in entry
    ]


def test_a_day_is_compared_by_what_was_delivered_on_it(sent: CityHub):
    """Today everything was, yesterday nothing."""
    today: date = sent.one("SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date")
    spoil(sent, LOSE)

    found = compared(sent, day=today, repairs=False)
    before = compared(sent, day=today - timedelta(days=1))

    assert ({"missing_there": 1}, found.ours_rows - 1) == (found.differences, found.theirs_rows)
    assert (0, 0, "agrees") == (before.ours_rows, before.theirs_rows, before.state)


def test_a_target_that_lists_nothing_is_told_as_unchecked(city: CityHub):
    """Our own number is kept all the same."""
    city.pull("enterprise")
    push(city.hub, "social", "enterprise")

    found = reconcile(city.hub, routes_of(city.hub, "social", "enterprise")[0])

    assert ("none", "unchecked", None) == (found.mode, found.state, found.theirs_rows)
    assert found.ours_rows > 0
