"""Difference: two compiled mappings over the same rows, row beside row, added up chunk by chunk.

What is kept is counts and a few masked examples, each named by a keyed digest; memory is one chunk.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import polars as pl

from tongban.normalize import Normalized, apply
from tongban.onboarding.preview import mask_of
from tongban.protect import KeyRing, blind_index, mask
from tongban.rows import DatasetPlan
from tongban.validate import Validated, check, explain

_TOKEN = "shadow"  # noqa: S105 - the purpose of a digest's key
_TOKEN_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Example:
    """One row that would differ: its token, what becomes of it, its fields masked."""

    token: str
    what: str
    fields: list[tuple[str, str | None, str | None]] = field(repr=False)


@dataclass(slots=True)
class Difference:
    """What a changed mapping and contract would make of the same rows.

    Attributes:
        read: Rows that were replayed; each is in exactly one of the five counts below.
        same: Accepted by both, every common field equal.
        changed: Accepted by both, a common field differs.
        newly_accepted, newly_quarantined: Only one of them accepts the row.
        still_quarantined: Neither accepts it.
        by_field: Field → rows in which it differs, of those that both accept.
        new_rules: Rule → rows that are newly quarantined by it.
        freed_rules: Rule → newly accepted rows that it refuses now.
        added: Field that only the new contract has → rows with a value.
        removed: Fields that only the present contract has.
    """

    dataset: str
    landings: int = 0
    pages: int = 0
    read: int = 0
    same: int = 0
    changed: int = 0
    newly_accepted: int = 0
    newly_quarantined: int = 0
    still_quarantined: int = 0
    by_field: Counter[str] = field(default_factory=Counter)
    new_rules: Counter[str] = field(default_factory=Counter)
    freed_rules: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    removed: tuple[str, ...] = ()
    examples: list[Example] = field(default_factory=list)

    @property
    def is_same(self) -> bool:
        """Whether nothing would differ."""
        return self.read == self.same + self.still_quarantined and not (self.added or self.removed)

    def counts(self) -> dict[str, int]:
        """Rows by what becomes of them."""
        names = ("read", "same", "changed", "newly_accepted", "newly_quarantined")
        return {name: getattr(self, name) for name in (*names, "still_quarantined")}

    def details(self) -> dict[str, dict[str, int]]:
        """Counts by field and by rule, the most frequent first."""
        return {
            "changed field": dict(self.by_field.most_common()),
            "newly quarantined by": dict(self.new_rules.most_common()),
            "no longer quarantined by": dict(self.freed_rules.most_common()),
            "new field": dict(self.added.most_common()),
            "field gone": dict.fromkeys(self.removed, self.read),
        }

    def document(self) -> dict[str, Any]:
        """Everything for programs."""
        names = [item.name for item in fields(self)]
        found = {name: getattr(self, name) for name in names}  # asdict would count the counters
        found["examples"] = [asdict(example) for example in self.examples]
        return {**found, "is_same": self.is_same}


class Pairing:
    """Adds up one chunk after the other, row beside row."""

    def __init__(
        self,
        present: DatasetPlan,
        new: DatasetPlan,
        found: Difference,
        keyring: KeyRing,
        examples: int,
    ) -> None:
        self.present, self.new, self.found = present, new, found
        self.keyring, self.examples = keyring, examples
        names = new.contract.by_name
        self.common = [name for name in present.contract.by_name if name in names]
        self.fresh = [name for name in names if name not in present.contract.by_name]

    def add(self, old_rows: pl.DataFrame, new_rows: pl.DataFrame) -> None:
        """Both readings of the same rows."""
        before, after = apply(self.present.normalize, old_rows), apply(self.new.normalize, new_rows)
        judged = check(self.present.validate, before, refuse_dirty=False)
        again = check(self.new.validate, after, refuse_dirty=False)
        was, is_now = _accepted(judged), _accepted(again)
        differs = {name: _differ(before.frame[name], after.frame[name]) for name in self.common}
        both = was & is_now
        changed = both & _any(differs, both.len())
        gained, lost = ~was & is_now, was & ~is_now
        found = self.found
        found.read += both.len()
        found.changed += int(changed.sum())
        found.same += int((both & ~changed).sum())
        found.newly_accepted += int(gained.sum())
        found.newly_quarantined += int(lost.sum())
        found.still_quarantined += int((~was & ~is_now).sum())
        found.by_field += Counter({n: int((d & both).sum()) for n, d in differs.items()})
        found.new_rules += _rules(self.new, again, lost)
        found.freed_rules += _rules(self.present, judged, gained)
        found.added += Counter({n: after.frame[n].count() for n in self.fresh})
        for flags, what in (
            (changed, "changed"),
            (lost, "newly quarantined"),
            (gained, "accepted"),
        ):
            self._show(flags, what, before, after)

    def _show(self, flags: pl.Series, what: str, before: Normalized, after: Normalized) -> None:
        """Masked examples, until there are enough."""
        room = self.examples - len(self.found.examples)
        for row in flags.arg_true().head(max(room, 0)).to_list():
            key = before.source_key[row]
            (digest,) = blind_index(self.keyring, _TOKEN, [key])
            shown = [
                (name, self._masked(name, before.frame[name][row]), self._masked(name, value))
                for name, value in ((n, after.frame[n][row]) for n in self.common)
                if not _is_equal(before.frame[name][row], value)
            ]
            token = (digest or b"").hex()[:_TOKEN_LENGTH]
            self.found.examples.append(Example(token, what, shown))

    def _masked(self, name: str, value: Any) -> str | None:
        """A value as the stricter of both contracts shows it; hidden where they differ."""
        kinds = {mask_of(plan.contract.field(name)) for plan in (self.present, self.new)}
        if value is None:
            return None
        text = value.isoformat() if hasattr(value, "isoformat") else str(value)
        if kinds == {None}:
            return text
        named = kinds - {None}
        return mask(next(iter(named)) or "text" if len(named) == 1 else "text", text)


def _accepted(found: Validated) -> pl.Series:
    """Per incoming row whether it is accepted."""
    rows = pl.int_range(found.rows, dtype=pl.UInt32, eager=True)
    return rows.is_in(found.accepted_rows.cast(pl.UInt32).implode())


def _differ(old: pl.Series, new: pl.Series) -> pl.Series:
    """Per row whether two cells differ; types of two contracts are compared as text."""
    if old.dtype == new.dtype:
        return old.ne_missing(new)
    if old.dtype.is_numeric() and new.dtype.is_numeric():
        wide = pl.Decimal(38, 9)
        return old.cast(wide, strict=False).ne_missing(new.cast(wide, strict=False))
    return old.cast(pl.String).ne_missing(new.cast(pl.String))


def _is_equal(old: Any, new: Any) -> bool:
    return bool(old == new or (old is not None and new is not None and str(old) == str(new)))


def _any(differs: dict[str, pl.Series], rows: int) -> pl.Series:
    found = pl.repeat(value=False, n=rows, dtype=pl.Boolean, eager=True)
    for flags in differs.values():
        found |= flags
    return found


def _rules(plan: DatasetPlan, found: Validated, rows: pl.Series) -> Counter[str]:
    """Error rules that these rows break; few different masks, so few of them are explained."""
    if not rows.any():
        return Counter()
    masks = pl.DataFrame([m.alias(f"mask{i}") for i, m in enumerate(found.masks)]).filter(rows)
    counted: Counter[str] = Counter()
    for *words, count in masks.group_by(pl.all()).len().iter_rows():
        for rule in explain(plan.validate, *words):
            if plan.validate.rule(rule).severity == "error":
                counted[rule] += count
    return counted
