"""Refused rows: the open quarantine, opened in memory and brought back into contract columns.

What the quarantine noted (rules and fields) is what counts; the rows are opened to know to how
many of them each rule applied, which warnings they carry, and to show masked samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import polars as pl
from sqlalchemy import Connection, text

from tongban.kernel.contracts import Contract
from tongban.kernel.records import BEIJING
from tongban.protect import KeyRing, open_quarantine
from tongban.quality.stored import typed

_OPEN = text("""
    SELECT key_index, row_digest, row_sealed, findings, quarantined_at
      FROM hub.quarantine
     WHERE dataset = :dataset AND state = 'open'
       AND (CAST(:system AS text) IS NULL OR system = :system)
     ORDER BY key_index
""")
_BALANCE = text("""
    SELECT dataset, state, count(*) AS rows,
           min(quarantined_at) FILTER (WHERE state = 'open') AS oldest
      FROM hub.quarantine GROUP BY dataset, state
""")


@dataclass(frozen=True, slots=True)
class RefusedRows:
    """The open quarantine of one dataset.

    Attributes:
        tokens: Record ids as hex, or digests where the key is missing.
        frame: The contract's columns as far as they could be made; never leaves memory.
        rules: Per row the ids of the rules that the quarantine noted.
        since: Per row the day on which it was refused.
        content: What identifies these rows, for the digest of the audit's inputs.
    """

    tokens: pl.Series = field(repr=False)
    frame: pl.DataFrame = field(repr=False)
    rules: tuple[frozenset[str], ...] = field(repr=False)
    since: tuple[date, ...] = field(repr=False)
    content: bytes = field(repr=False)

    def failures(self, kind: str, names: Iterable[str]) -> dict[str, pl.Series]:
        """Field → rows whose value was lost in normalizing, as the quarantine noted it.

        Args:
            kind: `type` for values that could not be converted, `code` for unknown codes.
            names: The fields to look for.
        """
        found: dict[str, pl.Series] = {}
        for name in names:
            rule = f"{name}.{kind}"
            flags = np.fromiter((rule in rules for rules in self.rules), np.bool_, len(self.rules))
            if flags.any():
                found[name] = pl.Series(name, flags)
        return found


@dataclass(frozen=True, slots=True)
class Balance:
    """What came into a dataset's quarantine and what became of it."""

    dataset: str
    open: int = 0
    resolved: int = 0
    replaced: int = 0
    waived: int = 0
    oldest: date | None = None

    @property
    def total(self) -> int:
        """Everything that ever came in."""
        return self.open + self.resolved + self.replaced + self.waived


def read_refused(
    conn: Connection, contract: Contract, keyring: KeyRing, *, system: str | None = None
) -> RefusedRows:
    """The open quarantine of a dataset, or of one system's rows of it, in the order of tokens.

    Raises:
        EnvelopeBroken: A sealed row was changed in the database.
    """
    rows = conn.execute(_OPEN, {"dataset": contract.dataset, "system": system}).all()
    records: list[Mapping[str, str | None]] = []
    for row in rows:
        opened = open_quarantine(keyring, contract.dataset, row.key_index.bytes, row.row_sealed)
        records.append(opened.get("record") or {})
    columns = [
        typed(pl.Series(f.name, [r.get(f.name) for r in records], dtype=pl.String), f)
        for f in contract.fields
    ]
    rules = tuple(frozenset(str(found["rule"]) for found in row.findings) for row in rows)
    content = "".join(
        f"{row.key_index.hex}:{row.row_digest.hex()}:{','.join(sorted(noted))}\n"
        for row, noted in zip(rows, rules, strict=True)
    )
    return RefusedRows(
        tokens=pl.Series("token", [row.key_index.hex for row in rows], dtype=pl.String),
        frame=pl.DataFrame(columns),
        rules=rules,
        since=tuple(row.quarantined_at.astimezone(BEIJING).date() for row in rows),
        content=content.encode(),
    )


def read_balances(conn: Connection) -> dict[str, Balance]:
    """Dataset → its quarantine's balance."""
    counts: dict[str, dict[str, int]] = {}
    oldest: dict[str, date] = {}
    for row in conn.execute(_BALANCE):
        counts.setdefault(row.dataset, {})[row.state] = row.rows
        if row.oldest is not None:
            oldest[row.dataset] = row.oldest.astimezone(BEIJING).date()
    return {
        name: Balance(dataset=name, oldest=oldest.get(name), **states)
        for name, states in sorted(counts.items())
    }
