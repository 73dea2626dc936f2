"""Leases: one worker at a time per (system, dataset), and a token that shuts out the last one.

Every taking counts the token up. A write names its token inside its own transaction
(`hold`), so a worker that slept through its lease writes nothing once another has taken over.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Engine, text

from tongban.kernel.errors import FencedOff, LeaseHeld
from tongban.store.engine import transaction

DEFAULT_TTL = timedelta(seconds=90)

_TAKE = text("""
    INSERT INTO hub.lease AS l (system, dataset, holder, token, expires_at)
    VALUES (:system, :dataset, :holder, 1, clock_timestamp() + :ttl)
    ON CONFLICT (system, dataset) DO UPDATE
       SET holder = excluded.holder, token = l.token + 1, expires_at = excluded.expires_at
     WHERE l.holder IS NULL OR l.expires_at <= clock_timestamp() OR l.holder = excluded.holder
    RETURNING token
""")
_HOLDER = text("""
    SELECT holder, expires_at FROM hub.lease WHERE system = :system AND dataset = :dataset
""")
_HOLD = text("""
    UPDATE hub.lease SET expires_at = clock_timestamp() + :ttl
     WHERE system = :system AND dataset = :dataset AND token = :token AND holder IS NOT NULL
""")
_RELEASE = text("""
    UPDATE hub.lease SET holder = NULL, expires_at = clock_timestamp()
     WHERE system = :system AND dataset = :dataset AND token = :token
""")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one (system, dataset), as long as `token` is the newest."""

    system: str
    dataset: str
    token: int
    ttl: timedelta = DEFAULT_TTL


def default_holder() -> str:
    """Name of this process for people who look at a held lease."""
    return f"{socket.gethostname()}:{os.getpid()}"


def take_lease(
    engine: Engine,
    system: str,
    dataset: str,
    *,
    holder: str | None = None,
    ttl: timedelta = DEFAULT_TTL,
) -> Lease:
    """Take the lease; the same holder may take it again, which shuts out its older self.

    Raises:
        LeaseHeld: Another holder has it and it has not run out.
    """
    place = {"system": system, "dataset": dataset}
    with transaction(engine) as conn:
        taken = conn.execute(_TAKE, {**place, "holder": holder or default_holder(), "ttl": ttl})
        token = taken.scalar()
        if token is None:
            other, expires_at = conn.execute(_HOLDER, place).one()
            raise LeaseHeld(
                f"{system}/{dataset}: {other} holds the lease until {expires_at:%H:%M:%S}; "
                "nothing was written, try again after that",
                **place,
            )
    return Lease(system=system, dataset=dataset, token=int(token), ttl=ttl)


def hold_lease(conn: Connection, lease: Lease) -> None:
    """Renew the lease inside a write's transaction; nobody can take it over before the commit.

    Raises:
        FencedOff: The token is not the newest any more.
    """
    held = conn.execute(
        _HOLD,
        {
            "system": lease.system,
            "dataset": lease.dataset,
            "token": lease.token,
            "ttl": lease.ttl,
        },
    )
    if held.rowcount != 1:
        raise FencedOff(
            f"{lease.system}/{lease.dataset}: token {lease.token} is not the newest; another "
            "worker took over, this one wrote nothing and must stop",
            system=lease.system,
            dataset=lease.dataset,
            token=lease.token,
        )


def release_lease(engine: Engine, lease: Lease) -> None:
    """Give the lease back; nothing happens when it is not ours any more."""
    with transaction(engine) as conn:
        conn.execute(
            _RELEASE, {"system": lease.system, "dataset": lease.dataset, "token": lease.token}
        )
