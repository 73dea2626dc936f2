"""Questions to people: heard by the triggerer, answered in Airflow, written down by name."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from tongban.evidence.log import append_approval, export
from tongban.orchestration.approval_watch import QuestionAsked
from tongban.orchestration.approvals import APPROVE, REJECT, Question
from tongban.store import approvals
from tongban.store.engine import open_engine, transaction
from tongban.store.migrate import migrate

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def engine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A hub's database, found by the environment as in production."""
    monkeypatch.setenv("TONGBAN_DATABASE_URL", database_url)
    monkeypatch.setenv("TONGBAN_HOME", str(tmp_path / "home"))
    engine = open_engine(database_url)
    migrate(engine)
    yield engine
    engine.dispose()


def ask(engine: Any, subject: str = "sale_contract/2.0.0") -> Any:
    """One question."""
    with transaction(engine) as conn:
        return approvals.ask(conn, "contract_version", subject, "1 field less", owner="housing")


def question(approval_id: Any) -> Question:
    """The task that shows it."""
    return Question(
        task_id="decide",
        root=str(REPOSITORY),
        question={
            "approval_id": str(approval_id),
            "kind": "contract_version",
            "subject": "sale_contract/2.0.0",
            "owner": "housing",
            "reason": "1 field less",
        },
    )


def answer(option: str, note: str = "") -> dict[str, Any]:
    """What Airflow gives when somebody has answered."""
    return {
        "chosen_options": [option],
        "params_input": {"note": note},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "7", "name": "li.si"},
    }


@pytest.mark.parametrize(("option", "expected"), [(APPROVE, "approved"), (REJECT, "rejected")])
def test_an_answer_is_written_down_with_the_users_name(engine: Any, option: str, expected: str):
    """And goes to the evidence log."""
    done = question(ask(engine)).execute_complete({}, answer(option, "by telephone"))

    with transaction(engine) as conn:
        (row,) = approvals.listed(conn)
    assert expected == done["decision"] == row["state"]
    assert ("li.si", "by telephone") == (row["decided_by"], row["note"])
    assert f'"decision":"{expected}"' in list(export(engine))[-1]


def test_a_question_that_a_command_has_decided_is_skipped(engine: Any):
    """The first answer stands; the task shows as skipped."""
    asked = ask(engine)
    with transaction(engine) as conn:
        approvals.decide(conn, asked, "rejected", by="wang.wu", note=None, evidence=append_approval)

    with pytest.raises(AirflowSkipException, match=r"was rejected by wang\.wu"):
        question(asked).execute_complete({}, answer(APPROVE))

    with transaction(engine) as conn:
        assert "rejected" == approvals.state(conn, "contract_version", "sale_contract/2.0.0")


def test_a_question_that_nobody_knows_is_skipped(engine: Any):
    """A database that was restored has lost it."""
    with pytest.raises(AirflowSkipException, match="is unknown"):
        question(uuid4()).execute_complete({}, answer(APPROVE))


def test_the_triggerer_hears_old_and_new_questions(engine: Any):
    """One event for what waits already, one for each that comes; no address is serialized."""
    ask(engine)

    async def heard() -> list[Any]:
        trigger = QuestionAsked()
        events = trigger.run()
        first = await asyncio.wait_for(anext(events), timeout=20)
        await asyncio.to_thread(ask, engine, "house_unit/2.0.0")
        second = await asyncio.wait_for(anext(events), timeout=20)
        await events.aclose()
        await trigger.cleanup()
        return [first.payload, second.payload]

    assert [{"unshown": 1}, {"kind": "contract_version"}] == asyncio.run(heard())
    assert {} == QuestionAsked().serialize()[1]


def test_the_triggerer_waits_for_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch):
    """It goes on by itself; a trigger that ended would never be missed."""
    monkeypatch.setenv("TONGBAN_DATABASE_URL", "postgresql://nobody:none@127.0.0.1:9/none")

    async def hear() -> Any:
        return await asyncio.wait_for(anext(QuestionAsked().run()), timeout=1.0)

    with pytest.raises(TimeoutError):
        asyncio.run(hear())
