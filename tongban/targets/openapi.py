"""OpenAPI 3.1: contracts as components, for departments that describe their own interfaces.

OpenAPI 3.1 takes JSON Schema 2020-12 as it is. No path is invented here: which interface carries a
record is each department's own matter (`tongban.share` describes the hub's).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract
from tongban.targets.json_schema import DRAFT, compile_json_schema
from tongban.targets.statements import Gap

VERSION = "3.1.1"


@dataclass(frozen=True, slots=True)
class OpenApiTarget:
    """Some contracts as one OpenAPI document."""

    document: dict[str, Any] = field(repr=False)
    gaps: Mapping[str, tuple[Gap, ...]]

    @property
    def text(self) -> str:
        """The document as a file."""
        return json.dumps(self.document, ensure_ascii=False, indent=2) + "\n"


def compile_openapi(contracts: Iterable[Contract], codes: CodeTables) -> OpenApiTarget:
    """Compile contracts to components: one record and one list of records for each.

    Raises:
        ConfigInvalid: As `compile_contract`.
    """
    schemas: dict[str, Any] = {}
    gaps: dict[str, tuple[Gap, ...]] = {}
    for contract in contracts:
        target = compile_json_schema(contract, codes)
        name = contract.table
        schemas[name] = {n: v for n, v in target.schema.items() if n not in {"$schema", "$id"}}
        schemas[f"{name}_list"] = {
            "type": "array",
            "items": {"$ref": f"#/components/schemas/{name}"},
        }
        gaps[name] = target.gaps
    document = {
        "openapi": VERSION,
        "jsonSchemaDialect": DRAFT,
        "info": {"title": "数据共享合同 Data contracts", "version": "1.0.0"},
        "paths": {},
        "components": {"schemas": schemas},
    }
    return OpenApiTarget(document, gaps)
