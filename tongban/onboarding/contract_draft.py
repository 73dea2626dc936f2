"""Contract drafts: a first contract from fields or a sample, or the next major of one that lives.

Everything is a draft (`status: draft`) that a person finishes; nothing that exists is overwritten.
The next major begins as a copy, so that what does not change stays the same letter by letter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tongban.kernel.catalog import Catalog
from tongban.kernel.contract_terms import major_name
from tongban.kernel.errors import ConfigInvalid, TongbanError
from tongban.kernel.odcs import check_contract
from tongban.onboarding.concepts import concepts_of
from tongban.onboarding.described import MOST_FIELDS, Node
from tongban.onboarding.drafting import NAME
from tongban.onboarding.matching import match_fields
from tongban.onboarding.proposals import propose
from tongban.onboarding.roles import answer_roles
from tongban.onboarding.write_fields import contract_text

_VERSION = re.compile(r"^version:.*$", re.MULTILINE)
_STATUS = re.compile(r"^status:.*$", re.MULTILINE)
_CONTRACT = re.compile(r"^contract:.*$", re.MULTILINE)
_HEAD_VERSION = re.compile(r"^contract_version:.*\n", re.MULTILINE)
_SUPPORT = re.compile(r"^\s*- \{property: endOfSupport\b.*\n", re.MULTILINE)
NEXT_HEAD = """\
# Draft of version {major}: change what has to change, then set `status: active`.
# Until then only `tongban check` reads it. Compare: tongban contract diff {name}@v{before} {name}
"""


@dataclass(slots=True)
class ContractDraft:
    """What was drafted.

    Attributes:
        files: Path below the root → text.
        to_fill: What only a person can know.
        problems: What the hub refuses as it stands.
    """

    dataset: str
    files: dict[str, str] = field(repr=False)
    to_fill: list[str]
    problems: list[str] = field(default_factory=list)


def draft_contract(
    catalog: Catalog,
    dataset: str,
    *,
    owner: str,
    title: str | None = None,
    names: Sequence[str] = (),
    sample: Node | None = None,
) -> ContractDraft:
    """Draft version 1 of a dataset, or the next major of one that has a contract.

    Args:
        catalog: Of the root folder to write below.
        dataset: Name of the dataset.
        owner: Department that answers for the records.
        title: What people call it; the name when not given.
        names: Fields, as the department calls them.
        sample: An answer whose record list shows the fields.

    Raises:
        ConfigInvalid: A name that cannot be one, or a file that exists.
    """
    if not NAME.match(dataset):
        raise ConfigInvalid(f'"{dataset}" cannot be a name: small letters, digits, underscores')
    if dataset in catalog.contract_files:
        return _next_major(catalog, dataset)
    record = answer_roles(sample).record if sample is not None else None
    leaves = list(record.leaves())[:MOST_FIELDS] if record is not None else []
    leaves += [(name, Node(name)) for name in names]
    to_fill: list[str] = []
    if not leaves:
        to_fill.append("no field was named: give --field NAME or --sample FILE")
        leaves = [("id", Node("id", required=True))]
    proposals = propose(match_fields(leaves, concepts_of(catalog)), None)
    text = contract_text(owner, dataset, title or dataset, proposals, to_fill)
    return ContractDraft(dataset, {f"contracts/{dataset}/v1.yaml": text}, to_fill)


def _next_major(catalog: Catalog, dataset: str) -> ContractDraft:
    """Copies of the newest contract and of its mappings, with the next major's head."""
    files = catalog.contract_files[dataset]
    before = max(files)
    major = before + 1
    old, new = major_name(dataset, before), major_name(dataset, major)
    text = files[before].read_text(encoding="utf-8")
    text = _VERSION.sub(f"version: {major}.0.0", text, count=1)
    text = _STATUS.sub("status: draft", text, count=1)
    text = _SUPPORT.sub("", text).replace(f"{dataset}_v{before}", f"{dataset}_v{major}")
    head = NEXT_HEAD.format(major=major, before=before, name=dataset)
    drafted = {f"contracts/{dataset}/v{major}.yaml": head + text}
    for system in catalog.providers(old):
        mapping = catalog.mapping(system, old).path.read_text(encoding="utf-8")
        mapping = _HEAD_VERSION.sub("", mapping)
        named = f"contract: {dataset}\ncontract_version: {major}"
        drafted[f"mappings/{system}/{new}.yaml"] = _CONTRACT.sub(named, mapping, count=1)
    to_fill = [
        f"contracts/{dataset}/v{major}.yaml: what changes, then status: active",
        f"contracts/{dataset}/v{before}.yaml: endOfSupport, the last day on which it is loaded",
        *(f"mappings/{r.target}/{new}.push.yaml: when {r.target} moves to v{major}"
          for r in catalog.push_routes if r.dataset == old),
    ]  # fmt: skip
    return ContractDraft(dataset, drafted, to_fill)


def write_contract(root: Path, found: ContractDraft) -> None:
    """Write the files and say what the hub refuses in them; overwrites nothing.

    Raises:
        ConfigInvalid: A file exists.
    """
    there = [name for name in found.files if (root / name).exists()]
    if there:
        raise ConfigInvalid(f"{', '.join(there)}: exists already; nothing was written")
    for name, text in found.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    try:
        check_contract(root / next(iter(found.files)), root=root)
    except TongbanError as exc:
        found.problems.append(str(exc))
