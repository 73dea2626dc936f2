"""Archives: sealed entries as a file that anybody can verify, byte for byte the same each time.

Written seal by seal, so that memory stays flat: header, each seal's entries and the seal, end line.
Ids, counts, digests and the words of people who decided are in it; no record, no leaf, no salt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Engine, select

from tongban.evidence.log import export
from tongban.evidence.seals import public_keys, read_seals, signed
from tongban.evidence.signing import Signer
from tongban.evidence.verify import ARCHIVE, FORM, GENESIS, canonical, seal_hash
from tongban.kernel.errors import ConfigInvalid
from tongban.store.engine import transaction
from tongban.store.tables import evidence_entry

Document = dict[str, Any]


def write_archive(
    engine: Engine, signer: Signer, *, first_seal: int = 1, last_seal: int | None = None
) -> Iterator[bytes]:
    """The lines of an archive; seal what is open before.

    Args:
        engine: From `open_engine`.
        signer: Signs the end line.
        first_seal: Number of the first seal.
        last_seal: Number of the last one; the newest when not given.

    Raises:
        ConfigInvalid: There are no such seals.
    """
    with transaction(engine) as conn:
        seals = read_seals(conn, first_seal, last_seal)
        wanted = last_seal if last_seal is not None else first_seal
        if not seals or seals[0]["seal"] != first_seal or seals[-1]["seal"] < wanted:
            raise ConfigInvalid(
                f"evidence log: the seals {first_seal} to {last_seal or 'now'} are not all there; "
                "`tongban evidence check` tells how many there are"
            )
        before = read_seals(conn, first_seal - 1, first_seal - 1)
        keys = public_keys(conn, {seal["key"] for seal in seals})
        header = _header(seals, before, _hash_before(conn, seals[0]["first"]), keys, signer)
    total = hashlib.sha256()
    for line in _body(engine, header, seals):
        total.update(line)
        yield line
    end = {"end": seals[-1]["last"], "seals": len(seals), "sha256": total.hexdigest()}
    yield canonical(signed(end, signer)) + b"\n"


def _body(engine: Engine, header: Document, seals: list[Document]) -> Iterator[bytes]:
    """Everything before the end line."""
    yield canonical(header) + b"\n"
    for seal in seals:
        for line in export(engine, first=seal["first"], last=seal["last"]):
            yield line.encode() + b"\n"
        yield canonical(seal) + b"\n"


def _header(
    seals: list[Document],
    before: list[Document],
    previous: str,
    keys: list[Document],
    signer: Signer,
) -> Document:
    """The first line; its keys are those of the seals and of the end line."""
    own = {"key": signer.key, "algorithm": signer.algorithm, "public": signer.public.hex()}
    return {
        "archive": ARCHIVE,
        "form": FORM,
        "first": seals[0]["first"],
        "last": seals[-1]["last"],
        "previous": previous,
        "seal": seals[0]["seal"],
        "seals": len(seals),
        "previous_seal": seal_hash(before[0]) if before else GENESIS,
        "keys": sorted([*(key for key in keys if key != own), own], key=itemgetter("key")),
    }


def _hash_before(conn: Connection, seq: int) -> str:
    """Hash of the entry before, which the first one follows."""
    statement = select(evidence_entry.c.entry_hash).where(evidence_entry.c.seq == seq - 1)
    found = conn.execute(statement).scalar()
    return GENESIS if found is None else bytes(found).hex()
