"""Comparisons: the contracts' rules over several datasets, compiled to joins of stored rows.

What is compared stands in the contracts (`tongban.kernel.cross_rules`); here is how. Each check
gives counts and record tokens. Where a part of what a check needs sits in the quarantine, the
case is not evaluated instead of being blamed on anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from tongban.kernel.contracts import Contract
from tongban.kernel.cross_rules import CrossRule, Through, place_of
from tongban.kernel.errors import ConfigInvalid
from tongban.quality.kept import Frames, Kept

if TYPE_CHECKING:
    from tongban.kernel.cross_rules import Values

_OURS, _THEIRS = "$ours", "$theirs"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check saw.

    Attributes:
        compared: Cases that were looked at.
        bad: Tokens of the records that do not agree, sorted.
        skipped: Cases that could not be evaluated, since a part of them is quarantined.
    """

    compared: int
    bad: tuple[str, ...] = ()
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One rule between datasets; `dataset` is the one whose records are listed.

    Attributes:
        through: More datasets that join the two.
    """

    id: str
    dataset: str
    other: str
    label: str
    english: str
    rule: CrossRule = field(repr=False)
    through: tuple[str, ...] = ()

    def outcome(self, kept: Kept) -> Outcome | None:
        """Run the check; None where one side has no rows at all."""
        stored = kept.frames
        if any(stored[name].is_empty() for name in (self.dataset, self.other, *self.through)):
            return None
        return _RUN[self.rule.kind](self.rule, stored[self.dataset], stored, kept.refused)


def comparisons_of(contracts: Iterable[Contract]) -> tuple[Comparison, ...]:
    """Every rule over several datasets, in the order of the contracts.

    Raises:
        ConfigInvalid: Two contracts call their rules the same.
    """
    found: dict[str, Comparison] = {}
    for contract in contracts:
        for rule in contract.cross_rules:
            made = _comparison(contract, rule)
            if made.id in found:
                raise ConfigInvalid(
                    f"{place_of(contract, rule)}: {found[made.id].rule.id} and {rule.id} end in "
                    "the same name; rename one, the audit's report lists them by it"
                )
            found[made.id] = made
    return tuple(found.values())


def kept_for(checks: Iterable[Comparison], contracts: Mapping[str, Contract]) -> Kept:
    """What an audit has to keep for these checks."""
    return Kept([(check.dataset, check.rule) for check in checks], contracts)


def _comparison(contract: Contract, rule: CrossRule) -> Comparison:
    through = rule.through
    between = through.dataset if through is not None else ""
    return Comparison(
        id=rule.short_id if contract.major == 1 else f"{rule.short_id}_v{contract.major}",
        dataset=contract.dataset,
        other=rule.other or between,
        label=rule.description,
        english=rule.english,
        rule=rule,
        through=(between,) if rule.other and between else (),
    )


def _outcome(cases: pl.DataFrame, bad: pl.Expr, skipped: int = 0) -> Outcome:
    """Cases and the distinct tokens of those that are bad."""
    tokens = cases.filter(bad)["token"].unique().sort().to_list()
    return Outcome(compared=cases.height, bad=tuple(tokens), skipped=skipped)


def _only(frame: pl.DataFrame, when: Values) -> pl.DataFrame:
    """Rows whose fields have one of the values."""
    for name, values in when.items():
        frame = frame.filter(pl.col(name).cast(pl.String).is_in(values))
    return frame


def _ours(rule: CrossRule, own: pl.DataFrame, stored: Frames) -> pl.DataFrame:
    """Our rows as `token`, `$ours` and the keys `by0`, `by1` …, through the dataset between."""
    ours = _only(own, rule.when)
    through = rule.through
    columns = dict.fromkeys(rule.by, "")
    if through is not None:
        mine = [name for name in columns if name not in ours.columns]
        ours = _between(ours, stored[through.dataset], through, mine)
    keys = [pl.col(name).alias(f"by{i}") for i, name in enumerate(rule.by)]
    return ours.select("token", pl.col(rule.field).alias(_OURS), *keys).drop_nulls()


def _between(
    ours: pl.DataFrame, middle: pl.DataFrame, through: Through, wanted: list[str]
) -> pl.DataFrame:
    """Our rows with the wanted fields of the dataset that stands between."""
    keys = [pl.col(theirs).alias(f"$key{i}") for i, theirs in enumerate(through.by.values())]
    names = [f"$key{i}" for i in range(len(keys))]
    rows = _only(middle, through.when).select(*keys, *wanted).drop_nulls().unique(names)
    return ours.join(rows, left_on=list(through.by), right_on=names)


def _theirs(rule: CrossRule, stored: Frames) -> pl.DataFrame:
    """The other side as `$theirs` and the keys `by0`, `by1` …."""
    keys = [pl.col(name).alias(f"by{i}") for i, name in enumerate(rule.by.values())]
    rows = _only(stored[rule.other], rule.other_when)
    return rows.select(pl.col(rule.other_field).alias(_THEIRS), *keys).drop_nulls()


def _keys(rule: CrossRule) -> list[str]:
    return [f"by{i}" for i in range(len(rule.by))]


def _agrees_with(rule: CrossRule, own: pl.DataFrame, stored: Frames, _refused: Frames) -> Outcome:
    """Each of our rows with its record on the other side."""
    theirs = _theirs(rule, stored)
    if rule.op == "=":  # one person stands once in a contract, however often it is written
        theirs = theirs.unique(_keys(rule), keep="first", maintain_order=True)
    cases = _ours(rule, own, stored).join(theirs, on=_keys(rule))
    ours, other = pl.col(_OURS), pl.col(_THEIRS)
    if rule.op == "=":
        differs = (ours - other).abs() > rule.tolerance if rule.tolerance else ours != other
    else:
        differs = ours > other if rule.op == "<=" else ours < other
    return _outcome(cases, differs)


def _among(rule: CrossRule, own: pl.DataFrame, stored: Frames, refused: Frames) -> Outcome:
    """Each of our rows with all values of the same thing; a thing that nobody knows is no case."""
    theirs, keys = _theirs(rule, stored), _keys(rule)
    cases = _ours(rule, own, stored).join(theirs.select(keys).unique(), on=keys)
    known = theirs.unique().with_columns(pl.lit(value=True).alias("found"))
    cases = cases.join(
        known, left_on=[*keys, _OURS], right_on=[*keys, _THEIRS], how="left", nulls_equal=False
    )
    before = cases.height
    everything = stored[rule.other].select(rule.other_field, *rule.by.values())
    lost = everything.filter(pl.any_horizontal(pl.col(list(rule.by.values())).is_null()))
    unplaced = lost[rule.other_field].drop_nulls()  # they may be of this very thing
    cases = cases.filter(pl.col("found").is_not_null() | ~pl.col(_OURS).is_in(unplaced.implode()))
    if rule.other in refused and len(keys) == 1:
        gone = refused[rule.other][next(iter(rule.by.values()))].drop_nulls()
        cases = cases.filter(pl.col("found").is_not_null() | ~pl.col("by0").is_in(gone.implode()))
    return _outcome(cases, pl.col("found").is_null(), skipped=before - cases.height)


def _parts_sum(rule: CrossRule, own: pl.DataFrame, stored: Frames, refused: Frames) -> Outcome:
    """The parts of one record, or of one side of it, are one whole."""
    key = rule.per[0]
    groups = (
        stored[rule.other]
        .group_by(*rule.per, maintain_order=True)
        .agg(
            pl.col(rule.other_field).sum().alias("sum"),
            pl.col(rule.other_field).null_count().alias("missing"),
            pl.col("token").min().alias("part_token"),
        )
        .filter(pl.col("missing") == 0)
    )
    incomplete = (
        refused[rule.other][key].drop_nulls()
        if rule.other in refused
        else pl.Series(key, [], dtype=pl.String)
    )
    known = groups.filter(~pl.col(key).is_in(incomplete.implode()))
    cases = known.join(own.select(key, "token"), on=key, how="left").with_columns(
        pl.coalesce("token", "part_token").alias("token")
    )
    differs = (pl.col("sum") - pl.lit(rule.total)).abs() > rule.tolerance
    return _outcome(cases, differs, skipped=groups.height - known.height)


def _at_most_one(rule: CrossRule, own: pl.DataFrame, stored: Frames, refused: Frames) -> Outcome:
    """Rows in that state which no other dataset takes out, counted per case."""
    if rule.through is None:
        return Outcome(compared=0)
    live = _only(own, rule.when)
    for ours, theirs in rule.through.by.items():
        done = [stored[rule.through.dataset][theirs].drop_nulls()]
        if rule.through.dataset in refused:
            done.append(refused[rule.through.dataset][theirs].drop_nulls())
        live = live.filter(~pl.col(ours).is_in(pl.concat(done).unique().implode()))
    counted = live.with_columns(pl.len().over(*rule.per).alias("$live"))
    return _outcome(counted, pl.col("$live") > 1)


_RUN: dict[str, Callable[[CrossRule, pl.DataFrame, Frames, Frames], Outcome]] = {
    "agrees_with": _agrees_with,
    "among": _among,
    "at_most_one": _at_most_one,
    "parts_sum": _parts_sum,
}
