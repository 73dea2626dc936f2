"""Mappings: how a source's record becomes the contract's record, and back, as data.

Only the shape of the files is checked here (keys, targets, references to fields); what an
operation does and which arguments it takes is known to `tongban.normalize`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tongban.kernel.codes import CodeTables
from tongban.kernel.contract_terms import major_name
from tongban.kernel.contracts import Contract
from tongban.kernel.records import RecordShape
from tongban.kernel.yamlfile import YamlFile, load_yaml, parse_model, suggestion

_SOURCES_IN_ARGUMENTS = (("id_by_type", "type"), ("code", "at"))
SPECIAL_SOURCES = frozenset({"$guid", "$op", "$version", "$now", "$digest"})


@dataclass(frozen=True, slots=True)
class Op:
    """One operation of the closed list, with its arguments and its place in the file."""

    name: str
    args: Any
    where: str


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How one target field is made: sources in order, then operations in order."""

    target: str
    sources: tuple[str, ...]
    ops: tuple[Op, ...]
    where: str

    @property
    def deciding(self) -> tuple[str, ...]:
        """Sources that only decide how the others are read; they stand in arguments."""
        return tuple(
            str(op.args[argument])
            for op in self.ops
            for name, argument in _SOURCES_IN_ARGUMENTS
            if op.name == name and isinstance(op.args, dict) and argument in op.args
        )


@dataclass(frozen=True)
class Mapping:
    """The way in: one source dataset to one contract.

    Attributes:
        explode: Path of the list whose elements become rows, or None.
        source_key: Source names that identify a record, in order.
        ignore: Source names that are known and not carried.
        examples: `{"given": …, "expect": …}` documents that stand beside the mapping as tests.
    """

    system: str
    dataset: str
    version: str
    contract_version: int | None
    explode: str | None
    source_key: tuple[str, ...]
    fields: dict[str, FieldMapping]
    ignore: tuple[str, ...]
    examples: tuple[dict[str, Any], ...]
    digest: str
    path: Path

    @property
    def shape(self) -> RecordShape:
        """Which source paths the decoder has to give, the key's first."""
        used = list(self.source_key)
        for item in self.fields.values():
            used += item.sources
            used += item.deciding
        fields = tuple(dict.fromkeys(used))
        return RecordShape(
            fields=fields, explode=self.explode, known=frozenset(fields) | frozenset(self.ignore)
        )


@dataclass(frozen=True, slots=True)
class PushChild:
    """A list inside the outgoing document, filled from another dataset."""

    dataset: str
    on: dict[str, str]
    fields: dict[str, FieldMapping]


@dataclass(frozen=True)
class PushMapping:
    """The way out: one contract to one target's record.

    Attributes:
        where: Only rows whose field has one of the values are sent.
        fields: Dotted target path → how it is made.
        children: Dotted target path of a list → its rows.
        examples: `{"given": …, "children": …, "expect": …}` documents that are tests.
    """

    target: str
    dataset: str
    version: str
    where: dict[str, tuple[str, ...]]
    fields: dict[str, FieldMapping]
    children: dict[str, PushChild]
    digest: str
    path: Path
    examples: tuple[dict[str, Any], ...] = ()


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class _FieldModel(_Strict):
    from_: str | list[str] | None = Field(default=None, alias="from")
    ops: list[str | dict[str, Any]] = []


class _MappingModel(_Strict):
    mapping: str
    system: str
    version: str
    contract: str
    contract_version: int | None = None
    explode: str | None = None
    key: list[str]
    fields: dict[str, _FieldModel]
    ignore: list[str] = []
    examples: list[dict[str, Any]] = []


class _ChildModel(_Strict):
    dataset: str
    on: dict[str, str]
    fields: dict[str, _FieldModel]


class _PushModel(_Strict):
    mapping: str
    target: str
    version: str
    contract: str
    contract_version: int | None = None
    where: dict[str, list[str]] = {}
    fields: dict[str, _FieldModel]
    children: dict[str, _ChildModel] = {}
    examples: list[dict[str, Any]] = []


def load_mapping(path: Path, *, root: Path | None = None) -> Mapping:
    """Read one mapping of the way in.

    Raises:
        ConfigInvalid: Unknown key, wrong type or missing part, with file:line and a suggestion.
    """
    file = load_yaml(path, root=root)
    model = parse_model(file, _MappingModel)
    return Mapping(
        system=model.system,
        dataset=major_name(model.mapping, model.contract_version or 1),
        version=model.version,
        contract_version=model.contract_version,
        explode=model.explode,
        source_key=tuple(model.key),
        fields=_fields(file, ("fields",), model.fields),
        ignore=tuple(model.ignore),
        examples=tuple(model.examples),
        digest=_digest(file),
        path=path,
    )


def load_push_mapping(path: Path, *, root: Path | None = None) -> PushMapping:
    """Read one mapping of the way out; raises as `load_mapping`."""
    file = load_yaml(path, root=root)
    model = parse_model(file, _PushModel)
    return PushMapping(
        target=model.target,
        dataset=major_name(model.mapping, model.contract_version or 1),
        version=model.version,
        where={name: tuple(values) for name, values in model.where.items()},
        fields=_fields(file, ("fields",), model.fields),
        children={
            name: PushChild(
                dataset=child.dataset,
                on=dict(child.on),
                fields=_fields(file, ("children", name, "fields"), child.fields),
            )
            for name, child in model.children.items()
        },
        digest=_digest(file),
        path=path,
        examples=tuple(model.examples),
    )


def check_mapping(mapping: Mapping, contract: Contract, *, root: Path | None = None) -> None:
    """Hold a mapping against its contract.

    Raises:
        ConfigInvalid: A target that the contract has not, or a required field without a mapping.
    """
    file = load_yaml(mapping.path, root=root)
    for name in mapping.fields:
        if name not in contract.by_name:
            hint = suggestion(name, contract.by_name)
            file.fail(("fields", name), f'the contract has no field "{name}"{hint}')
    for item in contract.fields:
        if item.required and item.name not in mapping.fields:
            file.fail(("fields",), f'the required field "{item.name}" is not mapped; add it')


def check_push_mapping(
    mapping: PushMapping,
    contracts: dict[str, Contract],
    codes: CodeTables | None = None,
    *,
    root: Path | None = None,
) -> None:
    """Hold an outgoing mapping against the contracts that it reads; raises ConfigInvalid.

    With `codes`, the values of `where` must be codes of their fields' tables.
    """
    file = load_yaml(mapping.path, root=root)
    own = contracts[mapping.dataset]
    _check_sources(file, ("fields",), mapping.fields, own)
    for name, values in mapping.where.items():
        _known_field(file, ("where", name), name, own)
        table = own.field(name).code_table
        known = codes.known(table) if codes is not None and table else frozenset(values)
        for i, value in enumerate(values):
            if value not in known:
                hint = suggestion(value, known)
                file.fail(("where", name, i), f'{name} has no code "{value}"{hint}')
    for path, child in mapping.children.items():
        if child.dataset not in contracts:
            hint = suggestion(child.dataset, contracts)
            file.fail(("children", path, "dataset"), f'no contract "{child.dataset}"{hint}')
        for ours, theirs in child.on.items():
            _known_field(file, ("children", path, "on", ours), ours, contracts[child.dataset])
            _known_field(file, ("children", path, "on", ours), theirs, own)
        _check_sources(file, ("children", path, "fields"), child.fields, contracts[child.dataset])


def _known_field(
    file: YamlFile, where: tuple[str | int, ...], name: str, contract: Contract
) -> None:
    """Refuse a name that the contract has not."""
    if name not in contract.by_name:
        hint = suggestion(name, contract.by_name)
        file.fail(where, f'the contract {contract.dataset} has no field "{name}"{hint}')


def _check_sources(
    file: YamlFile,
    where: tuple[str | int, ...],
    fields: dict[str, FieldMapping],
    contract: Contract,
) -> None:
    """Every source of an outgoing field exists in the contract."""
    known = set(contract.by_name) | SPECIAL_SOURCES
    for target, item in fields.items():
        for source in item.sources:
            if source not in known:
                place = (*where, target, "from")
                file.fail(place, f'the contract has no field "{source}"{suggestion(source, known)}')


def _fields(
    file: YamlFile, where: tuple[str | int, ...], models: dict[str, _FieldModel]
) -> dict[str, FieldMapping]:
    """Field models as FieldMappings with their places."""
    found: dict[str, FieldMapping] = {}
    for target, model in models.items():
        sources = model.from_ if isinstance(model.from_, list) else [model.from_]
        place = (*where, target)
        found[target] = FieldMapping(
            target=target,
            sources=tuple(source for source in sources if source is not None),
            ops=tuple(_op(file, (*place, "ops", i), item) for i, item in enumerate(model.ops)),
            where=file.at(place),
        )
    return found


def _op(file: YamlFile, where: tuple[str | int, ...], item: str | dict[str, Any]) -> Op:
    """`name` or `{name: args}` as an Op."""
    if isinstance(item, str):
        return Op(name=item, args=None, where=file.at(where))
    if len(item) != 1:
        file.fail(where, "an operation is a name or one `name: arguments` pair")
    name, args = next(iter(item.items()))
    return Op(name=str(name), args=args, where=file.at(where))


def _digest(file: YamlFile) -> str:
    """SHA-256 of the file's text, lower hex."""
    return hashlib.sha256(file.text.encode()).hexdigest()
