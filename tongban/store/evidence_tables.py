"""Tables of the evidence beside its entries: leaves of records, and seals.

Append-only like `evidence_entry`: the rights to change are taken from the owner, and a trigger
refuses in every mode.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Index, LargeBinary, Table, Text

from tongban.store.tables import evidence_entry, metadata

evidence_leaves = Table(
    "evidence_leaves",
    metadata,
    Column("leaf", LargeBinary, primary_key=True, comment="Merkle root: the leaf of its entry"),
    Column("dataset", Text, nullable=False),
    Column("seed", LargeBinary, nullable=False, comment="the salts come from it"),
    Column(
        "records", LargeBinary, nullable=False, comment="37 bytes each, see tongban.store.leaves"
    ),
)

evidence_seal = Table(
    "evidence_seal",
    metadata,
    Column("seal", BigInteger, primary_key=True, autoincrement=False, comment="1, 2, 3 … no gaps"),
    Column("first", BigInteger, nullable=False, comment="number of its first entry"),
    Column("last", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("root", LargeBinary, nullable=False, comment="Merkle root over the entries' hashes"),
    Column("head", LargeBinary, nullable=False, comment="hash of its last entry"),
    Column("previous", LargeBinary, nullable=False, comment="hash of the seal before"),
    Column("algorithm", Text, nullable=False),
    Column("key", LargeBinary, nullable=False, comment="id of the key that signed"),
    Column("signature", LargeBinary, nullable=False),
)

evidence_key = Table(
    "evidence_key",
    metadata,
    Column("key", LargeBinary, primary_key=True, comment="digest of algorithm and public key"),
    Column("algorithm", Text, nullable=False),
    Column("public", LargeBinary, nullable=False),
)

Index("evidence_entry_leaf", evidence_entry.c.leaf)
Index(
    "evidence_entry_rare",
    evidence_entry.c.seq,
    postgresql_where=evidence_entry.c.kind.in_(("clock", "configuration")),
)
