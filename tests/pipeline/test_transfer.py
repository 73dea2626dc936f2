"""Pull and load against the six real servers: nothing lost, nothing doubled, all of it counted."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from tests.pipeline.city import CityHub
from tongban import pipeline
from tongban.kernel.errors import (
    AnswerUnreadable,
    AuthenticationRefused,
    CredentialsMissing,
    LeaseHeld,
    RetryLater,
)
from tongban.kernel.records import BEIJING, Window
from tongban.store.cursors import read_cursor
from tongban.store.holds import held
from tongban.store.transfers import begin_transfer


def test_the_whole_city_is_stored_or_quarantined_exactly_as_it_knows_itself(city: CityHub):
    """The quarantine holds the records that the city made wrong, and no other."""
    loaded = city.pull()

    quarantined = {item.dataset: item.quarantined for item in loaded if item.quarantined}
    assert dict(city.truth_counts("quarantined")) == quarantined
    assert 17 == len(loaded)


def test_counts_of_every_transfer_balance(city: CityHub):
    """What was read is stored, quarantined, or a duplicate."""
    for item in city.pull():
        parts = item.new + item.changed + item.same + item.quarantined + item.duplicate
        assert item.read == parts, item.dataset


def test_duplicates_are_counted_and_stored_once(city: CityHub):
    """A row that the department serves twice has one effect."""
    loaded = {item.dataset: item for item in city.pull("house_unit")}

    stored = city.one("SELECT count(*) FROM data.house_unit_v1")
    assert loaded["house_unit"].new == stored
    assert city.truth_counts("duplicate")["house_unit"] == loaded["house_unit"].duplicate


def test_pulling_again_moves_nothing(city: CityHub):
    """A second run after no change reads at most the overlap and stores nothing."""
    city.pull("sale_contract", "enterprise")

    again = city.pull("sale_contract", "enterprise")

    assert (0, 0, 0) == (
        sum(item.new for item in again),
        sum(item.changed for item in again),
        sum(item.quarantined for item in again),
    )


def test_only_what_changed_moves_after_a_day(city: CityHub):
    """New and changed records of the day arrive, and nothing else is written."""
    first = sum(item.read for item in city.pull())
    for system in ("tax", "registration", "housing", "social", "market", "substation"):
        city.town.control(system, "POST", "advance", {"changes": 10})
    time.sleep(1)  # sources count in seconds: what changed in the window's last one is the next's

    second = city.pull()

    moved = sum(item.read for item in second)
    assert 0 < moved < first / 5
    assert sum(item.changed + item.new for item in second) > 0


def test_corrected_records_leave_the_quarantine(city: CityHub):
    """After the department corrected a row, the open quarantine follows the city's truth."""
    city.pull()
    for system in ("tax", "registration", "housing", "social", "market", "substation"):
        city.town.control(system, "POST", "advance", {"changes": 60})
    time.sleep(1)  # sources count in seconds: what changed in the window's last one is the next's
    city.pull()

    rows = city.rows(
        "SELECT dataset, count(*) AS n FROM hub.quarantine WHERE state = 'open' GROUP BY dataset"
    )
    closed = city.one("SELECT count(*) FROM hub.quarantine WHERE state <> 'open'")

    assert dict(city.truth_counts("quarantined")) == {row["dataset"]: row["n"] for row in rows}
    assert closed > 0


def test_loading_twice_from_the_same_landing_has_no_second_effect(city: CityHub):
    """A load that Airflow repeats after it had succeeded changes no row and no count."""
    landed = pipeline.pull(city.hub, "enterprise")
    first = pipeline.load(city.hub, landed.landing_id, "enterprise")
    outbox = city.one("SELECT count(*) FROM hub.outbox")

    second = pipeline.load(city.hub, landed.landing_id, "enterprise")

    assert first == second
    assert outbox == city.one("SELECT count(*) FROM hub.outbox")


def test_an_interrupted_pull_is_continued_and_loads_whole(city: CityHub):
    """A department that goes away in the middle costs a retry, not a row."""
    city.town.fault("social", "half_body", count=20, match="queryPersons")
    with pytest.raises((RetryLater, AnswerUnreadable)):
        pipeline.pull(city.hub, "person_insurance")
    city.town.clear_faults()

    (loaded,) = city.pull("person_insurance")

    parts = loaded.new + loaded.quarantined + loaded.duplicate
    assert loaded.read == parts > 0


def test_a_pull_that_another_worker_is_at_is_left_alone(city: CityHub):
    """A person's pull beside the DAG's must not mix its pages into the same landing."""
    engine = city.hub.engine
    running = begin_transfer(
        engine, "market", "enterprise", window=Window(since=None, until=datetime.now(BEIJING))
    )
    with held(engine, running):
        other = pipeline.pull(city.hub, "enterprise")

    assert str(running) != other.landing_id
    assert "pulling" == city.one("SELECT state FROM hub.transfer WHERE landed_at IS NULL")


def test_a_pull_whose_worker_is_gone_is_continued(city: CityHub):
    """The same row, and nobody holds it any more."""
    engine = city.hub.engine
    orphan = begin_transfer(
        engine, "market", "enterprise", window=Window(since=None, until=datetime.now(BEIJING))
    )

    assert str(orphan) == pipeline.pull(city.hub, "enterprise").landing_id


def test_a_further_try_of_a_run_takes_what_the_lost_one_landed(city: CityHub):
    """Airflow may lose a worker after its last page; no landing may stay that nobody loads."""
    lost = pipeline.pull(city.hub, "sale_contract", run_id="scheduled__1")

    again = pipeline.pull(city.hub, "sale_contract", run_id="scheduled__1")
    for dataset in again.datasets:
        pipeline.load(city.hub, again.landing_id, dataset)

    assert lost == again
    assert 0 == city.one("SELECT count(*) FROM hub.transfer WHERE state <> 'finished'")


def test_a_run_that_has_loaded_pulls_anew_when_it_is_asked_again(city: CityHub):
    """An operator who clears a finished run wants the department to be asked."""
    first = pipeline.pull(city.hub, "house_unit", run_id="manual__1")
    pipeline.load(city.hub, first.landing_id, "house_unit")

    again = pipeline.pull(city.hub, "house_unit", run_id="manual__1")
    other = pipeline.pull(city.hub, "house_unit", run_id="manual__2")

    assert 3 == len({first.landing_id, again.landing_id, other.landing_id})


def test_a_further_try_waits_while_the_earlier_one_of_its_run_lives(city: CityHub):
    """Given up by Airflow is not dead; the other runs go on as ever."""
    window = Window(since=None, until=datetime.now(BEIJING))
    earlier = begin_transfer(
        city.hub.engine, "housing", "house_unit", window=window, run_id="scheduled__1"
    )

    with held(city.hub.engine, earlier):
        with pytest.raises(LeaseHeld, match="earlier try of this run"):
            pipeline.pull(city.hub, "house_unit", run_id="scheduled__1")
        other = pipeline.pull(city.hub, "house_unit", run_id="scheduled__2")

    assert str(earlier) != other.landing_id


@pytest.mark.parametrize("kind", ["error500", "reset_before", "too_many", "error_in_200"])
def test_a_passing_fault_is_ridden_out(city: CityHub, kind: str):
    """One failing call in the middle of a window does not show in the result."""
    city.town.fault("market", kind, count=1, seconds=0.1, match="enterprises")

    (loaded,) = city.pull("enterprise")

    assert loaded.read == loaded.new + loaded.quarantined + loaded.duplicate > 0


def test_an_unreachable_department_fails_clearly_and_others_go_on(city: CityHub):
    """The transfer says why; another department's transfer is not touched."""
    path = city.settings.connections_dir / "tax.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(city.town.url("tax"), "http://127.0.0.1:9"), encoding="utf-8")

    with pytest.raises(RetryLater, match="tax"):
        city.pull("taxpayer")
    (loaded,) = city.pull("right_status")

    assert loaded.new > 0
    code = city.one("SELECT error_code FROM hub.transfer WHERE dataset = 'taxpayer'")
    assert code.startswith("retry.")


def test_a_wrong_password_is_fatal(city: CityHub):
    """Trying again cannot help, so nothing is tried again."""
    path = city.settings.connections_dir / "tax.json"
    account = city.town.account("tax")
    text = path.read_text(encoding="utf-8").replace(account["password"], "wrong")
    path.write_text(text, encoding="utf-8")

    with pytest.raises(AuthenticationRefused):
        city.pull("taxpayer")


def test_a_missing_connection_is_named(city: CityHub):
    """The message says where it was looked for."""
    (city.settings.connections_dir / "market.json").unlink()

    with pytest.raises(CredentialsMissing, match=r"market\.json"):
        city.pull("enterprise")


def test_a_maintenance_page_with_status_200_is_not_taken_for_data(city: CityHub):
    """An HTML page is no answer of a department."""
    city.town.fault("housing", "maintenance", count=50)

    with pytest.raises((AnswerUnreadable, RetryLater)):
        city.pull("house_unit")

    assert 0 == city.one("SELECT count(*) FROM data.house_unit_v1")


def test_an_answer_that_cannot_be_read_is_kept_for_evidence(city: CityHub):
    """Sealed beside the landed pages, with the code of its trouble in the transfer."""
    city.town.fault("tax", "maintenance", count=50)

    with pytest.raises(AnswerUnreadable):
        city.pull("taxpayer")

    found = city.rows("SELECT transfer_id, error_code FROM hub.transfer WHERE dataset='taxpayer'")
    landing = city.hub.landing.landing("tax", "taxpayer", str(found[0]["transfer_id"]))
    assert "fatal.answer_is_web_page" == found[0]["error_code"]
    assert any(b"<html" in body.lower() for body in landing.unreadable())


def test_a_backfill_of_an_old_window_does_not_move_the_cursor(city: CityHub):
    """The cursor never jumps over a gap and never goes back."""
    city.pull("enterprise")
    before = read_cursor(city.hub.engine, "market", "enterprise")
    assert before is not None
    old = before.astimezone(BEIJING).replace(year=before.year - 2)

    pipeline.transfer(city.hub, "enterprise", window=Window(since=old, until=old.replace(day=28)))

    assert before == read_cursor(city.hub.engine, "market", "enterprise")


def test_a_window_behind_a_gap_does_not_move_the_cursor(city: CityHub):
    """Rows between the cursor and the window were not read, so they are not behind us."""
    now = datetime.now(BEIJING).replace(microsecond=0)
    early, late = now - timedelta(days=200), now - timedelta(days=100)
    pipeline.transfer(city.hub, "enterprise", window=Window(since=None, until=early))

    pipeline.transfer(city.hub, "enterprise", window=Window(since=late, until=now))

    assert early == read_cursor(city.hub.engine, "market", "enterprise")
