"""A small catalog of two systems, and an Airflow home that is nobody else's."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

_HOME = tempfile.mkdtemp(prefix="tongban-airflow-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(
    {
        "AIRFLOW_HOME": _HOME,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parents[2] / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": f"{_HOME}/plugins",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME}/airflow.db",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
)

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


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a root folder with two systems, three datasets and their mappings."""
    systems = tmp_path / "connectors" / "systems"
    systems.mkdir(parents=True)
    (systems / "housing.yaml").write_text(HOUSING, encoding="utf-8")
    (systems / "tax.yaml").write_text(TAX, encoding="utf-8")
    for name, label in LABELS.items():
        folder = tmp_path / "contracts" / name
        folder.mkdir(parents=True)
        text = CONTRACT.format(name=name, label=label)
        (folder / "v1.yaml").write_text(text, encoding="utf-8")
        mapping = tmp_path / "mappings" / "housing" / f"{name}.yaml"
        mapping.parent.mkdir(parents=True, exist_ok=True)
        mapping.write_text(f"mapping: {name}\n", encoding="utf-8")
    push = tmp_path / "mappings" / "tax" / "sale_contract.push.yaml"
    push.parent.mkdir()
    push.write_text("mapping: sale_contract\n", encoding="utf-8")
    codes = tmp_path / "mappings" / "codes"
    codes.mkdir()
    (codes / "usage.csv").write_text("hub_code\n10\n", encoding="utf-8")
    return tmp_path
