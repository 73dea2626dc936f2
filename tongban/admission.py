"""Admission: a breaking version of a contract waits for a person before its first load.

Asked once per version (`contract_version`, `<dataset>@<version>`), shown by Airflow and by
`tongban approvals`. Until somebody approves, the older major goes on alone; the first load after
the approval reads the whole source, so nothing is lost. The majors that a new installation begins
with need nobody.
"""

from __future__ import annotations

from sqlalchemy import text

from tongban.changes import compare, read_facts
from tongban.hub import Hub
from tongban.kernel.catalog import PushRoute
from tongban.kernel.contract_terms import major_name
from tongban.kernel.contracts import Contract
from tongban.kernel.errors import Fatal
from tongban.store import approvals
from tongban.store.engine import transaction
from tongban.store.tables import PENDING_STATES

KIND = "contract_version"
MOST_NAMED = 8

_IS_LOADED = text("""
    SELECT EXISTS (SELECT FROM hub.transfer
                    WHERE system = ANY(CAST(:systems AS text[])) AND direction = 'pull'
                      AND dataset = ANY(CAST(:datasets AS text[])) AND state = 'finished')
""")

_HAND_OVER = text("""
    UPDATE hub.outbox SET state = 'superseded', closed_at = now()
     WHERE target = :target AND dataset = ANY(CAST(:datasets AS text[]))
       AND state = ANY(CAST(:states AS text[]))
""")


class MajorNotAdmitted(Fatal):
    """A breaking contract version waits for a person's approval, or was rejected."""

    code = "fatal.major_not_admitted"

    @property
    def outcome(self) -> str:
        """`waiting_for_approval` or `rejected`."""
        return str(self.context["outcome"])


def admit(hub: Hub, dataset: str) -> None:
    """Let a dataset be loaded, or ask a person whether it may.

    Raises:
        MajorNotAdmitted: Nobody has approved this version yet, or somebody has rejected it.
    """
    contract = hub.catalog.contract(dataset)
    if contract.major == 1 or not _is_new(hub, contract):
        return
    subject = f"{contract.name}@{contract.version}"
    with transaction(hub.engine) as conn:
        state = approvals.state(conn, KIND, subject)
        if state is None:
            approvals.ask(conn, KIND, subject, _reason(hub, contract), owner=contract.owner)
    if state == "rejected":
        raise MajorNotAdmitted(
            f"contract {subject}: rejected; nothing is loaded under it. Take it away, or raise its "
            "version to ask again",
            outcome="rejected",
        )
    if state != "approved":
        raise MajorNotAdmitted(
            f"contract {subject}: a breaking version waits for approval before its first load; "
            "decide it in Airflow (approvals) or with `tongban approve`",
            outcome="waiting_for_approval",
        )


def is_admitted(hub: Hub, dataset: str) -> bool:
    """Whether a dataset may be loaded; asks nobody."""
    contract = hub.catalog.contract(dataset)
    if contract.major == 1 or not _is_new(hub, contract):
        return True
    with transaction(hub.engine) as conn:
        subject = f"{contract.name}@{contract.version}"
        return approvals.state(conn, KIND, subject) == "approved"


def hand_over(hub: Hub, route: PushRoute) -> int:
    """Close what waits for a target under majors that it reads no more; give how many rows.

    Done once the major that it reads now has been loaded, since that load queued every record
    again in its new form.
    """
    catalog = hub.catalog
    own = catalog.name_of(route.dataset)
    files = catalog.contract_files.get(own, {})
    read = {r.dataset for r in catalog.push_routes if r.target == route.target}
    left = sorted({major_name(own, major) for major in files} - read)
    if not left:
        return 0
    systems = list(catalog.providers(route.dataset))
    with transaction(hub.engine) as conn:
        facts = {"systems": systems, "datasets": [route.dataset]}
        if not conn.execute(_IS_LOADED, facts).scalar_one():
            return 0
        closed = {"target": route.target, "datasets": left, "states": list(PENDING_STATES)}
        return conn.execute(_HAND_OVER, closed).rowcount


def _is_new(hub: Hub, contract: Contract) -> bool:
    """Whether this major was never loaded, but an older one was."""
    older = [major_name(contract.name, major) for major in range(1, contract.major)]
    systems = {name for m in (contract.dataset, *older) for name in hub.catalog.providers(m)}
    facts = {"systems": sorted(systems), "datasets": [contract.dataset]}
    with transaction(hub.engine) as conn:
        if conn.execute(_IS_LOADED, facts).scalar_one():
            return False
        return bool(conn.execute(_IS_LOADED, {**facts, "datasets": older}).scalar_one())


def _reason(hub: Hub, contract: Contract) -> str:
    """What breaks for whom, from the words of both contracts."""
    files = hub.catalog.contract_files[contract.name]
    before = max((m for m in files if m < contract.major), default=None)
    if before is None:
        return f"{contract.label}: version {contract.version} follows one that is gone"
    root, codes = hub.catalog.root, hub.catalog.codes
    old, new = (read_facts(files[m], codes, root=root) for m in (before, contract.major))
    breaking = [change for change in compare(old, new).changes if change.breaks]
    named = [f"{change.subject} ({change.kind})" for change in breaking[:MOST_NAMED]]
    more = f" and {len(breaking) - MOST_NAMED} more" if len(breaking) > MOST_NAMED else ""
    beside = f"{contract.label}: version {contract.version} beside v{before}"
    if not breaking:
        return f"{beside}; nobody breaks by what changes"
    return (
        f"{beside}; what changes so that somebody breaks ({len(breaking)}): "
        f"{', '.join(named)}{more}"
    )
