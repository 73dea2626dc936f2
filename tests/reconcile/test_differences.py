"""Both sides in PostgreSQL: what is a difference, of which kind, and what is none."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import polars as pl
import pytest
from sqlalchemy import Engine, text

from tongban.evidence.signing import open_signer
from tongban.protect import KeyRing, Vault
from tongban.reconcile import Reconciled
from tongban.reconcile.repair import HOLD_ROWS
from tongban.reconcile.service import compare_counts, compare_lists, settle
from tongban.reconcile.sides import moment_of
from tongban.store.engine import transaction

SCHEMA = {
    "guid": pl.String,
    "version": pl.Int64,
    "digest": pl.String,
    "receipt_no": pl.String,
}
PUT = text("""
    INSERT INTO hub.outbox (target, dataset, record_id, version, state, attempts, sent_at,
                            digest, receipt_no, op, code)
    VALUES ('office', 'payment', :record_id, :version, :state, 1,
            CASE WHEN :was_sent THEN now() - interval '1 hour' END, :digest, :receipt_no, :op,
            :code)
""")


def content(number: int, version: int = 1) -> str:
    """The digest of one document."""
    return hashlib.sha256(f"{number}|{version}".encode()).hexdigest()


def guid(number: int) -> str:
    """The id of one record."""
    head = hashlib.sha256(str(number).encode()).hexdigest()
    return str(UUID(hex=head[:32]))


class Books:
    """Our outbox and the statement of an office that got everything right."""

    def __init__(self, engine: Engine, keyring: KeyRing) -> None:
        self.engine = engine
        self.vault = Vault(keyring)
        self.signer = open_signer(keyring.derived("test"))
        self.lines: dict[str, tuple[int, str]] = {}

    def deliver(self, number: int, version: int = 1, state: str = "accepted", **more: Any) -> str:
        """One outbox row; what was acknowledged stands in the office's books."""
        digest = content(number, version)
        row: dict[str, Any] = {
            "record_id": UUID(guid(number)),
            "version": version,
            "state": state,
            "was_sent": True,
            "digest": self.vault.keyed_all([digest])[0],
            "receipt_no": f"R{number}-{version}",
            "op": "I",
            "code": None,
        }
        with transaction(self.engine) as conn:
            conn.execute(PUT, row | more)
        if state in {"accepted", "duplicate"}:
            self.lines[guid(number)] = (version, digest)
        if more.get("op") == "D":
            del self.lines[guid(number)]
        return guid(number)

    def compare(
        self,
        lines: list[tuple[str, int, str]] | None = None,
        *,
        day: date | None = None,
        **options: bool,
    ) -> Reconciled:
        """Compare with the office's books, or with other lines."""
        told = [(g, *rest) for g, rest in self.lines.items()] if lines is None else lines
        page = pl.DataFrame([(*line, "S") for line in told], schema=SCHEMA, orient="row")
        chosen = {"repairs": True, "all_of_it": False} | options
        with transaction(self.engine) as conn:
            begun = Reconciled(uuid4(), "office", "payment", day, "none", moment_of(conn), 0)
            found = compare_lists(conn, begun, [page[:1], page[1:]], self.vault)
            return settle(conn, found, self.signer, **chosen)

    def state(self, number: int, version: int = 1) -> str:
        """State of one outbox row."""
        with transaction(self.engine) as conn:
            sql = "SELECT state FROM hub.outbox WHERE record_id = :r AND version = :v"
            found = conn.execute(text(sql), {"r": UUID(guid(number)), "v": version})
            return str(found.scalar_one())


@pytest.fixture
def books(engine: Engine, keyring: KeyRing) -> Books:
    """Five records that both sides have."""
    made = Books(engine, keyring)
    for number in range(5):
        made.deliver(number)
    return made


def test_the_order_of_the_statement_does_not_matter(books: Books):
    """The same records give the same digest."""
    there = [(g, *rest) for g, rest in books.lines.items()]

    forwards, backwards = books.compare(there), books.compare(there[::-1])

    assert "agrees" == forwards.state == backwards.state
    assert forwards.theirs_digest == backwards.theirs_digest == forwards.ours_digest


def test_two_records_with_exchanged_contents_are_both_found(books: Books):
    """A digest over contents alone would not see it."""
    one, other = guid(1), guid(2)
    books.lines[one], books.lines[other] = books.lines[other], books.lines[one]

    assert {"altered_there": 2} == books.compare().differences


def test_of_a_record_only_its_newest_acknowledged_version_counts(books: Books):
    """Older receipts are history."""
    books.deliver(3, version=2)

    found = books.compare()

    assert ("agrees", 5) == (found.state, found.ours_rows)


def test_a_version_of_which_the_answer_was_lost_is_no_difference(books: Books):
    """Either state of the target is right until the next try."""
    books.deliver(3, version=2, state="sent", receipt_no=None)

    before = books.compare()
    books.lines[guid(3)] = (2, content(3, 2))
    after = books.compare()

    assert ("agrees", 1, 4) == (before.state, before.moving_rows, before.ours_rows)
    assert "agrees" == after.state


def test_a_version_that_was_refused_leaves_the_one_before_it_expected(books: Books):
    """The target still has what it took."""
    books.deliver(3, version=2, state="rejected", code="E102")
    del books.lines[guid(3)]

    found = books.compare()

    assert ({"missing_there": 1}, 0) == (found.differences, found.requeued_rows)
    assert ("accepted", "rejected") == (books.state(3), books.state(3, 2))


def test_a_deleted_record_that_is_still_listed_is_deleted_again(books: Books):
    """The deletion was acknowledged."""
    gone = books.deliver(3, version=2, op="D")
    assert "agrees" == books.compare().state
    books.lines[gone] = (1, content(3))

    found = books.compare()

    assert ({"still_there": 1}, 1) == (found.differences, found.requeued_rows)
    assert "queued" == books.state(3, 2)


def test_a_newer_version_than_we_ever_sent_waits_for_a_person(books: Books):
    """Was our database set back? Sending an old version would not mend that."""
    books.lines[guid(4)] = (9, content(4, 9))

    found = books.compare()

    assert ({"newer_there": 1}, 0, 0) == (
        found.differences,
        found.contradictions,
        found.requeued_rows,
    )


def test_a_record_that_is_listed_twice_is_named(books: Books):
    """Under XOR two equal lines are none; the counts tell."""
    lines = [(g, *rest) for g, rest in books.lines.items()]

    assert {"repeated_there": 1} == books.compare([*lines, lines[2]]).differences


def test_what_is_queued_again_is_on_its_way_and_no_second_difference(books: Books):
    """Two comparisons before the next push queue it once."""
    del books.lines[guid(0)]

    first, second = books.compare(), books.compare()

    assert (1, 0) == (first.requeued_rows, second.requeued_rows)
    assert ("agrees", 1) == (second.state, second.moving_rows)


def test_an_empty_statement_does_not_send_everything_again(engine: Engine, keyring: KeyRing):
    """It is more likely wrong than so many deliveries; a person may still say so."""
    books = Books(engine, keyring)
    with transaction(engine) as conn:
        conn.execute(
            text(
                "INSERT INTO hub.outbox (target, dataset, record_id, version, state, sent_at,"
                " digest, receipt_no, op) SELECT 'office', 'payment', gen_random_uuid(), 1,"
                " 'accepted', now() - interval '1 hour', 'd'::bytea, 'R', 'I'"
                " FROM generate_series(1, :rows)"
            ),
            {"rows": HOLD_ROWS + 1},
        )

    held, sent = books.compare([]), books.compare([], all_of_it=True)

    assert (True, 0) == (held.is_held, held.requeued_rows)
    assert (False, HOLD_ROWS + 1) == (sent.is_held, sent.requeued_rows)


@pytest.mark.parametrize(("told", "state"), [(5, "agrees"), (4, "differs"), (None, "unchecked")])
def test_a_target_that_only_counts_is_compared_by_number(
    books: Books, told: int | None, state: str
):
    """Which record it is nobody can say then."""
    with transaction(books.engine) as conn:
        begun = Reconciled(uuid4(), "office", "payment", None, "none", moment_of(conn), 0)
        found = compare_counts(conn, begun, told)
        settle(conn, found, books.signer, repairs=True, all_of_it=False)

    assert (state, 5) == (found.state, found.ours_rows)
