"""Drafting: from a description to files that a person finishes — never over an existing file.

The order: read, choose the call, find the roles of its words, match the record's fields, write the
drafts, load them as the hub would. What then still is wrong, or only a person can know, is listed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from tongban.kernel.catalog import Catalog, load_catalog
from tongban.kernel.contracts import Contract
from tongban.kernel.errors import ConfigInvalid, TongbanError
from tongban.kernel.odcs import check_contract
from tongban.kernel.records import BEIJING
from tongban.kernel.yamlfile import suggestion
from tongban.onboarding.concepts import concepts_of
from tongban.onboarding.described import MOST_FIELDS, Description, Node, Operation
from tongban.onboarding.matching import match_fields, words_of
from tongban.onboarding.proposals import Proposal, propose
from tongban.onboarding.roles import answer_roles, input_roles
from tongban.onboarding.write_fields import contract_text, mapping_text
from tongban.onboarding.write_system import Plan, pinned_name, system_text

NAME = re.compile(r"^[a-z][a-z0-9_]{1,40}$")
_WRITES = re.compile(
    r"^(submit|add|create|save|update|delete|remove|push|upload|set)", re.IGNORECASE
)
_READS = re.compile(r"(query|list|get|search|find|select|fetch|cx|chaxun)", re.IGNORECASE)
_VERBS = {"query", "list", "get", "search", "find", "select", "fetch", "all", "page", "by", "api"}


@dataclass(slots=True)
class Draft:
    """What was drafted.

    Attributes:
        files: Path below the root → content, in the order in which a person reads them.
        to_fill: What only a person can know.
        problems: What the hub refuses as it stands; empty when `tongban check` would pass.
    """

    system: str
    dataset: str
    operation: str
    files: dict[str, bytes] = field(repr=False)
    proposals: list[Proposal]
    to_fill: list[str]
    notes: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)

    @property
    def lacks_identity(self) -> bool:
        """Whether parts of the message wait for a declared signature."""
        return any(text.startswith("interfaces.api.auth") for text in self.to_fill)


def draft(
    catalog: Catalog,
    system: str,
    description: Description,
    *,
    origin: str,
    operation: str | None = None,
    dataset: str | None = None,
    sample: Node | None = None,
) -> Draft:
    """Make the drafts of one dataset of a new system, in memory.

    Raises:
        ConfigInvalid: A name that cannot be one, an unknown operation, or a file that exists.
    """
    chosen = choose(description, operation)
    name = dataset or _dataset_name(system, chosen)
    for word in (system, name):
        if not NAME.match(word):
            raise ConfigInvalid(f'"{word}" cannot be a name: small letters, digits, underscores')
    plan = _plan(system, name, origin, description, chosen, sample)
    contract = catalog.contract(name) if name in catalog.datasets else None
    record = plan.shown.record
    fields = list(record.leaves())[:MOST_FIELDS] if record is not None else []
    concepts = concepts_of(catalog, only=None if contract is None else name)
    proposals = propose(match_fields(fields, concepts), contract)
    found = Draft(system, name, chosen.name, {}, proposals, [], description.notes)
    _compose(found, plan, contract)
    _refuse_existing(catalog.root, found)
    return found


def choose(description: Description, operation: str | None) -> Operation:
    """The named call, or the one that most looks like a query with a record list."""
    known = {item.name: item for item in description.operations}
    if operation is not None:
        if operation not in known:
            raise ConfigInvalid(f'no operation "{operation}"{suggestion(operation, known)}')
        return known[operation]
    if not known:
        raise ConfigInvalid("the description has no operation that could be called")

    def score(item: Operation) -> float:
        record = answer_roles(item.output).record
        fields = 0 if record is None else len(list(record.leaves()))
        reads = bool(_READS.search(item.name)) - 3 * bool(_WRITES.match(item.name))
        one = 200 * ("{" in item.path)  # a call for one thing, not for a list
        return 20 * len(input_roles(item)) + min(fields, 60) + 30 * reads - one

    return max(description.operations, key=score)


def _plan(
    system: str,
    dataset: str,
    origin: str,
    description: Description,
    operation: Operation,
    sample: Node | None,
) -> Plan:
    """Find out what plays which role; a sample stands for the answer, or for the text inside it."""
    answer = answer_roles(operation.output)
    plan = Plan(
        system=system,
        dataset=dataset,
        origin=origin,
        description=description,
        operation=operation,
        roles=input_roles(operation),
        answer=answer,
    )
    if sample is None:
        return plan
    shown = answer_roles(sample)
    if answer.record is None and answer.payload is not None:
        return replace(plan, inner=shown)
    if answer.record is None or shown.record is None or not answer.record.children:
        return replace(plan, answer=shown)
    values = {path: node.samples for path, node in shown.record.leaves()}
    return replace(plan, answer=replace(answer, record=_with_samples(answer.record, values, "")))


def _with_samples(node: Node, values: dict[str, tuple[str, ...]], prefix: str) -> Node:
    """The same record with the values that a sample shows."""
    children = tuple(
        replace(_with_samples(c, values, f"{prefix}{c.name}."), samples=c.samples)
        if c.children
        else replace(c, samples=values.get(f"{prefix}{c.name}", c.samples))
        for c in node.children
    )
    return replace(node, children=children)


def _dataset_name(system: str, operation: Operation) -> str:
    words = [w for w in words_of(operation.name) if w not in _VERBS and w.isascii()]
    name = "_".join(words[:4]) or "records"
    return name if name.startswith(system) else f"{system}_{name}"[:40].rstrip("_")


def _compose(found: Draft, plan: Plan, contract: Contract | None) -> None:
    """Write all files into the draft."""
    system, dataset = found.system, found.dataset
    folder = "wsdl" if plan.description.protocol == "soap" else "openapi"
    title = plan.operation.label or plan.operation.name
    record = plan.shown.record
    if not found.proposals:
        found.to_fill.append("no record's fields are described: give an answer with --sample FILE")
        nobody = Node("id", required=True)
        found.proposals = propose(match_fields([("id", nobody)], {}), contract)
    lists = [path for path, _ in plan.shown.children]
    if record is not None:
        lists += [c.name for c in record.children if c.repeated and c.type != "object"]
    text = system_text(plan, found.to_fill)
    found.files[f"connectors/systems/{system}.yaml"] = text.encode()
    if contract is None:
        text = contract_text(system, dataset, title, found.proposals, found.to_fill)
        found.files[f"contracts/{dataset}/v1.yaml"] = text.encode()
    text = mapping_text(system, dataset, found.proposals, lists, contract, found.to_fill)
    found.files[f"mappings/{system}/{dataset}.yaml"] = text.encode()
    for name, content in plan.description.files.items():
        found.files[f"connectors/{folder}/{pinned_name(system, name)}"] = content


def _refuse_existing(root: Path, found: Draft) -> None:
    there = [name for name in found.files if (root / name).exists()]
    if there:
        raise ConfigInvalid(
            f"{', '.join(there)}: exists already; nothing was written, take another name or move it"
        )


def write(root: Path, found: Draft) -> None:
    """Write the files; one that appeared meanwhile is never overwritten.

    Raises:
        ConfigInvalid: A file exists.
    """
    _refuse_existing(root, found)
    for name, content in found.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("xb") as stream:
                stream.write(content)
        except FileExistsError:
            raise ConfigInvalid(f"{name}: appeared meanwhile; it was left alone") from None
    found.problems = problems_of(root, found)


def problems_of(root: Path, found: Draft) -> list[str]:
    """Load the written files as the hub does; one line for everything that it refuses."""
    from connectors import check_declared, check_wsdl
    from tongban.rows import compile_dataset

    catalog = load_catalog(root)
    steps: list[Callable[[], object]] = [
        lambda: check_declared(catalog.system(found.system)),
        lambda: check_wsdl(catalog.system(found.system), root),
        lambda: check_contract(catalog.contract(found.dataset).path, root=root),
        lambda: compile_dataset(catalog, found.system, found.dataset),
        lambda: _understood(catalog, found),
    ]
    problems = []
    for step in steps:
        try:
            step()
        except TongbanError as exc:
            problems.append(str(exc))
    return list(dict.fromkeys(problems))


def _understood(catalog: Catalog, found: Draft) -> None:
    """Let the SOAP protocol itself build the request: it is stricter than our reader."""
    from connectors.protocols.wsdl import Description as Binding
    from connectors.templates import fill, format_moment

    system = catalog.system(found.system)
    call = system.datasets[found.dataset].call
    for interface in system.interfaces.values():
        if interface.soap is not None and call is not None and not found.lacks_identity:
            folder = catalog.root / "connectors" / "wsdl"
            moment = format_moment(datetime.now(BEIJING), system.window.format)
            values = {"since": moment, "until": moment, "page": 1, "row": 1, "size": 1}
            message = fill(call.body or {}, {**values, "cursor": None})
            Binding(folder, interface.soap, found.system).envelope(found.operation, message)
