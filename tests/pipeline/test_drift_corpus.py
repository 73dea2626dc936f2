"""Every kind of drift in the corpus: caught before the first write, with policy and owner."""

from __future__ import annotations

import json
from operator import itemgetter
from pathlib import Path

import pytest
import yaml

from tests.connectors.serving import answers, serving
from tests.pipeline.drifting import DATASET, Landings, body_of, changed, good_rows
from tongban import pipeline
from tongban.approved import carry_out
from tongban.evidence.log import append_approval
from tongban.kernel.drifts import KINDS
from tongban.kernel.errors import AnswerUnreadable, BatchRefused
from tongban.store import approvals
from tongban.store.drifts import HELD_PUSH
from tongban.store.engine import transaction
from tongban.watch import BatchFrozen

pytestmark = pytest.mark.postgres

CORPUS = yaml.safe_load((Path(__file__).parent / "drift_corpus.yaml").read_text(encoding="utf-8"))
ROWS = 300
EVENTS = "SELECT kind, field, policy, owner, detail FROM hub.drift_event ORDER BY event_id"


@pytest.fixture
def landings(tmp_path: Path, database_url: str):
    """A hub whose batches are landed by hand."""
    made = Landings(tmp_path / "hub", database_url)
    yield made
    made.close()


def bad_batch(case):
    """The rows of a case."""
    rows = good_rows(case.get("rows", ROWS))
    for change in case.get("change", []):
        rows = changed(rows, dict(change))
    return rows


def decide(landings: Landings, decision: str = "approved"):
    """Answer the one question that waits and go on with it, as Airflow's task does."""
    with transaction(landings.hub.engine) as conn:
        (asked,) = approvals.waiting(conn)
        approvals.decide(
            conn, asked["approval_id"], decision, by="li.si", note=None, evidence=append_approval
        )
    if decision == "approved":
        carry_out(landings.hub, asked["kind"], asked["subject"])
    return asked


def test_the_corpus_has_every_kind_that_this_source_can_show():
    """A kind without a case would be a promise without a proof."""
    shown = {case["expect"]["kind"] for case in CORPUS} | {
        case["also"]["kind"] for case in CORPUS if "also" in case
    }

    assert {"field_order", "repeated_name"} == set(KINDS) - shown  # XML; found by the pull, below
    assert len(CORPUS) >= 12


@pytest.mark.parametrize("case", CORPUS, ids=itemgetter("id"))
def test_drift_is_caught_before_the_first_write(landings: Landings, case):
    """An event with policy and owner; a frozen batch leaves no row, a held one sends none."""
    for _ in range(case.get("batches", 0)):
        landings.store(good_rows(ROWS))
    before = landings.stored
    landing_id = landings.land(bad_batch(case))

    outcome = "stored"
    try:
        loaded = landings.load(landing_id)
    except BatchFrozen:
        outcome = "frozen"

    events = {(row["kind"], row["field"], row["policy"]) for row in landings.rows(EVENTS)}
    expected = [case["expect"], *([case["also"]] if "also" in case else [])]
    assert {tuple(item[k] for k in ("kind", "field", "policy")) for item in expected} <= events
    assert {"housing"} == {row["owner"] for row in landings.rows(EVENTS)}
    assert case["outcome"] in {outcome, "held"}
    if outcome != "stored":
        assert before == landings.stored
        assert 0 == landings.one("SELECT count(*) FROM hub.quarantine")
        return
    assert case.get("quarantined", 0) == loaded.quarantined
    held = landings.one("SELECT count(*) FROM hub.outbox WHERE held_by IS NOT NULL")
    assert (case["outcome"] == "held" and loaded.new > 0) == (held > 0)
    codes: dict[str, dict[str, int]] = {}
    for row in landings.rows("SELECT field, code, rows FROM hub.unmapped_code"):
        codes.setdefault(row["field"], {})[row["code"]] = row["rows"]
    assert case.get("unmapped", {}) == codes


def test_good_batches_drift_nothing_and_leave_their_fingerprints(landings: Landings):
    """No false alarm; and no value but codes is in a fingerprint."""
    for _ in range(6):
        landings.store(good_rows(ROWS))

    assert [] == landings.rows(EVENTS)
    seen = landings.rows("SELECT seen FROM hub.fingerprint")
    text = json.dumps([row["seen"] for row in seen], ensure_ascii=False)
    assert 6 == len(seen)
    assert '"usage": {"10": 300}' in text
    assert not any(word in text for word in ("示范", "HT2024", "FW6208", "620899"))


def test_no_value_of_a_field_is_in_an_event_a_question_or_an_error(landings: Landings):
    """Names, counts and shares only."""
    rows = changed(good_rows(ROWS), {"set": {"floor": "秘密7731", "usage": "秘密7731"}})

    with pytest.raises(BatchFrozen) as caught:
        landings.store(rows)

    told = json.dumps(landings.rows("SELECT * FROM hub.drift_event"), default=str)
    told += json.dumps(landings.rows("SELECT * FROM hub.approval"), default=str) + str(caught.value)
    assert "7731" not in told


def test_a_frozen_batch_is_loaded_after_an_approval_and_once(landings: Landings):
    """Its bad rows are quarantined then; the next such batch is frozen again."""
    rows = changed(good_rows(ROWS), {"set": {"floor": "十八层"}, "every": 10})
    with pytest.raises(BatchFrozen):
        landings.store(rows)

    asked = decide(landings)

    assert ("frozen_batch", "housing") == (asked["kind"], asked["owner"])
    assert 270 == landings.stored
    assert "approved" == landings.one("SELECT policy FROM hub.drift_event WHERE kind='type_change'")
    with pytest.raises(BatchFrozen):
        landings.store(rows)


def test_a_rejected_batch_stays_out_and_is_not_asked_about_again(landings: Landings):
    """Airflow's retry meets the answer."""
    landing_id = landings.land(changed(good_rows(ROWS), {"drop": "signTime"}))
    with pytest.raises(BatchFrozen):
        landings.load(landing_id)
    decide(landings, "rejected")

    with pytest.raises(BatchFrozen):
        landings.load(landing_id)

    assert 0 == landings.stored
    with transaction(landings.hub.engine) as conn:
        assert [] == approvals.waiting(conn)


def test_a_dirty_batch_is_stored_after_an_approval(landings: Landings):
    """The rows that keep the contract go in, the others are quarantined."""
    rows = changed(good_rows(ROWS), {"set": {"usage": "77"}, "every": 3})
    with pytest.raises(BatchRefused, match="would be quarantined"):
        landings.store(rows)
    assert 0 == landings.stored

    asked = decide(landings)

    assert "dirty_batch" == asked["kind"]
    assert 200 == landings.stored
    assert 100 == landings.one("SELECT count(*) FROM hub.quarantine")


def test_two_fields_of_one_name_are_refused_by_the_pull_and_noted(landings: Landings):
    """Which of them counts is not ours to guess."""
    body = body_of(good_rows(3), 3).replace(b'"agency":', b'"address":', 1)
    with serving(answers(200, body)) as server:
        landings.connect(server.url)
        with pytest.raises(AnswerUnreadable, match="two fields of the same name"):
            pipeline.pull(landings.hub, DATASET)

    (event,) = landings.rows(EVENTS)
    assert ("repeated_name", "frozen", "housing") == (
        event["kind"],
        event["policy"],
        event["owner"],
    )


def test_a_mass_delete_goes_through_after_an_approval_and_once(landings: Landings):
    """Nothing is deleted before; the next one asks again."""
    first, second = [landings.land(good_rows(n), whole=True) for n in (ROWS, 100)]
    landings.make_snapshots()
    landings.load(first)
    with pytest.raises(BatchRefused, match="200 of 300 stored records are not in the snapshot"):
        landings.load(second)
    assert ROWS == landings.stored

    asked = decide(landings)

    assert ("mass_delete", "housing") == (asked["kind"], asked["owner"])
    assert 100 == landings.stored
    assert 200 == landings.one("SELECT count(*) FROM hub.tombstone")
    with pytest.raises(BatchRefused, match="not in the snapshot"):
        landings.load(landings.land(good_rows(10), whole=True))


def test_a_held_batch_goes_to_its_targets_after_an_approval(landings: Landings):
    """Stored at once, sent when somebody agrees."""
    for _ in range(5):
        landings.store(good_rows(ROWS))
    due = "SELECT count(*) FROM hub.outbox WHERE state = 'queued' AND held_by IS NULL"
    before = landings.one(due)
    loaded = landings.store(good_rows(700))
    assert 400 == loaded.new
    assert before == landings.one(due)

    asked = decide(landings)

    assert HELD_PUSH == asked["kind"]
    assert before + 400 * before // ROWS == landings.one(due)
