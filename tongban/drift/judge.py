"""Judge: from a fingerprint to the kinds of drift in it, each with what is done about it.

    warning     told to the owner; the batch goes on
    quarantine  the rows that are concerned are refused, the others go on
    held        stored, but nothing of it goes to a target before a person agrees
    frozen      nothing of the batch is stored before the mapping is right or a person agrees

A batch is judged alone against contract and mapping, and against the batches before it where a
habit is needed to notice a change. Numbers in `detail` are counts and shares, never a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from datetime import timedelta
from math import log10
from statistics import median

from tongban.drift.fingerprint import Expected, Fingerprint
from tongban.drift.seen import EMPTY, LIST, NESTED, is_moment
from tongban.kernel.drifts import KINDS

MOST_NAMES = 20
MOSTLY_THERE = 0.5
_INSIDE = {NESTED: "became_nested", LIST: "became_list"}
_NUMBER = re.compile(r"[0-9]{6,}")
Detail = dict[str, float | int | str]


@dataclass(frozen=True, slots=True)
class Drifted:
    """One change of habit in one batch.

    Attributes:
        kind: One of `tongban.kernel.drifts.KINDS`.
        field: Source path or contract field, or empty for the whole batch.
        policy: warning, quarantine, held, frozen, or accepted where the contract says so.
    """

    kind: str
    field: str
    policy: str
    detail: Detail = default(default_factory=dict)


Found = Iterator[tuple[str, str, str | None, Detail]]  # kind, field, milder policy, detail


def judge(
    seen: Fingerprint,
    expected: Expected,
    history: Sequence[Fingerprint],
    *,
    total: int | None = None,
    volumes: Sequence[int] = (),
) -> list[Drifted]:
    """Name every kind of drift in a batch.

    Args:
        seen: The batch.
        expected: What mapping and contract say.
        history: Batches before it, newest first.
        total: Rows of the whole batch, when they are known.
        volumes: Rows of earlier batches of the same kind (snapshot or increment).
    """
    judges: tuple[Callable[[Fingerprint, Expected, Sequence[Fingerprint]], Found], ...] = (
        _names,
        _missing,
        _unreadable,
        _looks,
        _habits,
        _new_codes,
    )
    habits = [past for past in history if past.rows >= expected.limits.rows]
    found = [item for one in judges for item in one(seen, expected, habits)]
    if total is not None:
        found += _volume(total, expected, volumes)
    accepted = expected.limits.accept
    return [
        Drifted(kind, name, "accepted" if kind in accepted else milder or KINDS[kind], detail)
        for kind, name, milder, detail in found
    ]


def _plain(name: str) -> str:
    """A field name without what people add or lose by accident."""
    return "".join(char for char in name.casefold() if char.isalnum() or char == ".")


def _shown(name: str) -> str:
    """A source's name, short and printable; one made of a record's number shows none of it."""
    return _NUMBER.sub("#", "".join(filter(str.isprintable, name)))[:64]


def _names(seen: Fingerprint, expected: Expected, _: Sequence[Fingerprint]) -> Found:
    """Names that nobody agreed on, by how they differ from those that were."""
    known = {path for paths in expected.sources.values() for path in paths} | set(seen.fields)
    plain = {_plain(name): name for name in known}
    for name in seen.unknown[:MOST_NAMES]:
        parent = name.rpartition(".")[0]
        if name.endswith("[]"):
            yield "became_list", _shown(name[:-2]), "warning", {}
        elif name.endswith("~"):
            yield "field_order", _shown(name[:-1]), None, {}
        elif parent in known:
            yield "became_nested", _shown(parent), None, {}
        elif _plain(name) in plain:
            yield "renamed_field", _shown(name), None, {"known_as": plain[_plain(name)]}
        else:
            yield "new_field", _shown(name), None, {}


def _missing(seen: Fingerprint, expected: Expected, habits: Sequence[Fingerprint]) -> Found:
    """Contract fields of which no row has anything."""
    if seen.rows < expected.limits.rows:
        return
    for name, paths in expected.sources.items():
        if not all(seen.empty_share(path) >= 1.0 for path in paths):
            continue
        detail: Detail = {"source": ", ".join(paths), "rows": seen.rows}
        if name in expected.required:
            yield "missing_required", name, None, detail
        elif any(past.empty_share(path) < MOSTLY_THERE for past in habits[:1] for path in paths):
            yield "missing_optional", name, None, detail


def _unreadable(seen: Fingerprint, expected: Expected, habits: Sequence[Fingerprint]) -> Found:
    """Values that the mapping cannot read, and cells with broken characters."""
    limits = expected.limits
    for name, share in seen.failed.items():
        detail: Detail = {"share": round(share, 4)}
        if share > limits.type_share and seen.rows >= limits.rows:
            yield "type_change", name, None, detail
        elif habits and not any(name in past.failed for past in habits):
            yield "type_change", name, "quarantine", detail
    for path, field_seen in seen.fields.items():
        if field_seen.garbage:
            share = field_seen.garbage / seen.rows
            milder = (
                None if share > limits.garbage_share and seen.rows >= limits.rows else "warning"
            )
            yield "garbage", path, milder, {"rows": field_seen.garbage, "share": round(share, 4)}


def _looks(seen: Fingerprint, expected: Expected, habits: Sequence[Fingerprint]) -> Found:
    """Fields that are written in another way than in the last batches."""
    if seen.rows < expected.limits.rows:
        return
    for path, now in seen.fields.items():
        past = [one.fields[path] for one in habits if path in one.fields]
        before = next((one.look for one in past if one.look != EMPTY), None)
        if now.look in _INSIDE and now.look != before and (before or path in expected.single):
            yield _INSIDE[now.look], path, None, {"before": before or "one value"}
        if before is None or now.look == EMPTY:
            continue
        if is_moment(before) and is_moment(now.look) and now.look != before:
            yield "date_format", path, None, {"before": before, "now": now.look}
        sizes = [one.magnitude for one in past if one.magnitude is not None]
        if sizes and now.magnitude is not None:
            moved = now.magnitude - median(sizes)
            if abs(moved) >= log10(expected.limits.unit_factor):
                yield "unit_change", path, None, {"log10_factor": round(moved, 1)}


def _habits(seen: Fingerprint, expected: Expected, habits: Sequence[Fingerprint]) -> Found:
    """Fields that are emptier than usual or have become one value; and a batch of old changes."""
    newest = max((past.newest for past in habits if past.newest), default=None)
    if newest and seen.newest and seen.newest < newest - timedelta(days=expected.limits.old_days):
        yield "old_batch", "", None, {"days": (newest - seen.newest).days}
    if len(habits) < expected.limits.history or seen.rows < expected.limits.rows:
        return
    for path, now in seen.fields.items():
        usual = median(past.empty_share(path) for past in habits)
        share = seen.empty_share(path)
        if share - usual > expected.limits.null_jump and share < 1.0:
            yield "null_rate", path, None, {"usual": round(usual, 3), "now": round(share, 3)}
        varied = all(not past.fields[path].constant for past in habits if path in past.fields)
        if now.constant and varied:
            yield "constant", path, None, {"rows": seen.rows}


def _new_codes(seen: Fingerprint, _: Expected, __: Sequence[Fingerprint]) -> Found:
    """Codes that the code table does not know."""
    for path, codes in seen.new_codes.items():
        yield "new_code", path, None, {"codes": len(codes), "rows": sum(codes.values())}


def _volume(total: int, expected: Expected, volumes: Sequence[int]) -> Found:
    """Many more or fewer rows than usual."""
    limits = expected.limits
    if len(volumes) < limits.history:
        return
    usual = median(volumes)
    if usual >= limits.volume_rows and abs(total - usual) > limits.volume_share * usual:
        yield "volume", "", None, {"usual": int(usual), "rows": total}
