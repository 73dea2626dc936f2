"""Fields: what changed in a contract's columns — there or not, type, unit, guards, protection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from tongban.changes.effects import Change
from tongban.changes.facts import Facts
from tongban.kernel.contracts import CLASSIFICATIONS
from tongban.kernel.yamlfile import Where

Guards = dict[str, Any]
_NOT_THE_NAME = ("type", "precision", "scale", "unit", "code_table", "index")
ENCRYPTED = "sensitive"
MOST_TEXT = 60
MOST_NAMES = 5


def field_changes(old: Facts, new: Facts) -> Iterator[Change]:
    """Every change of fields and of the key."""
    renamed = _renamed(old, new)
    for name, facts in old.fields.items():
        target = renamed.get(name, name)
        if target not in new.fields:
            yield Change("field.removed", name, "the field is gone", ("schema", 0, "properties"))
            continue
        where = new.place("field", target)
        if target != name:
            yield Change("field.renamed", name, f"{name} → {target}", where)
        yield from _field(target, facts, new.fields[target], where, old, new)
    for name, facts in new.fields.items():
        if name not in old.fields and name not in renamed.values():
            kind = "field.added_required" if facts["required"] else "field.added"
            yield Change(kind, name, "a new field", new.place("field", name))
    key = tuple(renamed.get(name, name) for name in old.key)
    if key != new.key:
        says = f"{', '.join(old.key)} → {', '.join(new.key)}"
        yield Change("key.changed", "key", says, ("schema", 0, "properties"))


def _renamed(old: Facts, new: Facts) -> dict[str, str]:
    """Old name → new name, where a field went and one just like it came."""
    gone = [name for name in old.fields if name not in new.fields]
    come = [name for name in new.fields if name not in old.fields]
    found: dict[str, str] = {}
    for name in gone:
        before = old.fields[name]
        for candidate in come:
            after = new.fields[candidate]
            is_alike = all(before[fact] == after[fact] for fact in _NOT_THE_NAME[:1])
            same_label = before["texts"].get("businessName") == after["texts"].get("businessName")
            same_place = before["position"] == after["position"] and all(
                before[fact] == after[fact] for fact in _NOT_THE_NAME
            )
            is_named = same_label and before["texts"].get("businessName") is not None
            if candidate not in found.values() and ((is_alike and same_place) or is_named):
                found[name] = candidate
                break
    return found


def _field(
    name: str, old: Guards, new: Guards, where: Where, before: Facts, after: Facts
) -> Iterator[Change]:
    """What changed in one field."""

    def change(kind: str, says: str) -> Change:
        return Change(kind, name, says, where)

    for fact, kind in (
        ("type", "type.changed"),
        ("unit", "unit.changed"),
        ("scale", "scale.changed"),
    ):
        if old[fact] != new[fact]:
            yield change(kind, f"{fact} {shown(old[fact])} → {shown(new[fact])}")
    for fact in ("required", "unique"):
        if old[fact] != new[fact]:
            yield change(
                f"{fact}.{'tightened' if new[fact] else 'loosened'}", _from_to(fact, old, new)
            )
    yield from _guards(old, new, change)
    yield from _values(old, new, change)
    yield from _codes(old, new, before, after, change)
    yield from _protection(old, new, change)
    if not old["deprecated"] and new["deprecated"]:
        yield change("field.deprecated", "marked as deprecated")
    elif old["deprecated"] != new["deprecated"]:
        yield change("text.changed", "not marked as deprecated any more")
    if old["texts"] != new["texts"]:
        yield change("text.changed", f"other words in {differing(old['texts'], new['texts'])}")
    yield from other_changes(name, old["other"], new["other"], where)


Maker = Callable[[str, str], Change]


def _guards(old: Guards, new: Guards, change: Maker) -> Iterator[Change]:
    """Lengths, ranges, precision, pattern."""
    lengths = {"min_length": 1, "max_length": -1}
    for fact, sign in lengths.items():
        yield from _limit("length", fact, sign, old[fact], new[fact], change)
    if old["scale"] == new["scale"]:
        yield from _limit("range", "precision", -1, old["precision"], new["precision"], change)
    for bound in sorted({*old["bounds"], *new["bounds"]}):
        sign = 1 if "minimum" in bound.lower() else -1
        yield from _limit(
            "range", bound, sign, old["bounds"].get(bound), new["bounds"].get(bound), change
        )
    if old["pattern"] != new["pattern"]:
        tail = (
            "tightened"
            if old["pattern"] is None
            else "loosened"
            if new["pattern"] is None
            else "changed"
        )
        yield change(f"pattern.{tail}", _from_to("pattern", old, new))


def _limit(what: str, name: str, sign: int, old: Any, new: Any, change: Maker) -> Iterator[Change]:
    """One bound; `sign` 1 where a greater one is stricter. None is no bound."""
    if old == new or (is_number(old) and is_number(new) and Decimal(str(old)) == Decimal(str(new))):
        return
    says = f"{name} {shown(old)} → {shown(new)}"
    if old is None or new is None:
        yield change(f"{what}.{'tightened' if old is None else 'loosened'}", says)
        return
    first, second = (Decimal(str(v)) if is_number(v) else str(v) for v in (old, new))
    if type(first) is not type(second):
        yield change("type.changed", says)
        return
    is_greater = second > first  # type: ignore[operator]
    yield change(f"{what}.{'tightened' if is_greater == (sign > 0) else 'loosened'}", says)


def _values(old: Guards, new: Guards, change: Maker) -> Iterator[Change]:
    """The closed list of values and the references to other records."""
    if old["values"] != new["values"]:
        before, after = _value_set(old["values"]), _value_set(new["values"])
        yield from _sets("values", before, after, change)
        if before == after:
            yield change("text.changed", "other labels of the values")
    if old["references"] != new["references"]:
        for name in sorted({*new["references"]} - {*old["references"]}):
            yield change("reference.tightened", f"refers to {name}")
        for name in sorted({*old["references"]} - {*new["references"]}):
            yield change("reference.loosened", f"does not refer to {name} any more")


def _value_set(values: Any) -> frozenset[str] | None:
    """Values of an ODCS enum without their labels; None is no list at all."""
    if values is None:
        return None
    return frozenset(str(v.get("value") if isinstance(v, dict) else v) for v in values)


def _sets(
    what: str, old: frozenset[str] | None, new: frozenset[str] | None, change: Maker
) -> Iterator[Change]:
    """Two sets of allowed values; None allows everything."""
    if new is None and old is not None:
        yield change(f"{what}.loosened", "any value is allowed")
    elif old is None and new is not None:
        yield change(f"{what}.tightened", f"only {len(new)} values are allowed")
    elif old is not None and new is not None:
        if gone := sorted(old - new):
            yield change(f"{what}.tightened", f"not allowed any more: {_some(gone)}")
        if come := sorted(new - old):
            yield change(f"{what}.loosened", f"allowed as well: {_some(come)}")


def _codes(
    old: Guards, new: Guards, before: Facts, after: Facts, change: Maker
) -> Iterator[Change]:
    """Another code table; what changed inside one table is said once, with the contract."""
    if old["code_table"] == new["code_table"]:
        return
    yield change("text.changed", _from_to("code_table", old, new))
    codes = [
        None if table is None else frozenset(facts.codes.get(table, {}))
        for table, facts in ((old["code_table"], before), (new["code_table"], after))
    ]
    yield from _sets("values", codes[0], codes[1], change)


def _protection(old: Guards, new: Guards, change: Maker) -> Iterator[Change]:
    """Classification, mask and index."""
    first, second = old["classification"], new["classification"]
    if first != second:
        says = f"classification {first} → {second}"
        if _rank(second) < _rank(first):
            yield change("classification.lowered", says)
        else:
            kind = "encrypted" if second == ENCRYPTED else "raised"
            yield change(f"classification.{kind}", says)
    for fact in ("mask", "index"):
        if old[fact] != new[fact]:
            tail = "added" if old[fact] is None else "removed" if new[fact] is None else "changed"
            yield change(f"{fact}.{tail}", _from_to(fact, old, new))


def _rank(classification: str) -> int:
    """How well it is protected; an unknown word counts as not at all."""
    known = classification in CLASSIFICATIONS
    return CLASSIFICATIONS.index(classification) if known else -1


def other_changes(
    subject: str, old: dict[str, Any], new: dict[str, Any], where: Where
) -> Iterator[Change]:
    """What no fact covers."""
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            kind = "other.added" if name not in old else "other.changed"
            yield Change(
                kind, subject, f"{name} {shown(old.get(name))} → {shown(new.get(name))}", where
            )


def is_number(value: Any) -> bool:
    """Whether it can be compared as a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def differing(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Names of the entries that differ."""
    return ", ".join(sorted(n for n in {*old, *new} if old.get(n) != new.get(n)))


def shown(value: Any) -> str:
    """A fact in a few words."""
    if value is None or not str(value):
        return "none"
    if isinstance(value, tuple):
        return "/".join(str(part) for part in value if part) or "none"
    text = str(value)
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"


def _from_to(fact: str, old: Guards, new: Guards) -> str:
    return f"{fact.replace('_', ' ')} {shown(old[fact])} → {shown(new[fact])}"


def _some(names: list[str]) -> str:
    """The first few names of a list."""
    return ", ".join(names[:MOST_NAMES]) + (
        f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    )
