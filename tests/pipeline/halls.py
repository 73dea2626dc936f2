"""A catalog of two halls that provide one dataset, small enough to know by heart."""

from __future__ import annotations

from pathlib import Path

DATASET = "visit"
SYSTEM = """
system: {name}
title: {{zh: 大厅, en: Hall}}
department: {{code: "62089990", name: 平凉市{name}大厅}}
protocol: rest
connection: {name}
interfaces: {{api: {{path: /api, auth: {{kind: api_key, name: X-Key}}}}}}
window: {{format: epoch_ms, overlap_s: 600}}
budget: {{requests_per_second: 200, concurrent: 1}}
datasets:
  visit:
    call: {{path: /visits, query: {{from: "{{since}}", page: "{{page}}", size: "{{size}}"}}}}
    records: list
    paging: {{kind: page_number, size: 50}}
"""
CONTRACT = """
apiVersion: v3.2.0
kind: DataContract
id: tongban.visit
name: 来访
version: 1.0.0
status: active
schema:
  - name: visit
    logicalType: object
    physicalName: visit_v1
    physicalType: table
    businessName: 来访
    properties:
      - name: hall
        businessName: 大厅
        logicalType: string
        physicalType: varchar(20)
        required: true
        primaryKey: true
        primaryKeyPosition: 1
        classification: public
      - name: visit_no
        businessName: 编号
        logicalType: string
        physicalType: varchar(20)
        required: true
        primaryKey: true
        primaryKeyPosition: 2
        classification: internal
      - name: id_no
        businessName: 身份证号
        logicalType: string
        physicalType: varchar(18)
        classification: sensitive
        customProperties:
          - {property: index, value: subject}
          - {property: mask, value: resident_id}
      - name: changed_at
        businessName: 变更时间
        logicalType: timestamp
        physicalType: timestamptz
        required: true
        classification: internal
customProperties:
  - {property: owner, value: hub}
  - {property: changeTime, value: changed_at}
"""
MAPPING = """
mapping: visit
system: {name}
version: 1.0.0
contract: visit
key: [nr]
fields:
  hall: {{ops: [{{constant: {mark}}}]}}
  visit_no: {{from: nr}}
  id_no: {{from: id, ops: [resident_id]}}
  changed_at: {{from: at, ops: [{{datetime: {{formats: [epoch_ms]}}}}]}}
examples:
  - given: {{nr: V0001, id: "620899199002280248", at: 1762133400000}}
    expect: {{hall: {mark}, visit_no: V0001}}
"""


def make_halls(folder: Path, **marks: str) -> Path:
    """Write a root folder: system name → the constant that marks its records."""
    for name, mark in marks.items():
        for path, text in (
            (f"connectors/systems/{name}.yaml", SYSTEM.format(name=name)),
            (f"mappings/{name}/visit.yaml", MAPPING.format(name=name, mark=mark)),
            ("contracts/visit/v1.yaml", CONTRACT),
        ):
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
    (folder / "mappings/codes").mkdir(exist_ok=True)
    return folder
