"""Declared: what a contract's YAML says beyond the dataclasses, for people and for foreign keys.

Descriptions, examples, physical types, `unique` and relationships are no business of the record's
path, so the loaded contract does not carry them; the targets read them again from the same file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tongban.kernel.contracts import Contract
from tongban.kernel.yamlfile import load_yaml


@dataclass(frozen=True, slots=True)
class Declared:
    """What the file says about one property.

    Attributes:
        references: `dataset.field` of each foreign key.
    """

    description: str = ""
    physical_type: str = ""
    unique: bool = False
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """What the file says about the dataset; empty for a contract that has no file."""

    properties: dict[str, Declared] = field(default_factory=dict)
    sla: tuple[dict[str, Any], ...] = ()
    status: str = ""
    domain: str = ""
    team: str = ""

    def of(self, name: str) -> Declared:
        """What is said about a property."""
        return self.properties.get(name, Declared())


def document_of(contract: Contract) -> Document:
    """Read a contract's file once more."""
    if not contract.path.is_file():
        return Document()
    data = load_yaml(contract.path).data
    team = data.get("team")
    return Document(
        properties={
            str(item["name"]): Declared(
                description=str(item.get("description") or ""),
                physical_type=str(item.get("physicalType") or ""),
                unique=bool(item.get("unique")),
                references=tuple(
                    str(link["to"])
                    for link in item.get("relationships") or []
                    if link.get("type", "foreignKey") == "foreignKey" and link.get("to")
                ),
            )
            for item in data["schema"][0].get("properties") or []
        },
        sla=tuple(data.get("slaProperties") or ()),
        status=str(data.get("status") or ""),
        domain=str(data.get("domain") or ""),
        team=str(team.get("name") or "") if isinstance(team, dict) else "",
    )
