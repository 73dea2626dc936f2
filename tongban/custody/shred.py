"""Shred: destroy the keys of a dataset, or of one of its years, with a certificate.

    plan       which keys, who ordered it, what they seal: counted and digested   (progress row)
    stop       the keys seal nothing any more; transactions that began before are waited for
    carry      current records go under the present year's key (or become husks: --with-current)
    husks      history rows lose their body; ids, versions and digests stay for proofs
    landings   raw pages of the time go
    destroy    the key files go, so that every copy and backup of the bodies is unreadable
    certify    certificate and entry in the log of evidence, in one transaction

Killed anywhere, the next call goes on there. There is no way back, which is the purpose.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from tongban.custody import jobs
from tongban.custody.husks import husk_history, husk_records
from tongban.custody.places import Place, places_of
from tongban.custody.quiet import wait_for_writers
from tongban.custody.reseal import Exchange, count, heads_of, reseal
from tongban.evidence.log import append_fact
from tongban.kernel.errors import ConfigInvalid
from tongban.protect.envelope import HEADER_LENGTH
from tongban.protect.keyfiles import SHREDDED, KeyFacts
from tongban.protect.keyring import HUB_SCOPE
from tongban.store.engine import transaction

if TYPE_CHECKING:
    from tongban.hub import Hub

Sign = Callable[[dict[str, Any]], dict[str, Any]]

_CLOSE_REFUSED = f"""
    UPDATE hub.quarantine SET state = 'replaced', closed_at = now()
     WHERE dataset = :dataset AND state = 'open'
       AND substr(row_sealed, 1, {HEADER_LENGTH}) = ANY(:heads)
"""  # noqa: S608 - a number of ours
_LANDINGS = text("""
    SELECT DISTINCT landing FROM hub.transfer
     WHERE dataset = :dataset AND landing IS NOT NULL AND state IN ('finished', 'refused', 'failed')
       AND (CAST(:period AS text) IS NULL
            OR to_char(started_at AT TIME ZONE 'Asia/Shanghai', 'YYYY') = :period)
""")
_FORGET = text("UPDATE hub.transfer SET landing = NULL WHERE landing = ANY(:landings)")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be shredded, and on whose word.

    Attributes:
        period: A year such as 2024; None for all years.
        with_current: Current records go too; otherwise they are carried to the present year.
        ordered_by: Person or role; stands in the certificate.
        reason: Why; stands in the certificate.
    """

    dataset: str
    period: str | None
    with_current: bool
    ordered_by: str
    reason: str


def shred(hub: Hub, order: Order, sign: Sign | None = None) -> dict[str, Any]:
    """Destroy the keys that the order means; gives the certificate.

    A shredding of the dataset that was interrupted is finished first, as it was ordered then.

    Args:
        hub: The opened hub.
        order: What, and on whose word.
        sign: Adds who signed and a signature to the certificate.

    Raises:
        ConfigInvalid: The dataset has no key of that period.
        KeyJobRunning: A rotation of this dataset is not finished.
    """
    job = jobs.begin(hub.engine, "shred", order.dataset, lambda: _plan(hub, order))
    plan = job.plan
    keys = [key for key in hub.keyring.files.facts(job.scope) if key.name in plan["keys"]]
    _stop(hub, job, keys)
    with transaction(hub.engine) as conn:
        places = [p for p in places_of(conn, job.scope) if p.kind != "quarantine"]
    ids = [key.key_id for key in keys]
    if any(hub.keyring.files.path(key.name).exists() for key in keys):
        _empty(hub, job, places, ids)
    _remove_landings(hub, job)
    for key in keys:
        if hub.keyring.files.path(key.name).exists():
            hub.keyring.files.mark(key.name, SHREDDED, {"job": str(job.job_id)})
            hub.keyring.files.destroy(key.name)
    hub.keyring.forget(ids)
    return _certify(hub, job, places, ids, sign)


def planned(hub: Hub, order: Order) -> dict[str, Any]:
    """What a shredding would do: keys and counts, without doing anything."""
    return _plan(hub, order)


def _plan(hub: Hub, order: Order) -> jobs.Document:
    """Keys, counts, and one digest over everything that loses its body."""
    if order.dataset == HUB_SCOPE:
        raise ConfigInvalid(
            "keys of hub seal pages and answers of all datasets; shred a dataset, its pages go too"
        )
    keys = [
        key
        for key in hub.keyring.files.facts(order.dataset)
        if key.state != "shredded" and order.period in {None, key.period}
    ]
    if not keys:
        raise ConfigInvalid(
            f"keys of {order.dataset}: none of the period {order.period or 'any'} is there; "
            "`tongban keys status` lists what there is"
        )
    ids = [key.key_id for key in keys]
    with transaction(hub.engine) as conn:
        places = places_of(conn, order.dataset)
        gone = [p for p in places if p.kind == "history" or _goes(p, order.with_current)]
        digests = {place.name: _digest(conn, place, ids) for place in gone}
        counts = count(conn, places, ids)
    return {
        "keys": [key.name for key in keys],
        "key_ids": [f"{key_id:08x}" for key_id in ids],
        "dataset": order.dataset,
        "period": order.period,
        "with_current": order.with_current,
        "ordered_by": order.ordered_by,
        "reason": order.reason,
        "envelopes": counts,
        "versions": {name: rows for name, (rows, _) in digests.items()},
        "digests": {name: digest for name, (_, digest) in digests.items()},
    }


def _goes(place: Place, with_current: bool) -> bool:  # noqa: FBT001 - one fact of an order
    return with_current and place.kind == "rows"


def _digest(conn: Connection, place: Place, ids: Sequence[int]) -> tuple[int, str]:
    """Rows, and SHA-256 over `record_id:version:row_digest` lines in the order of the key."""
    old = " OR ".join(
        f'substr(t."{column}", 1, {HEADER_LENGTH}) = ANY(:heads)' for column in place.columns
    )
    statement = text(
        f"SELECT record_id, version, row_digest FROM {place.table} t WHERE {old} "  # noqa: S608 - names from the catalogue
        "ORDER BY record_id, version"
    )
    total, rows = hashlib.sha256(), 0
    found = conn.execution_options(yield_per=10_000).execute(statement, {"heads": heads_of(ids)})
    for record_id, version, digest in found:
        total.update(f"{record_id}:{version}:{digest.hex()}\n".encode())
        rows += 1
    return rows, total.hexdigest()


def _stop(hub: Hub, job: jobs.Job, keys: Sequence[KeyFacts]) -> None:
    """Nothing is sealed with these keys any more, and nothing that was is still on its way."""
    for key in keys:
        if key.state == "active":
            hub.keyring.retire(key.name, {"job": str(job.job_id), "reason": "to be shredded"})
    # Again after a crash: the call before may have been killed while it waited.
    if any(hub.keyring.files.path(key.name).exists() for key in keys):
        wait_for_writers(hub.engine)


def _empty(hub: Hub, job: jobs.Job, places: Sequence[Place], ids: Sequence[int]) -> None:
    """Carry current records or take their bodies; take those of the history; close refused rows."""
    heads = heads_of(ids)
    current = [place for place in places if place.kind == "rows"]
    if job.plan["with_current"]:
        for place in current:
            husk_records(hub.engine, place, heads)
    elif current:
        sealing = hub.keyring.sealing_key(job.scope)
        reseal(hub.engine, hub.keyring, job, current, Exchange(dict.fromkeys(ids, sealing)))
    for place in places:
        if place.kind == "history":
            husk_history(hub.engine, place, heads)
    with transaction(hub.engine) as conn:
        conn.execute(text(_CLOSE_REFUSED), {"dataset": job.scope, "heads": heads})


def _remove_landings(hub: Hub, job: jobs.Job) -> None:
    """Raw pages of the time go, whoever else's rows are in them: they can be pulled again."""
    facts = {"dataset": job.scope, "period": job.plan["period"]}
    with transaction(hub.engine) as conn:
        landings = [str(found) for found in conn.execute(_LANDINGS, facts).scalars()]
    for landing in landings:
        hub.landing.landing(*landing.split("/")).delete()
    if landings:
        with transaction(hub.engine) as conn:
            conn.execute(_FORGET, {"landings": landings})


def _certify(
    hub: Hub, job: jobs.Job, places: Sequence[Place], ids: Sequence[int], sign: Sign | None
) -> dict[str, Any]:
    """Count what still names the keys, then certificate and evidence in one transaction."""
    with transaction(hub.engine) as conn:
        remaining = count(conn, places, ids)
        certificate: dict[str, Any] = {
            "certificate": str(job.job_id),
            **{name: value for name, value in job.plan.items() if name != "keys"},
            "destroyed_keys": sorted(job.plan["keys"]),
            "destroyed_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "remaining_envelopes": remaining,
        }
        if sign is not None:
            certificate = sign(certificate)
        if jobs.finish(conn, job, certificate):
            append_fact(conn, "key_shredding", certificate)
            return certificate
    with transaction(hub.engine) as conn:
        return jobs.result_of(conn, job)
