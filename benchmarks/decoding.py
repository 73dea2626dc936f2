"""What decoding costs: the yardstick of the rule and mapping benchmarks, in the same run."""

from __future__ import annotations

import io
from collections.abc import Callable

import msgspec
import polars as pl
from lxml import etree

from benchmarks.rows import PAGE


def json_decoder(frame: pl.DataFrame) -> Callable[[], None]:
    """Pages of a JSON envelope, decoded into text columns one by one."""
    encoder = msgspec.json.Encoder()
    pages = [
        encoder.encode({"code": "0000", "data": {"list": part.to_dicts()}})
        for part in frame.iter_slices(PAGE)
    ]
    schema = frame.schema

    def work() -> None:
        decode = msgspec.json.Decoder().decode
        for page in pages:
            pl.DataFrame(decode(page)["data"]["list"], schema=schema)

    return work


def soap_decoder(frame: pl.DataFrame) -> Callable[[], None]:
    """Pages of a SOAP answer, read by lxml into text columns one by one."""
    pages = [_soap_page(part) for part in frame.iter_slices(PAGE)]
    names = frame.columns
    schema = frame.schema

    def work() -> None:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        for page in pages:
            root = etree.fromstring(page, parser)
            rows = [{child.tag: child.text for child in record} for record in root.iter("FDCQ_YZ")]
            pl.DataFrame({name: [row.get(name) for row in rows] for name in names}, schema=schema)

    return work


def _soap_page(part: pl.DataFrame) -> bytes:
    """One answer as the registration system would write it."""
    envelope = etree.Element("Envelope")
    records = etree.SubElement(etree.SubElement(envelope, "Body"), "Records")
    for row in part.to_dicts():
        record = etree.SubElement(records, "FDCQ_YZ")
        for name, cell in row.items():
            etree.SubElement(record, name).text = cell
    return etree.tostring(envelope, encoding="utf-8", xml_declaration=True)


def csv_reader(frame: pl.DataFrame) -> Callable[[], None]:
    """The same rows read by Polars from CSV, every column as text."""
    stream = io.BytesIO()
    frame.write_csv(stream)
    body = stream.getvalue()
    return lambda: void(pl.read_csv(body, schema=frame.schema))


def void(_: object) -> None:
    """Drop a result."""
