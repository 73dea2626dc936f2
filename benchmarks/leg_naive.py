"""Leg: the naive peer — requests or zeep, one dict per row, SQLAlchemy upserts, requests.post.

What a capable engineer writes in an afternoon, and what many exchange jobs are. It protects
nothing, keeps no history, and believes a whole batch when it was answered with 200.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import requests
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from benchmarks.layout import BATCH, REST
from benchmarks.meter import Meter, given, peak_memory_mb, tell
from benchmarks.rowwise import Refused, clean

TABLE = sa.Table(
    "naive",
    sa.MetaData(),
    sa.Column("business_no", sa.Text, primary_key=True),
    *(sa.Column(name, sa.Text) for name in ("holder_name", "id_type", "id_no", "gender")),
    *(sa.Column(name, sa.Text) for name in ("unit_no", "address", "right_type")),
    *(sa.Column(name, sa.Numeric(18, 2)) for name in ("area", "price")),
    *(sa.Column(name, sa.Date) for name in ("registered_on", "begins_on")),
    sa.Column("changed_at", sa.DateTime),
    *(sa.Column(name, sa.Text) for name in ("phone", "area_code")),
)


def rest_rows(source: str) -> Iterator[list[dict[str, Any]]]:
    """Pages of rows over REST."""
    cursor: str | None = "0"
    while cursor is not None:
        data = requests.get(f"{source}/e0/rest", params={"cursor": cursor}, timeout=60).json()[
            "data"
        ]
        yield data["records"]
        cursor = data["next_cursor"]


def soap_rows(source: str) -> Iterator[list[dict[str, Any]]]:
    """Pages of rows over SOAP, as zeep deserializes them."""
    import zeep
    from zeep.helpers import serialize_object

    client = zeep.Client(f"{source}/e0/soap?wsdl", settings=zeep.Settings(xml_huge_tree=True))
    cursor: str | None = "0"
    while cursor:
        answer = client.service.Query(since="", until="", cursor=cursor, size=1000)
        yield [serialize_object(record, dict) for record in answer.Records.Record]
        cursor = answer.NextCursor if answer.HasMore else None


def upsert(connection: sa.Connection, records: list[dict[str, Any]]) -> None:
    """Insert or overwrite rows by key."""
    statement = insert(TABLE)
    changed = {c.name: statement.excluded[c.name] for c in TABLE.c if c.name != "business_no"}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["business_no"], set_=changed), records
    )


def run(facts: dict[str, Any]) -> None:
    """Everything once, page by page."""
    source = facts["source"]
    engine = sa.create_engine(facts["database"].replace("postgresql://", "postgresql+psycopg://"))
    TABLE.metadata.create_all(engine)
    meter = Meter(facts["postgres_pid"])
    refused = acknowledged = 0
    with meter.stage("all"), requests.Session() as session:
        for rows in rest_rows(source) if facts["protocol"] == REST else soap_rows(source):
            records = []
            for row in rows:
                try:
                    records.append(clean(row))
                except Refused:
                    refused += 1
            with engine.begin() as connection:
                upsert(connection, records)
            for at in range(0, len(records), BATCH):
                body = json.dumps(
                    records[at : at + BATCH], default=str, ensure_ascii=False
                ).encode()
                acknowledged += session.post(f"{source}/ack", data=body).json()["accepted"]
    tell(
        stages=meter.facts(),
        acknowledged=acknowledged,
        refused=refused,
        memory_mb=peak_memory_mb(),
    )


if __name__ == "__main__":
    run(given())
