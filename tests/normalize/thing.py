"""A small contract and mapping for tests of the plan, written to files like real ones."""

from __future__ import annotations

from pathlib import Path

import yaml

from tongban.kernel.codes import CodeTables
from tongban.kernel.contracts import Contract, load_contract
from tongban.kernel.mappings import Mapping, load_mapping
from tongban.normalize import NormalizePlan, compile_mapping

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: tongban.thing
name: thing
version: 1.0.0
status: active
schema:
- name: thing
  properties:
  - {name: thing_no, logicalType: string, physicalType: varchar(40), primaryKey: true}
  - {name: owner_id, logicalType: string, physicalType: varchar(18)}
  - {name: usage, logicalType: string, customProperties: [{property: codeTable, value: usage}]}
  - {name: price, logicalType: number, physicalType: "numeric(12,2)"}
  - {name: floors, logicalType: integer}
  - {name: built_on, logicalType: date}
  - {name: is_new, logicalType: boolean}
  - {name: book_month, logicalType: string, customProperties: [{property: format, value: month}]}
  - {name: remark, logicalType: string}
  - {name: changed_at, logicalType: timestamp}
customProperties:
- {property: owner, value: tax}
- {property: changeTime, value: changed_at}
"""
FIELDS = {
    "thing_no": {"from": "NO"},
    "owner_id": {"from": "ID", "ops": ["resident_id"]},
    "usage": {"from": "YT", "ops": [{"code": "usage"}]},
    "price": {"from": "JG", "ops": [{"money": "万元"}]},
    "floors": {"from": "CS"},
    "built_on": {"from": "RQ", "ops": [{"date": ["yyyyMMdd"]}]},
    "is_new": {"from": "XF", "ops": [{"boolean": {"true": ["1"], "false": ["0"]}}]},
    "book_month": {"from": "NY", "ops": ["month"]},
    "changed_at": {"from": "SJ", "ops": [{"datetime": ["yyyyMMddHHmmss"]}]},
}


def contract(folder: Path) -> Contract:
    """The contract, and the code table that it names."""
    path = folder / "contracts" / "thing" / "v1.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(CONTRACT, encoding="utf-8")
    return load_contract(path)


def codes(folder: Path) -> CodeTables:
    """One code table of two codes."""
    tables = folder / "codes"
    tables.mkdir(exist_ok=True)
    (tables / "usage.csv").write_text("hub_code,label_zh\nhome,住宅\nshop,商业\n", encoding="utf-8")
    (tables / "usage.tax.csv").write_text(
        "source_code,hub_code,direction\n1,home,both\n2,shop,both\n", encoding="utf-8"
    )
    return CodeTables(tables)


def mapping(folder: Path, key: tuple[str, ...] = ("NO",), **changes: object) -> Mapping:
    """The mapping; `changes` replace fields, None takes one away."""
    fields = {name: made for name, made in (FIELDS | changes).items() if made is not None}
    document = {
        "mapping": "thing",
        "system": "tax",
        "version": "1.0.0",
        "contract": "thing",
        "key": list(key),
        "fields": fields,
    }
    path = folder / "thing.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return load_mapping(path)


def plan(folder: Path, key: tuple[str, ...] = ("NO",), **changes: object) -> NormalizePlan:
    """Contract, codes and mapping, compiled."""
    return compile_mapping(mapping(folder, key, **changes), contract(folder), codes(folder))
