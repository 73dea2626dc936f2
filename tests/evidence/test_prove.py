"""Proofs: one record, verifiable offline, silent about all others, and they survive the purge."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import polars as pl
import pytest
from sqlalchemy import text

from tests.evidence.samples import SIGNER
from tests.store.samples import PAYMENT, Hub, payments
from tongban.evidence.heads import Heads
from tongban.evidence.leaves import path_of, root_of, salted
from tongban.evidence.log import append_load, append_receipts
from tongban.evidence.prove import prove
from tongban.evidence.seals import seal_all
from tongban.evidence.verify import canonical, root_of_path, verify_proof
from tongban.kernel.errors import ConfigInvalid
from tongban.protect import KeyRing, record_id_of
from tongban.store.engine import transaction
from tongban.store.leaves import LEAF_LENGTH
from tongban.store.load import write_chunk

pytestmark = pytest.mark.postgres


class SealingHub(Hub):
    """A hub that remembers its seals."""

    def __init__(self, engine, folder):
        super().__init__(engine, KeyRing.open(folder / "keys", {}))
        self.heads = Heads(folder / "heads.jsonl")

    def seal(self):
        """Seal everything."""
        return seal_all(self.engine, SIGNER, self.heads)


@pytest.fixture
def hub(engine, tmp_path):
    """A hub whose loads leave evidence."""
    return SealingHub(engine, tmp_path)


def load(hub, *frames, **more):
    """Load one chunk with evidence, and seal."""
    write_chunk(hub.engine, hub.chunk(*frames, **more), evidence=append_load)
    hub.seal()


def id_of(hub, number):
    """The record id of one payment."""
    return record_id_of(hub.keyring, PAYMENT, {"ticket_no": f"T{number:06d}"})


def test_proof_tells_every_version_and_verifies(hub):
    """New, then changed."""
    load(hub, payments(5))
    load(hub, payments(2, minutes=5, amount="7.00"))

    proof = prove(hub.engine, "payment", id_of(hub, 1))
    verdict = verify_proof(canonical(proof))

    assert [("new", 1), ("changed", 2)] == [(e["outcome"], e["version"]) for e in proof["events"]]
    assert (2, None, (SIGNER.key,)) == (verdict.entries, verdict.problem, verdict.keys)


def test_refused_row_can_be_proved_too(hub):
    """That we had it, and that we quarantined it."""
    load(hub, payments(2), payments(1, start=9))

    (event,) = prove(hub.engine, "payment", id_of(hub, 9))["events"]

    assert ("quarantined", 0) == (event["outcome"], event["version"])


def test_deleted_and_returned_record_goes_on_counting_its_versions(hub):
    """The leaves say the versions that the tables and the outbox have."""
    load(hub, payments(3))
    gone = pl.DataFrame(
        {"record_id": [id_of(hub, 1).hex], "changed_at": payments(1, minutes=5)["changed_at"]}
    )
    chunk = replace(hub.chunk(payments(0)), rows=None, read=1, gone=gone, gone_read=1)
    write_chunk(hub.engine, chunk, evidence=append_load)
    load(hub, payments(3, minutes=9, amount="8.00"))

    proof = prove(hub.engine, "payment", id_of(hub, 1))

    assert [("new", 1), ("deleted", 2), ("new", 3)] == [
        (event["outcome"], event["version"]) for event in proof["events"]
    ]
    assert 3 == hub.one(
        "SELECT version FROM data.payment_v1 WHERE record_id = :id", id=id_of(hub, 1)
    )


def test_proof_survives_the_purge_of_the_record(hub):
    """Nothing of the record's table is needed."""
    load(hub, payments(3))
    with hub.engine.begin() as conn:
        conn.execute(text("DELETE FROM data.payment_v1"))

    proof = prove(hub.engine, "payment", id_of(hub, 2))

    assert verify_proof(canonical(proof)).problem is None


def test_proof_reveals_no_other_record(hub):
    """Neither ids nor digests of others, and their salts stay here, so no guess can be tested."""
    load(hub, payments(8))
    (row,) = hub.rows("SELECT records, seed FROM hub.evidence_leaves")
    own = id_of(hub, 3).bytes

    written = canonical(prove(hub.engine, "payment", id_of(hub, 3))).decode()

    others = [leaf for leaf in salted(bytes(row[0]), bytes(row[1])) if leaf[16:32] != own]
    assert 7 == len(others)
    for leaf in others:
        assert leaf[:16].hex() not in written  # salt
        assert leaf[16:32].hex() not in written  # record id
        assert leaf[36:52].hex() not in written  # digest
    assert bytes(row[1]).hex() not in written


def test_equal_records_have_different_leaves_in_every_entry():
    """Two archives cannot be held against each other to find what did not change."""
    records = bytes(LEAF_LENGTH)

    assert root_of(records, b"a" * 32) != root_of(records, b"b" * 32)


def test_changed_proof_never_verifies(hub):
    """Any byte of it."""
    load(hub, payments(6))
    proof = canonical(prove(hub.engine, "payment", id_of(hub, 2)))
    chance = random.Random(3)

    missed = []
    for _ in range(300):
        at = chance.randrange(len(proof))
        changed = proof[:at] + bytes([proof[at] ^ (1 << chance.randrange(7))]) + proof[at + 1 :]
        if verify_proof(changed).problem is None:
            missed.append(at)

    assert [] == missed


@pytest.mark.parametrize("field", ["salt", "digest", "version", "outcome", "path", "entry_path"])
def test_proof_with_a_part_of_another_record_is_refused(hub, field):
    """Each part of the leaf and of both paths counts."""
    load(hub, payments(6))
    load(hub, payments(6, minutes=5, amount="9.00"))
    proof, other = (prove(hub.engine, "payment", id_of(hub, number)) for number in (2, 3))
    changed = other["events"][1][field] if field != "version" else 7
    proof["events"][0][field] = changed if field != "entry_path" else ["L" + "0" * 64]

    assert "event 1" in verify_proof(canonical(proof)).problem


def test_parts_of_a_leaf_cannot_be_shifted(hub):
    """A byte of the salt is no byte of the record id."""
    load(hub, payments(2))
    proof = prove(hub.engine, "payment", id_of(hub, 1))
    event = proof["events"][0]
    event["salt"], proof["record"] = event["salt"] + proof["record"][:2], proof["record"][2:]

    assert verify_proof(canonical(proof)).problem is not None


def test_record_that_the_log_does_not_know_is_refused(hub):
    """No proof of nothing."""
    load(hub, payments(1))

    with pytest.raises(ConfigInvalid, match="no sealed entry"):
        prove(hub.engine, "payment", id_of(hub, 77))


def test_receipt_is_part_of_the_proof(hub):
    """What the target said about the record."""
    load(hub, payments(1))
    leaf = id_of(hub, 0).bytes + (1).to_bytes(4, "big") + bytes(16) + b"A"
    with transaction(hub.engine) as conn:
        append_receipts(conn, {"target": "substation", "dataset": "payment"}, [leaf])
    hub.seal()

    proof = prove(hub.engine, "payment", id_of(hub, 0))

    assert ["new", "accepted"] == [event["outcome"] for event in proof["events"]]
    assert verify_proof(canonical(proof)).problem is None
    assert json.loads(canonical(proof)) == proof


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9])
def test_every_leaf_has_a_path_to_the_root(count):
    """Also where a level has an odd number of nodes."""
    leaves = salted(bytes(range(LEAF_LENGTH)) * count, b"s" * 32)
    root = root_of(bytes(range(LEAF_LENGTH)) * count, b"s" * 32)

    assert [root] * count == [
        root_of_path(leaf, path_of(leaves, at)) for at, leaf in enumerate(leaves)
    ]
