"""Layout: what the source, the floor and the peers agree on — fields, names, page size."""

from __future__ import annotations

REST = "rest"
SOAP = "soap"
PROTOCOLS = (REST, SOAP)
PAGE_ROWS = 1000
BATCH = 500
CHUNK_PAGES = 20
NAMESPACE = "urn:tongban:bench:v1"
DATASET = "house_right"

FIELDS = {  # source name → contract name
    "YWH": "business_no",
    "QLRMC": "holder_name",
    "ZJZL": "id_type",
    "ZJH": "id_no",
    "XB": "gender",
    "BDCDYH": "unit_no",
    "ZL": "address",
    "QLLX": "right_type",
    "MJ": "area",
    "JYJE": "price",
    "DJSJ": "registered_on",
    "QSSJ": "begins_on",
    "GXSJ": "changed_at",
    "LXDH": "phone",
    "XZQH": "area_code",
}
