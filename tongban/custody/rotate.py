"""Rotate: give a dataset new data keys and bring every stored envelope under them.

    plan      one new key for each year that has keys           (progress row)
    keys      the new keys are made; what is written now is sealed under them
    reseal    history, table, quarantine in chunks, as often as envelopes of old keys are found
    count     no column names an old key any more
    retire    the old keys seal nothing; the log of evidence says so

Killed anywhere, the next call goes on there. Rotation never mixes years: what was sealed in 2024
stays under a key of 2024, so that this year can still be shredded alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tongban.custody import jobs
from tongban.custody.landings import count_landings, reseal_landings
from tongban.custody.places import Place, places_of
from tongban.custody.reseal import Exchange, count, reseal
from tongban.evidence.log import append_fact
from tongban.kernel.errors import Fatal
from tongban.protect.keyfiles import KeyFacts
from tongban.protect.keyring import HUB_SCOPE
from tongban.store.engine import transaction

if TYPE_CHECKING:
    from tongban.hub import Hub

PASSES = 5


class OldKeyInUse(Fatal):
    """Envelopes of an old key keep coming; a worker did not notice the new one."""

    code = "fatal.old_key_in_use"


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did.

    Attributes:
        rows: Rows (and landed pages) that were sealed anew, in all runs of this job.
        broken: Rows whose envelopes do not verify; they and their key stay as they are.
        remaining: Envelopes that still name an old key: the broken ones.
        retired, active: Names of keys.
    """

    scope: str
    rows: int
    broken: int
    remaining: int
    retired: tuple[str, ...]
    active: tuple[str, ...]


def rotate(hub: Hub, scope: str) -> Rotated | None:
    """Rotate the keys of a dataset, or of `hub`; None when the scope has no key yet.

    Raises:
        OldKeyInUse: After five passes something still seals with an old key.
        KeyUnknown: An envelope names a key that the ring has not.
        KeyJobRunning: A shredding of this scope is not finished.
        DatabaseUnavailable: Safe to call again; it goes on where it was.
    """
    engine, keyring = hub.engine, hub.keyring
    if not keyring.active_keys(scope):
        return None
    job = jobs.begin(engine, "rotate", scope, lambda: _plan(hub, scope))
    for name in job.plan["new"].values():
        keyring.make(name)
    exchange, old = _exchange(hub, job)
    with transaction(engine) as conn:
        places = places_of(conn, scope)
    broken = 0
    for _ in range(PASSES):
        broken = reseal(engine, keyring, job, places, exchange)
        pages = reseal_landings(hub.landing, keyring, exchange) if scope == HUB_SCOPE else 0
        counts = _counts(hub, places, exchange, scope)
        if pages:
            with transaction(engine) as conn:
                jobs.move(conn, job, places[-1].name, None, pages)
        if sum(counts.values()) == 0 or broken:
            return _close(hub, job, old, counts, broken)
        with transaction(engine) as conn:
            jobs.hold(conn, job)
            jobs.move(conn, job, places[0].name, None, 0)
    raise OldKeyInUse(
        f"keys of {scope}: envelopes of an old key keep coming after {PASSES} passes; restart the "
        "workers so that they see the folder of keys, then rotate again",
        scope=scope,
    )


def _plan(hub: Hub, scope: str) -> jobs.Document:
    """One new key for every year that has active keys."""
    periods = sorted({key.period for key in hub.keyring.active_keys(scope)})
    return {"new": {period: hub.keyring.next_name(scope, period) for period in periods}}


def _exchange(hub: Hub, job: jobs.Job) -> tuple[Exchange, list[KeyFacts]]:
    """Every older key of the scope, retired ones too, gives way to the new one of its year."""
    facts = [key for key in hub.keyring.files.facts(job.scope) if key.state != "shredded"]
    new = {key.period: key for key in facts if key.name in job.plan["new"].values()}
    old = [key for key in facts if key.period in new and key.number < new[key.period].number]
    keys = {key.key_id: hub.keyring.sealing_with(new[key.period].key_id) for key in old}
    return Exchange(keys), old


def _counts(hub: Hub, places: Sequence[Place], exchange: Exchange, scope: str) -> dict[str, int]:
    """Envelopes of old keys in every place: the proof that they may be retired."""
    with transaction(hub.engine) as conn:
        counts = count(conn, places, exchange.keys)
    if scope == HUB_SCOPE:
        counts["landings"] = count_landings(hub.landing, exchange)
    return counts


def _close(
    hub: Hub, job: jobs.Job, old: Sequence[KeyFacts], counts: dict[str, int], broken: int
) -> Rotated:
    """Retire what nothing names, and write it into the log of evidence."""
    remaining = sum(counts.values())
    retired: list[str] = []
    if remaining == 0:
        for key in old:
            hub.keyring.retire(key.name, {"job": str(job.job_id), "counted": counts})
            retired.append(key.name)
    with transaction(hub.engine) as conn:
        rows = jobs.rows_of(conn, job)
        subject: dict[str, Any] = {
            "job": str(job.job_id),
            "scope": job.scope,
            "rows": rows,
            "broken": broken,
            "retired": sorted(f"{key.key_id:08x}" for key in old) if remaining == 0 else [],
            "new": sorted(job.plan["new"].values()),
            "suite": hub.keyring.suite.name,
            "counted": counts,
        }
        if jobs.finish(conn, job, subject):
            append_fact(conn, "key_rotation", subject)
    return Rotated(
        scope=job.scope,
        rows=rows,
        broken=broken,
        remaining=remaining,
        retired=tuple(retired),
        active=tuple(key.name for key in hub.keyring.active_keys(job.scope)),
    )
