"""Cross rules: what only several datasets together can show, as data in a contract.

They stand below the schema's `quality`, like rules of one row, and are the audit's business: a
record is not refused for what another department wrote. The vocabulary is closed:

| kind | says |
|---|---|
| `agrees_with` | a field equals (or is not after, not before) a field of another dataset's record |
| `among` | a field is one of the values that another dataset has for the same thing |
| `parts_sum` | a field of all parts of one record adds up to a total |
| `at_most_one` | of the rows with one value, at most one is in such a state |

Classified fields are compared by their blind index or by a hash, never in plain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as made
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from tongban.kernel.contract_rules import CROSS_KINDS, Entry, entries
from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.yamlfile import Where, YamlFile, load_yaml, suggestion

if TYPE_CHECKING:
    from tongban.kernel.codes import CodeTables
    from tongban.kernel.contracts import Contract

Values = dict[str, tuple[str, ...]]
CrossKind = Literal["agrees_with", "among", "at_most_one", "parts_sum"]
OPERATORS = ("=", "<=", ">=")
PARAMETERS: dict[str, tuple[str, ...]] = {
    "agrees_with": ("field", "with", "by", "op", "tolerance", "when", "with_when", "through"),
    "among": ("field", "with", "by", "when", "with_when", "through"),
    "parts_sum": ("with", "per", "total", "tolerance"),
    "at_most_one": ("per", "when", "unless"),
}
_NEEDED: dict[str, tuple[str, ...]] = {
    "agrees_with": ("field", "with", "by"),
    "among": ("field", "with", "by"),
    "parts_sum": ("with", "per", "total"),
    "at_most_one": ("per", "when", "unless"),
}
_NESTED = {"through": ("dataset", "by", "when"), "unless": ("dataset", "by")}


@dataclass(frozen=True, slots=True)
class Through:
    """Another dataset that stands between two, or that takes a row out.

    Attributes:
        by: Our field → its field.
        when: Only rows of it whose field has one of the values.
    """

    dataset: str
    by: dict[str, str]
    when: Values = made(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CrossRule:
    """One rule over several datasets.

    Attributes:
        id: `<dataset>.<rule>`, as of every rule.
        english: The description for developers; customProperty `english`.
        field: Our field; empty where the kind has none.
        other, other_field: Dataset and field that it is held against.
        by: Our field (or one of `through`) → the other dataset's field: which records belong
            together.
        per: Fields that make one case.
        where: Its place in the file.
    """

    id: str
    kind: CrossKind
    description: str
    english: str
    severity: str
    dimension: str
    where: Where
    field: str = ""
    other: str = ""
    other_field: str = ""
    by: dict[str, str] = made(default_factory=dict)
    op: str = "="
    tolerance: Decimal = Decimal(0)
    total: Decimal = Decimal(0)
    when: Values = made(default_factory=dict)
    other_when: Values = made(default_factory=dict)
    per: tuple[str, ...] = ()
    through: Through | None = None

    @property
    def short_id(self) -> str:
        """The rule's own part of its id."""
        return self.id.rpartition(".")[2]


def read_cross_rules(
    file: YamlFile, schema: dict[str, Any], names: set[str]
) -> tuple[CrossRule, ...]:
    """The rules over several datasets, in file order, own fields checked.

    Raises:
        ConfigInvalid: An unknown or missing parameter or field; with file:line and a suggestion.
    """
    found = []
    for entry in entries(file, schema):
        if entry.kind in CROSS_KINDS:
            rule = _Reader(file, entry).rule()
            own = [rule.field, *rule.per, *rule.when, *_own_keys(rule)]
            for name in own if rule.kind != "parts_sum" else rule.per[:1]:
                if name and name not in names:
                    text = f'the rule names the field "{name}"{suggestion(name, names)}'
                    file.fail((*entry.where, "implementation"), text)
            found.append(rule)
    return tuple(found)


def _own_keys(rule: CrossRule) -> tuple[str, ...]:
    """Our fields that join; those of `through` cannot be judged without its contract."""
    return tuple(rule.through.by) if rule.through is not None else tuple(rule.by)


def check_cross_rules(
    contract: Contract, others: Mapping[str, Contract], codes: CodeTables
) -> None:
    """Hold a contract's cross rules against the contracts that they read.

    Raises:
        ConfigInvalid: A dataset, field or code that does not exist, or fields of different types.
    """
    for rule in contract.cross_rules:
        for dataset, name in _used(rule, contract):
            if dataset not in others:
                raise ConfigInvalid(
                    f'{place_of(contract, rule)}: rule {rule.id}: no contract "{dataset}"'
                    f"{suggestion(dataset, others)}"
                )
            if name not in others[dataset].by_name:
                raise ConfigInvalid(
                    f"{place_of(contract, rule)}: rule {rule.id}: the contract {dataset} has no "
                    f'field "{name}"'
                    f"{suggestion(name, others[dataset].by_name)}"
                )
        _check_codes(rule, contract, others, codes)
        if rule.kind == "agrees_with":
            types = contract.field(rule.field).type, others[rule.other].field(rule.other_field).type
            if types[0] != types[1]:
                raise ConfigInvalid(
                    f"{place_of(contract, rule)}: rule {rule.id}: {rule.field} is {types[0]}, but "
                    f"{rule.other}.{rule.other_field} is {types[1]}; they cannot be compared"
                )


def place_of(contract: Contract, rule: CrossRule) -> str:
    """`file:line` of a rule, read again only to refuse it."""
    return load_yaml(contract.path, root=contract.path.parents[2]).at(rule.where)


def _check_codes(
    rule: CrossRule, contract: Contract, others: Mapping[str, Contract], codes: CodeTables
) -> None:
    """A misspelt code in `when` would silently compare nothing."""
    conditions = [(contract, rule.when)]
    if rule.other:
        conditions.append((others[rule.other], rule.other_when))
    if rule.through is not None:
        conditions.append((others[rule.through.dataset], rule.through.when))
    for side, when in conditions:
        for name, values in when.items():
            table = side.field(name).code_table
            known = codes.known(table) if table else frozenset(values)
            for value in values:
                if value not in known:
                    raise ConfigInvalid(
                        f'{place_of(contract, rule)}: rule {rule.id}: {name} has no code "{value}"'
                        f"{suggestion(value, known)}"
                    )


def _used(rule: CrossRule, contract: Contract) -> Iterator[tuple[str, str]]:
    """(dataset, field) of everything that a rule reads of other datasets."""
    through = rule.through
    if rule.other:
        yield from ((rule.other, name) for name in (rule.other_field, *rule.by.values()))
        yield from ((rule.other, name) for name in rule.other_when)
    if rule.kind == "parts_sum":
        yield from ((rule.other, name) for name in rule.per)
    if through is not None:
        yield from ((through.dataset, name) for name in (*through.by.values(), *through.when))
        if rule.kind != "at_most_one":
            yield from ((through.dataset, name) for name in rule.by if name not in contract.by_name)


class _Reader:
    """The parameters of one entry, checked while they are read."""

    def __init__(self, file: YamlFile, entry: Entry) -> None:
        self.file = file
        self.entry = entry
        self.place = (*entry.where, "implementation")
        allowed = PARAMETERS[entry.kind]
        self._only(entry.body, ("rule", *allowed))
        for name in _NEEDED[entry.kind]:
            if entry.body.get(name) is None:
                self._refuse(f'needs the parameter "{name}"')

    def rule(self) -> CrossRule:
        """The whole rule."""
        entry, body = self.entry, self.entry.body
        other, _, other_field = str(body.get("with") or "").rpartition(".")
        if body.get("with") is not None and not other:
            self._refuse('needs "with" as dataset.field')
        op = str(body.get("op", "="))
        if op not in OPERATORS:
            self._refuse(f'does not know the op "{op}"{suggestion(op, OPERATORS)}')
        listed = entry.quality.get("customProperties") or []
        custom = {item.get("property"): item.get("value") for item in listed}
        return CrossRule(
            id=entry.id,
            kind=entry.kind,  # type: ignore[arg-type]  # one of CROSS_KINDS
            description=entry.description,
            english=str(custom.get("english") or ""),
            severity=entry.severity,
            dimension=entry.dimension,
            where=entry.where,
            field=str(body.get("field") or ""),
            other=other,
            other_field=other_field,
            by=self._names(body, "by"),
            op=op,
            tolerance=self._number("tolerance"),
            total=self._number("total"),
            when=self._values(body, "when"),
            other_when=self._values(body, "with_when"),
            per=tuple(map(str, body.get("per") or ())),
            through=self._through("unless" if entry.kind == "at_most_one" else "through"),
        )

    def _through(self, name: str) -> Through | None:
        value = self.entry.body.get(name)
        if value is None:
            return None
        if not isinstance(value, dict) or not value.get("dataset") or not value.get("by"):
            self._refuse(f'needs "{name}" with a dataset and by')
        self._only(value, _NESTED[name])
        return Through(str(value["dataset"]), self._names(value, "by"), self._values(value, "when"))

    def _only(self, given: dict[str, Any], allowed: tuple[str, ...]) -> None:
        for name in given:
            if name not in allowed:
                self._refuse(f'has no parameter "{name}"{suggestion(str(name), allowed)}')

    def _names(self, body: dict[str, Any], name: str) -> dict[str, str]:
        value = body.get(name) or {}
        if not isinstance(value, dict):
            self._refuse(f'needs "{name}" as {{our field: their field}}')
        return {str(ours): str(theirs) for ours, theirs in value.items()}

    def _values(self, body: dict[str, Any], name: str) -> Values:
        value = body.get(name) or {}
        if not isinstance(value, dict) or not all(isinstance(v, list) for v in value.values()):
            self._refuse(f'needs "{name}" as {{field: [values]}}')
        return {str(field): tuple(map(str, values)) for field, values in value.items()}

    def _number(self, name: str) -> Decimal:
        try:
            return Decimal(str(self.entry.body.get(name, 0)))
        except InvalidOperation:
            self._refuse(f'needs the parameter "{name}" as a number')

    def _refuse(self, what: str) -> NoReturn:
        self.file.fail(self.place, f"rule {self.entry.id} ({self.entry.kind}) {what}")
