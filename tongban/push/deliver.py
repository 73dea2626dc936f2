"""Deliver: claim → open → map → send → record, until nothing is due for one target and dataset.

The outbox rows stay locked while their batches are on the way, and their answers are committed
together. Death at any point leaves rows that go out again with the same guid; the receiver's
own duplicate answer then closes them. What may be on its way is committed before it goes
(`tongban.push.marks`), so that the next worker knows which versions a target may have.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import polars as pl
from sqlalchemy import Connection, Engine

from tongban.evidence.transfers import begin_transfer, fail_transfer
from tongban.kernel.catalog import Catalog, PushRoute
from tongban.kernel.errors import Fatal
from tongban.push.marks import any_left_behind, mark, settle_left_behind
from tongban.push.outbox import claim, seconds_until_due
from tongban.push.payload import compile_push
from tongban.push.receipts import ANSWERS, PARK_AFTER, record_answers
from tongban.push.rows import Vault
from tongban.push.sending import (
    Answer,
    Channel,
    Outgoing,
    Sender,
    prepare,
    send_batch,
    size_of,
)
from tongban.store.engine import transaction
from tongban.store.leaves import NO_DIGEST, RECEIPTS, VERSION_LENGTH
from tongban.store.transfers import add_counts
from tongban.targets.push_xsd import PushCheck, speaks_xml

ROWS_PER_CLAIM = 5000  # at least one batch; what a death in between sends once more
CLAIM_LASTS_S = 60  # a slow target gets smaller claims: its rows stay locked meanwhile
WORKERS = 2  # of a run that has more than one claim to send
SHORTEST_SLEEP_S = 0.05


class RowsParked(Fatal):
    """Records were tried for 72 hours in vain; they wait for a person, the run says so at once."""

    code = "fatal.rows_parked"


Evidence = Callable[[Connection, dict[str, Any], Sequence[bytes]], None]


@dataclass(frozen=True, slots=True)
class PushCounts:
    """What one run delivered.

    Attributes:
        sent: Records that went out; accepted + duplicate + rejected + waiting + unclear.
        waiting: Refused for now, since their parent is not there yet.
        unclear: Went out, answer unknown; they go out again with the same guid.
        withheld: Kept back by the mapping's `where`.
        parked: Tried for too long; a person must look. They count as what they were before.
    """

    sent: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    waiting: int = 0
    unclear: int = 0
    superseded: int = 0
    withheld: int = 0
    parked: int = 0

    def __add__(self, other: PushCounts) -> PushCounts:
        return PushCounts(*(getattr(self, n) + getattr(other, n) for n in _COUNTED))


_ANSWER_FIELDS = ("guid", "version", "state", "receipt_no", "code", "digest", "sealed", "op")
_COUNTED = tuple(PushCounts.__dataclass_fields__)


@dataclass(slots=True)
class _Run:
    """One delivery run of one route."""

    engine: Engine
    channel: Channel
    evidence: Evidence | None
    park_after: timedelta
    run_id: str | None
    transfer_id: UUID | None = None
    line: threading.Lock = field(default_factory=threading.Lock)

    @property
    def rows_per_claim(self) -> int:
        """Whole batches, and at least one."""
        return self.channel.batch * max(1, ROWS_PER_CLAIM // self.channel.batch)


def deliver(
    engine: Engine,
    vault: Vault,
    catalog: Catalog,
    route: PushRoute,
    sender: Sender,
    *,
    limit: int | None = None,
    patience_s: float = 0.0,
    evidence: Evidence | None = None,
    park_after: timedelta = PARK_AFTER,
    run_id: str | None = None,
) -> PushCounts:
    """Send what is due in the outbox of one route.

    Args:
        engine: From `open_engine`.
        vault: Opens what has to be sent.
        catalog: For the push mapping, its contracts and code tables, and the target's batch size.
        route: Target and dataset.
        sender: Connector of the target.
        limit: Stop after about so many records.
        patience_s: Wait so long for rows that are to be tried again soon (a parent that is on
            its way, a lost answer); 0 leaves them to the next run.
        evidence: Called in each transaction with the facts and one digest per answer.
        park_after: How long undelivered rows are tried again.
        run_id: Who caused it, for the transfers page.

    Raises:
        RetryLater: The target did not answer; every answer that came is recorded.
        RowsParked: Some rows were tried for too long; all else was done.
        Fatal: The target's answer cannot be used, or our identity was refused.
    """
    mapping = catalog.push_mapping(route.target, route.dataset)
    names = [mapping.dataset, *(child.dataset for child in mapping.children.values())]
    contracts = {name: catalog.contract(name) for name in names}
    system = catalog.system(route.target)
    accepted = system.accepts[route.dataset]
    run = _Run(
        engine=engine,
        channel=Channel(
            target=route.target,
            dataset=route.dataset,
            plan=compile_push(mapping, contracts, catalog.codes, vault.mask),
            sender=sender,
            vault=vault,
            batch=accepted.batch,
            check=(
                PushCheck.of(mapping, contracts, catalog.codes)
                if speaks_xml(system, accepted)
                else None
            ),
        ),
        evidence=evidence,
        park_after=park_after,
        run_id=run_id,
    )
    total = PushCounts()
    until = time.monotonic() + patience_s
    try:
        while limit is None or total.sent < limit:
            most = run.rows_per_claim
            done = _claim_and_send(run, most if limit is None else min(most, limit - total.sent))
            if limit is None and done is not None and done.sent == most:
                done += _side_by_side(run)
            total += done or PushCounts()
            if isinstance(run.channel.failure, Fatal):
                break
            if (done is None or run.channel.failure is not None) and not _wait(run, until):
                break
            run.channel.failure = None
    finally:
        _finish(run)
    if total.parked:
        raise RowsParked(
            f"{route.target}/{route.dataset}: {total.parked} records had no answer for "
            f"{park_after.total_seconds() / 3600:.0f} h and are parked; nothing is lost, see to "
            "the target, then queue them again (the maintenance run does it once a day)",
            target=route.target,
            dataset=route.dataset,
            parked=total.parked,
        ) from run.channel.failure
    if run.channel.failure is not None:
        raise run.channel.failure
    return total


def _side_by_side(run: _Run) -> PushCounts:
    """Go on with two workers until nothing is due: one sends while the other is in the database.

    Only one reads rows and sends at a time, so the target is asked no more than by one worker,
    and two busy threads do not hand the interpreter to and fro for every packet of rows.
    """
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="push") as pool:
        workers = [pool.submit(_work, run) for _ in range(WORKERS)]
    total = PushCounts()
    for worker in workers:
        total += worker.result()
    return total


def _work(run: _Run) -> PushCounts:
    """Claim after claim, until nothing is due or something failed."""
    total = PushCounts()
    while run.channel.failure is None:
        done = _claim_and_send(run, run.rows_per_claim)
        if done is None:
            break
        total += done
    return total


class _LeftBehind(Exception):
    """A worker died with rows of this route on their way; they are settled before any claim."""


def _claim_and_send(run: _Run, rows: int) -> PushCounts | None:
    """One claim: its answers are committed together; None when nothing is due."""
    while True:
        try:
            return _one_claim(run, rows)
        except _LeftBehind:
            settle_left_behind(run.engine, run.channel.target, run.channel.dataset)


def _one_claim(run: _Run, rows: int) -> PushCounts | None:
    """Claim, send and record in one transaction.

    Raises:
        _LeftBehind: What was claimed may be of a dead worker; nothing was done.
    """
    target, dataset = run.channel.target, run.channel.dataset
    with transaction(run.engine) as conn:
        found = claim(conn, target, dataset, run.channel.plan.main.contract.table, rows)
        if found.is_empty:
            return None
        if any_left_behind(conn, target, dataset):  # after the claim: its locks are ours now
            raise _LeftBehind
        if found.rows == 0:
            return PushCounts(superseded=found.superseded)
        with run.line:
            going = prepare(run.channel, conn)
            if going.records:
                mark(run.engine, conn, target, dataset, going.records)
            _send_all(run.channel, going)
        return _record(run, conn, going) + PushCounts(superseded=found.superseded)


def _send_all(channel: Channel, going: Outgoing) -> None:
    """Send batch after batch until one fails or the claim has lasted long enough."""
    until = time.monotonic() + CLAIM_LASTS_S
    at = 0
    while at < len(going.records) and channel.failure is None:
        size = size_of(channel, going, at)
        send_batch(channel, going, at, size)
        at += size
        if time.monotonic() >= until:
            break


def _record(run: _Run, conn: Connection, going: Outgoing) -> PushCounts:
    """Answers, counts and evidence, in the transaction that holds the claim."""
    if not going.answers:
        return PushCounts()
    counts = _counted(Counter(answer.state for answer in going.answers))
    if run.transfer_id is None and counts.sent:  # before there is a second worker
        run.transfer_id = begin_transfer(
            run.engine,
            run.channel.target,
            run.channel.dataset,
            direction="push",
            contract_version=run.channel.plan.main.contract.version,
            run_id=run.run_id,
        )
    target, dataset = run.channel.target, run.channel.dataset
    answers = _as_frame(going.answers, run.channel.vault)
    answers, parked = record_answers(
        conn, target, dataset, answers, run.transfer_id, park_after=run.park_after
    )
    counts = _counted(Counter(answers["state"].to_list())) + PushCounts(parked=parked)
    if run.transfer_id is None:
        return counts
    added = {
        "pushed_rows": counts.sent,
        "acknowledged_rows": counts.accepted + counts.duplicate,
        "rejected_rows": counts.rejected,
        "waiting_rows": counts.waiting,
        "unclear_rows": counts.unclear,
    }
    add_counts(conn, run.transfer_id, added, is_last=False)
    if run.evidence is not None:
        subject = {"transfer": str(run.transfer_id), "target": target, "dataset": dataset, **added}
        run.evidence(conn, subject, _leaves(answers))
    return counts


def _finish(run: _Run) -> None:
    """Close the push transfer, with the reason when it ended early."""
    if run.transfer_id is None:
        return
    if run.channel.failure is not None:
        code, message = run.channel.failure.code, str(run.channel.failure)
        fail_transfer(run.engine, run.transfer_id, code=code, message=message)
        return
    with transaction(run.engine) as conn:
        add_counts(conn, run.transfer_id, {}, is_last=True)


def _wait(run: _Run, until: float) -> bool:
    """Sleep until the next row is due; False when none is before our patience ends."""
    if time.monotonic() >= until:
        return False
    with transaction(run.engine) as conn:
        due_s = seconds_until_due(conn, run.channel.target, run.channel.dataset)
    if due_s is None or time.monotonic() + due_s > until:
        return False
    time.sleep(max(due_s, SHORTEST_SLEEP_S))
    return True


def _counted(by_state: Counter[str]) -> PushCounts:
    """Answers by outcome; what was kept back or did not go out is not `sent`."""
    return PushCounts(
        sent=by_state.total() - by_state["withheld"] - by_state["queued"],
        accepted=by_state["accepted"],
        duplicate=by_state["duplicate"],
        rejected=by_state["rejected"],
        waiting=by_state["waiting_parent"],
        unclear=by_state["sent"],
        withheld=by_state["withheld"],
    )


def _as_frame(answers: Sequence[Answer], vault: Vault) -> pl.DataFrame:
    """Answers as columns; a document's digest is stored keyed."""
    told = zip(*answers, strict=True)
    columns: dict[str, Sequence[Any]] = dict(zip(Answer._fields, told, strict=True))
    columns["digest"] = vault.keyed_all(columns["digest"])
    named = [columns[name] for name in _ANSWER_FIELDS]
    return pl.DataFrame(dict(zip(ANSWERS, named, strict=True)), schema=ANSWERS)


def _leaves(answers: pl.DataFrame) -> list[bytes]:
    """What the evidence keeps of each answer, in the form of `tongban.store.leaves`."""
    names = answers["record_id"].str.replace_all("-", "", literal=True)
    columns = (
        names.str.decode("hex").to_list(),
        answers["version"].to_list(),
        answers["digest"].to_list(),
        answers["state"].to_list(),
    )
    return [
        record + version.to_bytes(VERSION_LENGTH, "big") + (digest or NO_DIGEST) + RECEIPTS[state]
        for record, version, digest, state in zip(*columns, strict=True)
    ]
