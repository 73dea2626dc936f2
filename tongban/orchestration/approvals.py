"""The approvals DAG: each question that waits is a required action in Airflow's UI.

`ask` takes the questions that no task shows yet; per question one task waits for a person and
writes the answer with the user's name, and one carries out what was approved. Waiting costs no
process (`awaiting_input`), and runs stand side by side, since each waits for its own people.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, Asset, AssetAlias, AssetOrTimeSchedule, AssetWatcher, Param, task
from airflow.sdk import task_group as grouped
from airflow.sdk.exceptions import AirflowSkipException

from tongban.orchestration import deadlines, documents, schedules
from tongban.orchestration.approval_watch import QuestionAsked
from tongban.orchestration.assets import GROUP, dataset_asset
from tongban.orchestration.pools import LOAD_POOL
from tongban.orchestration.runtime import hub_of, loaded_counts

DAG_ID = "approvals"
DAILY = "50 8 * * *"  # before office hours: what nobody answered in 14 days is shown again
APPROVE, REJECT = "批准 approve", "驳回 reject"
PAGE = """### 审批 · approvals
被拒批次、大量删除、漂移停载、契约不兼容变更，都在这里等人决定：打开“需要的操作”，阅读原因，批准或驳回。
决定与用户名写入存证日志；批准后自动继续。命令行：`bin/tongban approvals`、`bin/tongban approve`。

Refused batches, mass deletes, frozen batches and breaking contract versions wait here for a person:
open the required actions, read the reason, approve or reject. The decision and the user's name go
to the evidence log; what was approved goes on by itself.
"""

Document = dict[str, Any]
DUE = AssetAlias(name="tongban_due", group=GROUP)


def build_approvals_dag(root: Path) -> DAG:
    """`approvals`: ask → (decide → carry_out) per question."""
    asked = Asset(
        name="approval_asked",
        uri="tongban://hub/approval",
        group=GROUP,
        watchers=[AssetWatcher(name="approval_watch", trigger=QuestionAsked())],
    )
    with DAG(
        dag_id=DAG_ID,
        dag_display_name="等待人工决定",
        description="等待人工决定 / decisions of people",
        schedule=AssetOrTimeSchedule(timetable=schedules.every(DAILY), assets=[asked]),
        doc_md=PAGE,
        tags=documents.tags("hub", DAG_ID, "hub"),
        deadline=deadlines.alert(schedules.DECISION_LIMIT),
        **schedules.common(max_active_runs=schedules.DECISIONS_AT_ONCE),
    ) as dag:
        _question_group(root).expand(question=_ask_task(root)())
    return dag


class Question(HITLOperator):
    """Show one question, wait for the answer, and write it down with the user's name."""

    template_fields = ("question",)

    def __init__(self, *, question: Any, root: str, **kwargs: Any) -> None:
        kwargs["params"] = {"note": Param("", type="string", description="理由 / why")}
        super().__init__(subject="approval", options=[APPROVE, REJECT], **kwargs)
        self.question = question
        self.root = root

    def execute(self, context: Any) -> Any:
        """Put the question's words where the UI shows them, then wait."""
        self.subject = f"{self.question['kind']}: {self.question['subject']}"
        self.body = f"{self.question['owner']}: {self.question['reason']}"
        return super().execute(context)

    def execute_complete(self, context: Any, event: Document) -> Document:
        """Write the decision down; one that a command has made already stands."""
        from tongban.store import approvals

        answer = super().execute_complete(context, event)
        wanted = "approved" if answer["chosen_options"] == [APPROVE] else "rejected"
        user = answer["responded_by_user"] or {}
        note = str(answer["params_input"].get("note") or "")
        by = str(user.get("name") or user.get("id") or "")
        try:
            with hub_of(Path(self.root)) as hub:
                self._decide(hub, wanted, by, note)
        except approvals.ApprovalClosed as exc:
            raise AirflowSkipException(str(exc)) from None
        return {**self.question, "decision": wanted}

    def _decide(self, hub: Any, decision: Any, by: str, note: str) -> None:
        from tongban.evidence.log import append_approval
        from tongban.store import approvals
        from tongban.store.engine import transaction

        with transaction(hub.engine) as connection:
            approvals.decide(
                connection,
                UUID(self.question["approval_id"]),
                decision,
                by=by,
                note=note or None,
                evidence=append_approval,
            )


def _ask_task(root: Path) -> Any:
    """The task that finds what to ask."""

    @task(task_id="ask", execution_timeout=schedules.MAINTENANCE_LIMIT, multiple_outputs=False)
    def ask(*, run_id: str) -> list[Document]:
        """Take the questions that no run shows yet: names, ids and counts."""
        from tongban.store import approvals
        from tongban.store.engine import transaction

        with hub_of(root) as hub, transaction(hub.engine) as connection:
            rows = approvals.show(connection, run_id)
        return [{name: str(value) for name, value in row.items()} for row in rows]

    return ask


def _question_group(root: Path) -> Any:
    """Both tasks of one question; questions do not wait for each other."""

    @grouped(group_id="question")
    def question_group(question: Any) -> None:
        """Decide, then carry out."""
        decided = Question(
            task_id="decide",
            question=question,
            root=str(root),
            response_timeout=schedules.DECISION_LIMIT,
        )
        _carry_out_task(root)(decided.output)

    return question_group


def _carry_out_task(root: Path) -> Any:
    """The task that goes on with what was approved."""

    @task(
        task_id="carry_out",
        pool=LOAD_POOL,
        execution_timeout=schedules.LOAD_LIMIT,
        multiple_outputs=False,
        outlets=[DUE],
    )
    def carry_out(decided: Document, *, outlet_events: Any) -> Document:
        """Load the landing again, or let its rows go; then start the pushes."""
        from tongban import approved
        from tongban.orchestration import housekeeping

        if decided["decision"] != "approved":
            raise AirflowSkipException("rejected: everything stays as it is")
        with hub_of(root) as hub:
            loaded = approved.carry_out(hub, decided["kind"], decided["subject"])
            due = housekeeping.due_by_dataset(hub)
        for dataset in sorted(due):
            outlet_events[DUE].add(dataset_asset(dataset), extra={"due": due[dataset]})
        return {item.dataset: loaded_counts(item.dataset, item) for item in loaded}

    return carry_out
