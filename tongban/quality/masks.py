"""Masks: the compiled contract over everything of one dataset, stored and refused.

The result is tokens and bit masks, counts per rule, and a few masked samples. It is all that the
other parts of an audit see: no value is in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from tongban.kernel.contracts import Contract
from tongban.quality.refused import RefusedRows
from tongban.quality.samples import SAMPLES, Sample, sample_of
from tongban.quality.stored import StoredRows
from tongban.validate import Validated, ValidatePlan, check
from tongban.validate.plan import BITS

Word = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RuleCount:
    """One rule over one dataset.

    Attributes:
        applicable: Rows to which it applied.
        bad: Rows that break it, stored or refused.
        stored_bad: Those of them that are stored (warnings, or a contract that became stricter).
        since: First day of the oldest refused row, where there is one.
    """

    applicable: int
    bad: int
    stored_bad: int
    since: date | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One dataset as an audit sees it, or one system's rows of it where several provide it.

    Attributes:
        system: The system whose rows these are; None where they are all rows of the dataset.
        tokens: Stored rows first, then refused ones.
        words: Masks per row, one array per 63 rules.
        stored: How many rows are stored.
        refused: How many rows are in the open quarantine.
        would_pass: Refused rows that break no rule any more (a contract or the clock moved on).
        outdated: Refused rows that were noted with a rule which the contract has no longer.
        counts: Rule → counts.
        samples: Rule → up to three masked samples.
        input_digest: SHA-256 of what was read, to compute the audit again.
    """

    contract: Contract
    plan: ValidatePlan = field(repr=False)
    tokens: list[str] = field(repr=False)
    words: list[Word] = field(repr=False)
    stored: int
    refused: int
    would_pass: int
    outdated: int
    counts: dict[str, RuleCount] = field(repr=False)
    samples: dict[str, list[Sample]] = field(repr=False)
    input_digest: str
    system: str | None = None

    @property
    def department(self) -> str:
        """The system that is answerable for these rows."""
        return self.system or self.contract.owner

    @property
    def dataset(self) -> str:
        """The dataset's name."""
        return self.contract.dataset

    @property
    def rows(self) -> int:
        """Stored and refused rows."""
        return self.stored + self.refused


@dataclass(frozen=True, slots=True)
class _Rows:
    """A batch for `validate.check`."""

    frame: pl.DataFrame
    failures: dict[str, pl.Series]
    code_failures: dict[str, pl.Series]
    source_key: pl.Series


class Measuring:
    """Adds up one dataset chunk by chunk."""

    def __init__(
        self, contract: Contract, plan: ValidatePlan, now: datetime, system: str | None = None
    ) -> None:
        self.contract = contract
        self.system = system
        self.plan = plan
        self.now = now
        self._tokens: list[str] = []
        self._words: list[list[Word]] = [[] for _ in range(plan.words)]
        self._applicable = dict.fromkeys((rule.id for rule in plan.rules), 0)
        self._stored_bad = dict.fromkeys(self._applicable, 0)
        self._refused_bad = dict.fromkeys(self._applicable, 0)
        self._since: dict[str, date] = {}
        self._samples: dict[str, list[Sample]] = {}
        self._stored = self._refused = self._would_pass = self._outdated = 0
        of = contract.dataset if system is None else f"{system}/{contract.dataset}"
        self._digest = hashlib.sha256(f"{of}:{contract.digest}\n".encode())

    def add_stored(self, rows: StoredRows) -> None:
        """Measure one chunk of stored rows."""
        batch = _Rows(rows.frame, {}, {}, rows.tokens)
        found = check(self.plan, batch, now=self.now, refuse_dirty=False)
        words = [mask.to_numpy().astype(np.int64) for mask in found.masks]
        self._note(rows.tokens.to_list(), rows.frame, words, found, self._stored_bad)
        self._stored += rows.frame.height
        self._digest.update(rows.content)

    def add_refused(self, rows: RefusedRows) -> None:
        """Measure the open quarantine: noted errors, plus warnings of a new look."""
        self._digest.update(b"quarantine\n" + rows.content)
        if not rows.rules:
            return
        names = rows.frame.columns
        batch = _Rows(
            rows.frame, rows.failures("type", names), rows.failures("code", names), rows.tokens
        )
        found = check(self.plan, batch, now=self.now, refuse_dirty=False)
        again = [mask.to_numpy().astype(np.int64) for mask in found.masks]
        noted = self._noted(rows.rules)
        keep = self._bits("warning")
        words = [new & bits | old for new, bits, old in zip(again, keep, noted, strict=True)]
        self._note(rows.tokens.to_list(), rows.frame, words, found, self._refused_bad)
        self._refused += rows.frame.height
        self._would_pass += found.accepted.height
        known = self._applicable.keys()
        self._outdated += sum(not rules <= known for rules in rows.rules)
        for rules, day in zip(rows.rules, rows.since, strict=True):
            for rule in rules:
                self._since[rule] = min(day, self._since.get(rule, day))

    def done(self) -> Measured:
        """The sums."""
        counts = {
            rule: RuleCount(
                applicable=max(applicable, self._stored_bad[rule] + self._refused_bad[rule]),
                bad=self._stored_bad[rule] + self._refused_bad[rule],
                stored_bad=self._stored_bad[rule],
                since=self._since.get(rule),
            )
            for rule, applicable in self._applicable.items()
        }
        nothing: Word = np.zeros(0, dtype=np.int64)
        return Measured(
            contract=self.contract,
            plan=self.plan,
            tokens=self._tokens,
            words=[np.concatenate(parts) if parts else nothing for parts in self._words],
            stored=self._stored,
            refused=self._refused,
            would_pass=self._would_pass,
            outdated=self._outdated,
            counts=counts,
            samples=self._samples,
            input_digest=self._digest.hexdigest(),
            system=self.system,
        )

    def _note(
        self,
        tokens: list[str],
        frame: pl.DataFrame,
        words: list[Word],
        found: Validated,
        bad: dict[str, int],
    ) -> None:
        """Keep tokens and masks, count bits, take samples."""
        self._tokens += tokens
        for kept, word in zip(self._words, words, strict=True):
            kept.append(word)
        for rule in self.plan.rules:
            self._applicable[rule.id] += found.applicable[rule.id]
            rows = np.flatnonzero(words[rule.position // BITS] >> (rule.position % BITS) & 1)
            bad[rule.id] += len(rows)
            samples = self._samples.setdefault(rule.id, []) if len(rows) else []
            for row in rows[: SAMPLES - len(samples)]:
                samples.append(sample_of(self.contract, rule, tokens[row], frame, int(row)))

    def _noted(self, rows: Iterable[frozenset[str]]) -> list[Word]:
        """The quarantine's findings as masks; error rules of the present contract only."""
        places = {r.id: divmod(r.position, BITS) for r in self.plan.rules if r.severity == "error"}
        listed = list(rows)
        words: list[Word] = [np.zeros(len(listed), dtype=np.int64) for _ in range(self.plan.words)]
        for row, rules in enumerate(listed):
            for rule in rules:
                if rule in places:
                    word, bit = places[rule]
                    words[word][row] |= np.int64(1 << bit)
        return words

    def _bits(self, severity: str) -> list[np.int64]:
        """The bits of all rules of one severity, word by word."""
        bits = [0] * self.plan.words
        for rule in self.plan.rules:
            if rule.severity == severity:
                bits[rule.position // BITS] |= 1 << (rule.position % BITS)
        return [np.int64(word) for word in bits]
