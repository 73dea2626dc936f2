"""Checking: the log in the database against itself, its seals, leaves and remembered heads."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, select, text

from tongban.evidence.archive import write_archive
from tongban.evidence.heads import Heads
from tongban.evidence.leaves import root_of
from tongban.evidence.log import check
from tongban.evidence.seals import check_heads
from tongban.evidence.signing import Signer
from tongban.evidence.verify import verify_archive
from tongban.kernel.errors import EvidenceBroken
from tongban.store.engine import transaction
from tongban.store.evidence_tables import evidence_leaves

_WITHOUT_LEAVES = text("""
    SELECT count(*) FROM hub.evidence_entry e
     WHERE e.kind IN ('load', 'receipts') AND coalesce((e.subject->>'leaves')::bigint, 0) > 0
       AND NOT EXISTS (SELECT FROM hub.evidence_leaves l WHERE l.leaf = e.leaf)
""")
_SEALS = text("SELECT count(*) FROM hub.evidence_seal")


def check_all(engine: Engine, signer: Signer, heads: Heads) -> dict[str, Any]:
    """Check everything; gives counts for the reader.

    Raises:
        EvidenceRolledBack: The database lacks a seal that this installation remembers.
        EvidenceBroken: An entry, a seal, a signature or a leaf was changed or is missing.
    """
    remembered = check_heads(engine, heads)
    entries = check(engine)
    with transaction(engine) as conn:
        seals = conn.execute(_SEALS).scalar_one()
    findings: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    if seals:
        verdict = verify_archive(write_archive(engine, signer))
        findings, keys = verdict.findings, verdict.keys
        if verdict.problem is not None:
            raise EvidenceBroken(f"evidence log: {verdict.problem}; compare the last archive")
    return {
        "entries": entries,
        "seals": seals,
        "remembered_seals": remembered,
        "leaves": _check_leaves(engine),
        "keys": ", ".join(keys),
        "findings": "; ".join(findings) or "none",
    }


def _check_leaves(engine: Engine) -> int:
    """Compute every entry's root again; gives how many have leaves."""
    count = 0
    with transaction(engine) as conn:
        for row in conn.execution_options(yield_per=20).execute(select(evidence_leaves)):
            count += 1
            if root_of(bytes(row.records), bytes(row.seed)) != bytes(row.leaf):
                raise EvidenceBroken(
                    f"evidence log: leaves of {row.dataset} were changed; proofs of its records "
                    "cannot be given, restore the table from a backup",
                    dataset=row.dataset,
                )
        missing = conn.execute(_WITHOUT_LEAVES).scalar_one()
    if missing:
        raise EvidenceBroken(
            f"evidence log: the leaves of {missing} entries are missing; restore a backup of them",
            missing=missing,
        )
    return count
