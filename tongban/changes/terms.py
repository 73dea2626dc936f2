"""Terms: what changed in a contract's promises, limits, policies and words beside its fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tongban.changes.effects import Change
from tongban.changes.facts import Facts
from tongban.changes.fields import differing, is_number, shown
from tongban.kernel.contract_terms import END_OF_SUPPORT
from tongban.kernel.drifts import DRIFT_NAMES, DriftLimits
from tongban.kernel.yamlfile import Where

_SECONDS = {
    "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600,
    "d": 86400, "day": 86400, "w": 604800, "week": 604800, "month": 2629746, "mo": 2629746,
    "y": 31556952, "year": 31556952,
}  # fmt: skip
_LESS_IS_BETTER = {
    "latency", "freshness", "frequency", "errorRate", "timeToDetect", "timeToNotify",
    "timeToRepair",
}  # fmt: skip
_MORE_IS_BETTER = {"retention", "availability", "throughput"}
_LIMITS = {"dirtyLimit": ("share", "rows"), "deleteLimit": ("share", "rows")}
_DEFAULTS: dict[str, Any] = {
    "dirtyLimit": {"share": 1.0, "rows": 0},
    "deleteLimit": {"share": 0.1, "rows": 20},
    "rectificationDays": 5,
}
_STRICTNESS = (
    "ignore", "record", "drop", "warn", "warning", "ticket", "quarantine", "hold", "refuse",
    "freeze",
)  # fmt: skip
_DRIFT = {"accept": []} | {
    name: getattr(DriftLimits(), field) for name, field in DRIFT_NAMES.items() if field != "accept"
}


def term_changes(old: Facts, new: Facts) -> Iterator[Change]:
    """Every change beside fields and rules."""
    if old.dataset != new.dataset:
        yield Change("dataset.renamed", "schema", f"{old.dataset} → {new.dataset}", ("schema", 0))
    yield from _promises(old, new)
    for name in sorted({*old.terms, *new.terms}):
        before, after = (facts.terms.get(name, _DEFAULTS.get(name)) for facts in (old, new))
        if before != after:
            yield from _term(name, before, after, _place(new, name))
    yield from _codes(old, new)
    if old.texts != new.texts:
        says = f"other words in {differing(old.texts, new.texts)}"
        yield Change("text.changed", "contract", says)


def _place(new: Facts, name: str) -> Where:
    """The entry of customProperties, or the key of that name."""
    for i, item in enumerate(new.document.get("customProperties") or []):
        if item.get("property") == name:
            return "customProperties", i
    return (name,) if name in new.document else ("customProperties",)


def _term(name: str, old: Any, new: Any, where: Where) -> Iterator[Change]:
    """One term."""
    says = f"{shown(old)} → {shown(new)}"
    if name == "status":
        yield Change("status.retired" if new == "retired" else "status.changed", name, says, where)
    elif name == "owner":
        yield Change("owner.changed", name, says, where)
    elif name == "changeTime":
        yield Change("change_time.changed", name, says, where)
    elif name == "rectificationDays" and is_number(old) and is_number(new):
        tail = "longer" if new > old else "shorter"
        yield Change(f"rectification.{tail}", name, says, where)
    elif name in _LIMITS:
        yield from _limits(name, old or {}, new or {}, where)
    elif name == "drift":
        yield from _policies(name, _DRIFT | (old or {}), _DRIFT | (new or {}), where)
    elif isinstance(old, dict) and isinstance(new, dict):
        yield from _policies(name, old, new, where)
    else:
        yield Change("other.added" if old is None else "other.changed", name, says, where)


def _limits(name: str, old: dict[str, Any], new: dict[str, Any], where: Where) -> Iterator[Change]:
    """A limit by share and by rows: a greater number lets more through."""
    for part in _LIMITS[name]:
        before, after = (float(limits.get(part, _DEFAULTS[name][part])) for limits in (old, new))
        if before != after:
            kind = "limit.loosened" if after > before else "limit.tightened"
            yield Change(kind, f"{name}.{part}", f"{before:g} → {after:g}", where)


def _policies(
    name: str, old: dict[str, Any], new: dict[str, Any], where: Where
) -> Iterator[Change]:
    """A table of policies or thresholds, entry by entry."""
    for part in sorted({*old, *new}):
        before, after = old.get(part), new.get(part)
        if before == after:
            continue
        says = f"{shown(before)} → {shown(after)}"
        yield Change(_policy_kind(before, after), f"{name}.{part}", says, where)


def _policy_kind(old: Any, new: Any) -> str:
    """Stricter or laxer, as far as the words tell; a threshold or a list that grew passes more."""
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return "policy.loosened" if {*new} - {*old} else "policy.tightened"
    if is_number(old) and is_number(new):
        return "policy.loosened" if new > old else "policy.tightened"
    words = [str(word).lower() for word in (old, new)]
    if all(word in _STRICTNESS for word in words):
        first, second = map(_STRICTNESS.index, words)
        return "policy.tightened" if second > first else "policy.loosened"
    return "other.added" if old is None else "other.changed"


def _promises(old: Facts, new: Facts) -> Iterator[Change]:
    """SLA properties: faster, slower, gone or new."""
    for name in sorted({*old.promises, *new.promises}):
        before, after = old.promises.get(name), new.promises.get(name)
        if before == after:
            continue
        where = _promise_place(new, name)
        subject = " of ".join(part for part in name if part)
        says = f"{_promise_text(before)} → {_promise_text(after)}"
        yield from _promise(name[0], before, after, Change("sla.changed", subject, says, where))


def _promise(
    name: str, old: dict[str, Any] | None, new: dict[str, Any] | None, change: Change
) -> Iterator[Change]:
    """One promise; days of the end of support are compared as days."""

    def kind(word: str) -> Change:
        return Change(word, change.subject, change.says, change.where)

    if name == END_OF_SUPPORT:
        days = [str(item["value"]) if item else "" for item in (old, new)]
        if not days[0]:
            yield kind("support.announced")
        elif days[0] != days[1]:
            yield kind("support.longer" if not days[1] or days[1] > days[0] else "support.shorter")
        return
    if old is None or new is None:
        yield kind("sla.faster" if old is None else "sla.slower")
        return
    first, second = _amount(old), _amount(new)
    if old["other"] != new["other"] or first is None or second is None:
        yield kind("sla.changed")
    elif first != second:
        if name not in _LESS_IS_BETTER | _MORE_IS_BETTER:
            yield kind("sla.changed")
        else:
            is_better = (second < first) == (name in _LESS_IS_BETTER)
            yield kind("sla.faster" if is_better else "sla.slower")


def _amount(promise: dict[str, Any]) -> float | None:
    """The promised amount in seconds, or as it is where its unit is no time."""
    value, unit = promise["value"], str(promise["unit"] or "").lower()
    if not is_number(value):
        return None
    return float(value) * _SECONDS.get(unit, _SECONDS.get(unit.removesuffix("s"), 1))


def _promise_text(promise: dict[str, Any] | None) -> str:
    if promise is None:
        return "none"
    return " ".join(str(promise[part]) for part in ("value", "unit") if promise[part] is not None)


def _promise_place(new: Facts, name: tuple[str, str]) -> Where:
    for i, item in enumerate(new.document.get("slaProperties") or []):
        if (str(item.get("property")), str(item.get("element") or "")) == name:
            return "slaProperties", i
    return ("slaProperties",)


def _codes(old: Facts, new: Facts) -> Iterator[Change]:
    """Code tables that both forms name."""
    for table in sorted({*old.codes} & {*new.codes}):
        before, after = old.codes[table], new.codes[table]
        subject = f"code table {table}"
        for code in sorted({*before} - {*after}):
            yield Change("codes.removed", subject, f"the code {code} is gone")
        for code in sorted({*after} - {*before}):
            yield Change("codes.added", subject, f"the new code {code}")
        for code in sorted({*before} & {*after}):
            if before[code][0::3] != after[code][0::3]:
                yield Change("text.changed", subject, f"another label of the code {code}")
            if _days(before[code]) != _days(after[code]):
                kind = "codes.ended" if _is_shorter(before[code], after[code]) else "codes.added"
                yield Change(kind, subject, f"other days of the code {code}")


def _days(code: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """First and last day of each time in which a code is valid."""
    return tuple(zip(code[1::3], code[2::3], strict=True))


def _is_shorter(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """Whether some day on which the code was valid is none any more."""
    before, after = (
        (min(first for first, _ in days), max(last or "9999" for _, last in days))
        for days in (_days(old), _days(new))
    )
    return after[0] > before[0] or after[1] < before[1]
