"""Approvals: asked once, decided once, with evidence."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from tongban.evidence.log import append_approval, check, export
from tongban.kernel.errors import ConfigInvalid
from tongban.store import approvals
from tongban.store.engine import transaction

pytestmark = pytest.mark.postgres

QUESTION = ("mass_delete", "sale_contract/1", "90 of 100 records are gone")


def asked(engine, *, subject="sale_contract/1"):
    """One question in a transaction of its own."""
    with transaction(engine) as conn:
        return approvals.ask(conn, "mass_delete", subject, QUESTION[2], owner="housing")


def decide(engine, approval_id, decision="approved", by="li.si", note="by telephone"):
    """One decision in a transaction of its own."""
    with transaction(engine) as conn:
        return approvals.decide(
            conn, approval_id, decision, by=by, note=note, evidence=append_approval
        )


def test_a_question_that_waits_is_not_asked_twice(engine):
    """Every retry of a load meets the same question."""
    assert asked(engine) == asked(engine)
    with transaction(engine) as conn:
        assert 1 == len(approvals.waiting(conn))


def test_the_newest_answer_counts(engine):
    """A rejected question may be asked again, and then the new one waits."""
    with transaction(engine) as conn:
        assert approvals.state(conn, *QUESTION[:2]) is None
    decide(engine, asked(engine), "rejected")
    with transaction(engine) as conn:
        assert "rejected" == approvals.state(conn, *QUESTION[:2])
    again = asked(engine)
    with transaction(engine) as conn:
        assert "waiting" == approvals.state(conn, *QUESTION[:2])
    decide(engine, again)
    with transaction(engine) as conn:
        assert "approved" == approvals.state(conn, *QUESTION[:2])
        assert [] == approvals.waiting(conn)


def test_a_decision_is_an_entry_of_evidence_with_the_name_of_who_decided(engine):
    """A third party can check who allowed what; the note stays outside the log."""
    approval_id = asked(engine)

    decide(engine, approval_id)

    line = list(export(engine))[-1]
    assert '"kind":"approval"' in line
    assert f'"approval":"{approval_id}"' in line
    assert '"by":"li.si"' in line
    assert "by telephone" not in line
    assert 1 == check(engine)


def test_a_decision_is_made_once(engine):
    """Two people, or a person and a command, cannot overrule each other silently."""
    approval_id = asked(engine)
    decide(engine, approval_id, by="li.si")

    with pytest.raises(approvals.ApprovalClosed, match=r"was approved by li\.si"):
        decide(engine, approval_id, "rejected", by="wang.wu")
    with pytest.raises(approvals.ApprovalClosed, match="is unknown"):
        decide(engine, uuid4())


@pytest.mark.parametrize(
    ("by", "note"), [(" ", "fine"), ("li.si", "of 620899199001010014, she called")]
)
def test_a_decision_needs_a_name_and_holds_no_persons_number(engine, by, note):
    """The list of decisions is read by many."""
    approval_id = asked(engine)

    with pytest.raises(ConfigInvalid):
        decide(engine, approval_id, by=by, note=note)

    with transaction(engine) as conn:
        assert "waiting" == approvals.state(conn, *QUESTION[:2])


def test_each_question_is_shown_by_one_run(engine):
    """A second run shows only what came later; a retry of the first shows the same."""
    first = asked(engine)
    with transaction(engine) as conn:
        assert [first] == [row["approval_id"] for row in approvals.show(conn, "run 1")]
    second = asked(engine, subject="sale_contract/2")
    with transaction(engine) as conn:
        assert [second] == [row["approval_id"] for row in approvals.show(conn, "run 2")]
        assert [first] == [row["approval_id"] for row in approvals.show(conn, "run 1")]


def test_a_new_question_is_told_when_it_is_committed(engine, database_url):
    """Airflow's watcher hears it at once and asks nobody in the meantime."""
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {approvals.CHANNEL}")
        with transaction(engine) as conn:
            approvals.ask(conn, *QUESTION, owner="housing")
            assert [] == list(listener.notifies(timeout=0.2))
        asked(engine)

        assert ["mass_delete"] == [told.payload for told in listener.notifies(timeout=2)]
