"""A catalog of two systems and three datasets, small enough to know by heart."""

from __future__ import annotations

from pathlib import Path

SYSTEM = """
system: {name}
title: {{zh: {zh}, en: {en}}}
department: {{code: "116208000139000000", name: 平凉市{zh}局}}
protocol: rest
connection: {name}
interfaces: {{api: {{path: /api}}}}
budget: {{concurrent: {concurrent}}}
"""

HOUSING = (
    SYSTEM.format(name="housing", zh="房产交易", en="Housing", concurrent=3)
    + """
datasets:
  sale_contract: {call: {path: /c}, records: list, schedule: "*/30 * * * *"}
  sale_contract_party: {shares_pages_of: sale_contract}
  house_unit: {call: {path: /u}, records: list}
"""
)

TAX = (
    SYSTEM.format(name="tax", zh="税务", en="Tax", concurrent=1)
    + """
accepts:
  sale_contract:
    call: {path: /in, method: POST}
    batch: 100
    answers:
      records: results
      guid: id
      accepted: {path: s, equals: ["1"]}
      rejected: {path: s, equals: ["0"]}
"""
)

CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: tongban.{name}
version: 1.0.0
status: active
schema:
  - name: {name}
    businessName: {label}
    properties:
      - {{name: contract_no, logicalType: string, businessName: 合同编号, primaryKey: true}}
      - {{name: changed_at, logicalType: timestamp, businessName: 更新时间}}
customProperties:
  - {{property: owner, value: housing}}
  - {{property: changeTime, value: changed_at}}
"""

LABELS = {"sale_contract": "网签合同", "sale_contract_party": "合同当事人", "house_unit": "房屋"}


def make_root(folder: Path) -> Path:
    """Make a root folder with two systems, three datasets and their mappings."""
    systems = folder / "connectors" / "systems"
    systems.mkdir(parents=True)
    (systems / "housing.yaml").write_text(HOUSING, encoding="utf-8")
    (systems / "tax.yaml").write_text(TAX, encoding="utf-8")
    for name, label in LABELS.items():
        home = folder / "contracts" / name
        home.mkdir(parents=True)
        text = CONTRACT.format(name=name, label=label)
        (home / "v1.yaml").write_text(text, encoding="utf-8")
        mapping = folder / "mappings" / "housing" / f"{name}.yaml"
        mapping.parent.mkdir(parents=True, exist_ok=True)
        mapping.write_text(f"mapping: {name}\n", encoding="utf-8")
    push = folder / "mappings" / "tax" / "sale_contract.push.yaml"
    push.parent.mkdir()
    push.write_text("mapping: sale_contract\n", encoding="utf-8")
    codes = folder / "mappings" / "codes"
    codes.mkdir()
    (codes / "usage.csv").write_text("hub_code\n10\n", encoding="utf-8")
    return folder
