"""Kept columns: the little of each dataset that comparisons between departments need.

Names are kept as hashes, so that no plain name outlives its chunk; persons are blind indexes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from tongban.kernel.contracts import Contract
from tongban.kernel.cross_rules import CrossRule
from tongban.quality.refused import RefusedRows
from tongban.quality.stored import StoredRows
from tongban.store.datasets import INDEX_SUFFIX

Frames = Mapping[str, pl.DataFrame]
Rules = Iterable[tuple[str, CrossRule]]


def used_fields(rules: Rules) -> dict[str, set[str]]:
    """Dataset → fields that the rules read of it; the rules as (dataset, rule)."""
    found: dict[str, set[str]] = {}
    for dataset, rule in rules:
        own = found.setdefault(dataset, set())
        own |= {name for name in (rule.field, *rule.when) if name}
        if rule.kind == "parts_sum":
            own |= set(rule.per[:1])
            found.setdefault(rule.other, set()).update((rule.other_field, *rule.per))
            continue
        own |= set(rule.per)
        if rule.through is not None:
            own |= set(rule.through.by)
            middle = found.setdefault(rule.through.dataset, set())
            middle |= {*rule.through.by.values(), *rule.through.when}
        if rule.other:
            theirs = found.setdefault(rule.other, set())
            theirs |= {rule.other_field, *rule.by.values(), *rule.other_when}
    return found


def joining_fields(rules: Rules, contracts: Mapping[str, Contract]) -> dict[str, set[str]]:
    """`used_fields`, and those of a joining dataset that only the contracts tell apart."""
    listed = list(rules)
    found = used_fields(listed)
    for dataset, rule in listed:
        for name in rule.by:
            is_own = name in contracts[dataset].by_name
            if is_own or rule.through is None:
                found[dataset].add(name)
            else:
                found[rule.through.dataset].add(name)
    return found


class Kept:
    """The few columns that comparisons need, gathered while an audit reads everything.

    Args:
        rules: (dataset, rule) of every rule over several datasets.
        contracts: The contract of every dataset that they read.
    """

    def __init__(self, rules: Rules, contracts: Mapping[str, Contract]) -> None:
        listed = list(rules)
        self.needed = {
            dataset: tuple(sorted(names))
            for dataset, names in joining_fields(listed, contracts).items()
        }
        """Dataset → fields that are kept; everything else is forgotten at once."""
        self._contracts = contracts
        self._hashed = _hashed(listed, contracts)
        self._parts: dict[str, list[pl.DataFrame]] = {name: [] for name in self.needed}
        self._refused: dict[str, pl.DataFrame] = {}
        self._frames: dict[str, pl.DataFrame] | None = None

    def add(self, dataset: str, rows: StoredRows) -> None:
        """Keep what is needed of one chunk; names become hashes, numbers of people their index."""
        if dataset not in self.needed:
            return
        columns = [rows.tokens.alias("token")]
        for name in self.needed[dataset]:
            field = self._contracts[dataset].field(name)
            if field.is_classified and field.index:
                column = rows.indexes[name + INDEX_SUFFIX]
            elif (dataset, name) in self._hashed:
                column = rows.frame[name].hash()
            else:
                column = rows.frame[name]
            columns.append(column.alias(name))
        self._parts[dataset].append(pl.DataFrame(columns))

    def add_refused(self, dataset: str, rows: RefusedRows) -> None:
        """Keep the open keys of refused rows, to know what is incomplete without them."""
        if dataset in self.needed:
            contract = self._contracts[dataset]
            names = [
                name
                for name in self.needed[dataset]
                if name in rows.frame.columns and not contract.field(name).is_classified
            ]
            earlier = self._refused.get(dataset)
            frame = rows.frame.select(names)
            self._refused[dataset] = frame if earlier is None else pl.concat([earlier, frame])

    @property
    def frames(self) -> Frames:
        """Dataset → token and needed columns of all stored rows."""
        if self._frames is None:
            self._frames = {
                name: pl.concat(parts) if parts else pl.DataFrame()
                for name, parts in self._parts.items()
            }
        return self._frames

    @property
    def refused(self) -> Frames:
        """Dataset → open needed columns of its refused rows."""
        return self._refused


def _hashed(rules: Rules, contracts: Mapping[str, Contract]) -> set[tuple[str, str]]:
    """Texts that are only ever compared for being equal, and everything classified."""
    found: set[tuple[str, str]] = set()
    for dataset, rule in rules:
        if rule.kind in {"agrees_with", "among"} and contracts[dataset].field(rule.field).type == (
            "string"
        ):
            found |= {(dataset, rule.field), (rule.other, rule.other_field)}
    found |= {
        (dataset, item.name)
        for dataset, contract in contracts.items()
        for item in contract.classified
    }
    return found
