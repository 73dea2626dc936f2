"""Status: which keys there are, what they sealed, and which algorithms are on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tongban.custody import jobs
from tongban.custody.places import places_of, scopes_of
from tongban.custody.reseal import count_keys
from tongban.evidence.seals import signed
from tongban.evidence.signing import KEY_PURPOSE, open_signer
from tongban.protect.envelope import ALGORITHM_NAMES
from tongban.protect.rewrap import waiting
from tongban.protect.suites import signatures_of
from tongban.store.engine import transaction

if TYPE_CHECKING:
    from tongban.custody.shred import Sign
    from tongban.hub import Hub


def status_of(hub: Hub, *, is_counted: bool = False) -> dict[str, Any]:
    """Keys by scope and period, running jobs, suite and master key's place; never a key.

    Args:
        hub: The opened hub.
        is_counted: Count the envelopes of every key, which reads every sealed column.
    """
    ring = hub.keyring
    counts: dict[int, dict[str, int]] = {}
    with transaction(hub.engine) as conn:
        if is_counted:
            for scope in scopes_of(conn):
                for (algorithm, key_id), rows in count_keys(conn, places_of(conn, scope)).items():
                    name = ALGORITHM_NAMES.get(algorithm, f"algorithm {algorithm}")
                    by_name = counts.setdefault(key_id, {})
                    by_name[name] = by_name.get(name, 0) + rows
        running = jobs.running(conn)
    facts = ring.files.facts()
    keys = [
        {
            "scope": key.scope,
            "period": key.period,
            "key": f"{key.key_id:08x}",
            "state": key.state,
            "made_at": key.made_at,
            **({"envelopes": counts.get(key.key_id, {})} if is_counted else {}),
        }
        for key in facts
    ]
    unknown = {f"{key_id:08x}": n for key_id, n in counts.items() if not _is_known(key_id, facts)}
    return {
        "suite": ring.suite.name,
        "sealing": ALGORITHM_NAMES[ring.suite.algorithm],
        "digests": ring.digests,
        "signatures": signatures_of(ring.suite),
        "master_key": {"kind": ring.source.kind, "place": ring.source.place},
        "rewrap_waiting": len(waiting(ring)),
        "jobs": running,
        "keys": keys,
        "unknown_keys": unknown,
    }


def signer_of(hub: Hub) -> Sign:
    """Signs certificates with the key that signs the seals of the evidence."""

    def sign(certificate: dict[str, Any]) -> dict[str, Any]:
        return signed(certificate, open_signer(hub.keyring.derived(KEY_PURPOSE)))

    return sign


def _is_known(key_id: int, facts: list[Any]) -> bool:
    return any(key.key_id == key_id for key in facts)
