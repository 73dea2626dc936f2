"""Rules: what changed in a contract's explicit rules — there or not, stricter or laxer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tongban.changes.effects import Change
from tongban.changes.facts import Facts
from tongban.changes.fields import differing, is_number, other_changes, shown
from tongban.kernel.yamlfile import Where

Rule = dict[str, Any]
_STRICTER = {("<=", "<"), (">=", ">"), ("<=", "="), (">=", "="), ("<=", "=="), (">=", "==")}
_GREATER_IS_LAXER = {"tolerance", "maximum"}
_GREATER_IS_STRICTER = {"minimum"}
_MORE_IN_LIST = {
    ("in", "values"): "loosened",
    ("id_by_type", "resident"): "tightened",
    ("id_by_type", "credit"): "tightened",
}


def rule_changes(old: Facts, new: Facts) -> Iterator[Change]:
    """Every change of rules."""
    renamed = _renamed(old, new)
    for name, rule in old.rules.items():
        target = renamed.get(name, name)
        if target not in new.rules:
            kind = "rule.removed" if rule["severity"] == "error" else "rule.removed_warning"
            yield Change(kind, name, f"the rule ({rule['kind']}) is gone", ("schema", 0))
            continue
        where = new.place("rule", target)
        if target != name:
            yield Change("rule.renamed", name, f"{name} → {target}", where)
        yield from _rule(target, rule, new.rules[target], where)
    for name, rule in new.rules.items():
        if name not in old.rules and name not in renamed.values():
            kind = "rule.added" if rule["severity"] == "error" else "rule.added_warning"
            yield Change(kind, name, f"a new rule ({rule['kind']})", new.place("rule", name))


def _renamed(old: Facts, new: Facts) -> dict[str, str]:
    """Old id → new id of rules that say the same."""
    found: dict[str, str] = {}
    come = [name for name in new.rules if name not in old.rules]
    for name, rule in old.rules.items():
        if name in new.rules:
            continue
        for candidate in come:
            other = new.rules[candidate]
            is_same = all(rule[fact] == other[fact] for fact in ("kind", "params", "severity"))
            if is_same and candidate not in found.values():
                found[name] = candidate
                break
    return found


def _rule(name: str, old: Rule, new: Rule, where: Where) -> Iterator[Change]:
    """What changed in one rule."""
    if old["severity"] != new["severity"]:
        kind = "severity.raised" if new["severity"] == "error" else "severity.lowered"
        yield Change(kind, name, f"severity {old['severity']} → {new['severity']}", where)
    only_warned = old["severity"] != "error"  # it never refused a row, so it promised nothing
    for direction, says in _directions(old, new):
        kind = "rule.warning_changed" if only_warned else f"rule.{direction}"
        yield Change(kind, name, says, where)
    if old["dimension"] != new["dimension"]:
        says = f"dimension {old['dimension']} → {new['dimension']}"
        yield Change("rule.dimension", name, says, where)
    if old["texts"] != new["texts"]:
        says = f"other words in {differing(old['texts'], new['texts'])}"
        yield Change("text.changed", name, says, where)
    yield from other_changes(name, old["other"], new["other"], where)


def _directions(old: Rule, new: Rule) -> Iterator[tuple[str, str]]:
    """Parameter by parameter: tightened, loosened or changed, and what it was and is."""
    if old["kind"] != new["kind"]:
        yield "changed", f"rule {old['kind']} → {new['kind']}"
        return
    before, after = old["params"], new["params"]
    for name in sorted({*before, *after}):
        first, second = before.get(name), after.get(name)
        if first != second:
            says = f"{name} {shown(first)} → {shown(second)}"
            for direction in sorted(_direction(old["kind"], name, first, second)):
                yield direction, says


def _direction(kind: str, name: str, old: Any, new: Any) -> set[str]:
    """Which way one parameter went; both ways for a list that lost and won entries."""
    if name == "tolerance":
        old, new = old or 0, new or 0
    if is_number(old) and is_number(new) and name in _GREATER_IS_LAXER | _GREATER_IS_STRICTER:
        return {"loosened" if (new > old) == (name in _GREATER_IS_LAXER) else "tightened"}
    if isinstance(old, list) and isinstance(new, list) and (kind, name) in _MORE_IN_LIST:
        return _set_direction(old, new, more=_MORE_IN_LIST[kind, name])
    if name == "when" and isinstance(old, dict) and isinstance(new, dict) and {*old} == {*new}:
        lists = [(_list(old[field]), _list(new[field])) for field in old]
        return set().union(*(_set_direction(a, b, more="tightened") for a, b in lists))
    if name == "op" and (old, new) in _STRICTER:
        return {"tightened"}
    return {"loosened"} if name == "op" and (new, old) in _STRICTER else {"changed"}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _set_direction(old: list[Any], new: list[Any], *, more: str) -> set[str]:
    """Which entries came and which went; a mere reordering is nothing."""
    less = "loosened" if more == "tightened" else "tightened"
    before, after = {str(item) for item in old}, {str(item) for item in new}
    return ({more} if after - before else set()) | ({less} if before - after else set())
