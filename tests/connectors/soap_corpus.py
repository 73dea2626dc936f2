"""The corpus of WSDLs and answers, read by us and by zeep, for differential tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from lxml import etree

from connectors.protocols.attachments import MARK, reference
from connectors.protocols.pinned import Library
from connectors.protocols.schema import schemas_of
from connectors.protocols.shapes import Shape
from connectors.protocols.soap_page import PageReader
from connectors.protocols.wsdl import _disk_only
from tongban.kernel.interfaces import (
    Interface,
    Soap,
)
from tongban.kernel.records import RecordShape

FOLDER = Path(__file__).parent / "corpus"
CLAIMS_ADDRESS = "http://10.0.0.9:8080/medical/services/Claims?xsd=1"


def digest(name: str, folder: Path = FOLDER) -> str:
    """Give a file's digest as YAML pins it."""
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()


def pinned(wsdl: str, *imports: str, **more: Any) -> Soap:
    """Pin a WSDL of the corpus."""
    pins = {name: digest(name) for name in imports}
    return Soap(wsdl=wsdl, sha256=digest(wsdl), imports=pins, **more)


@dataclass(frozen=True)
class Style:
    """One WSDL of the corpus.

    Attributes:
        name: Folder with its answers.
        soap: Pinned files.
        operation: Whose answers these are.
        records: Path of the records.
        wrapped: Path at which zeep has them, relative to its result.
    """

    name: str
    soap: Soap
    operation: str
    records: str
    wrapped: tuple[str, ...]

    def answers(self) -> list[Path]:
        """Give the answers."""
        return sorted((FOLDER / self.name).glob("*.xml"))

    @property
    def reader(self) -> PageReader:
        """Give our reader."""
        spoken = schemas_of(FOLDER, self.soap).operation(self.operation, self.soap)
        return PageReader(Interface(soap=self.soap), self.name, self.records, spoken)

    def zeep_rows(self, body: bytes) -> list[Any]:
        """Read an answer with zeep's own deserialisation."""
        return zeep_rows(FOLDER, self.soap, self.operation, self.wrapped, body)


STYLES = (
    Style(
        "wrapped",
        pinned(
            "wrapped.wsdl",
            "wrapped-messages.wsdl",
            "wrapped-types.xsd",
            "wrapped-common.xsd",
            locations={
                CLAIMS_ADDRESS: "wrapped-types.xsd",
                "http://10.0.0.9:8080/medical/services/wrapped-common.xsd": "wrapped-common.xsd",
            },
        ),
        "findClaims",
        "claims.claim",
        ("claims", "claim"),
    ),
    Style("bare", pinned("bare.wsdl", version="1.2"), "Query", "Account", ("Account",)),
    Style("rpc_literal", pinned("rpc_literal.wsdl"), "list", "list.vehicle", ("list", "vehicle")),
    Style("rpc_encoded", pinned("rpc_encoded.wsdl"), "find", "rows.*", ("rows",)),
)
CASES = [(style, path) for style in STYLES for path in style.answers()]


def zeep_rows(
    folder: Path, soap: Soap, operation: str, wrapped: tuple[str, ...], body: bytes
) -> list[Any]:
    """Deserialise an answer with zeep and give its records."""
    import zeep

    library = Library(folder, soap)
    client = zeep.Client(library.start, transport=_disk_only(library))
    service = client.bind(soap.service, soap.port)
    output = service._binding.get(operation).output
    parser = etree.XMLParser(remove_comments=True, remove_blank_text=False, huge_tree=True)
    envelope = etree.fromstring(body, parser)
    here = output._deserialize_body(envelope.find("{*}Body"))["body"]
    for name in wrapped:
        here = None if here is None else getattr(here, name, None)
    return list(here or [])


def leaves(shape: Shape, prefix: str = "") -> Iterator[tuple[str, Shape]]:
    """Give every field of a record that one column can hold."""
    for name in shape.attributes:
        yield f"{prefix}@{name}", shape
    for child in shape.children:
        if child.repeats or child.name == "items":
            continue
        if child.children:
            yield from leaves(child, f"{prefix}{child.name}.")
        else:
            yield f"{prefix}{child.name}", child
            for name in child.attributes:
                yield f"{prefix}{child.name}.@{name}", child


def zeep_value(row: Any, path: str) -> Any:
    """Give a field of one of zeep's rows."""
    here = row
    for name in path.split("."):
        here = None if here is None else getattr(here, name.removeprefix("@"), None)
    if hasattr(here, "_value_1"):  # simple content with attributes
        here = here._value_1
    return here


def means(text: str | None, value: Any) -> bool:
    """Tell whether a text of ours and a value of zeep's are the same."""
    if value is None or text is None:
        return value is None and text is None
    readers: dict[type, Any] = {
        bool: lambda t: t.strip() in {"true", "1"},
        int: int,
        Decimal: Decimal,
        datetime: datetime.fromisoformat,
        date: date.fromisoformat,
        time: time.fromisoformat,
    }
    if text.startswith(MARK):  # zeep leaves hexBinary as text
        return text == reference(value if isinstance(value, bytes) else bytes.fromhex(value))
    return readers.get(type(value), str)(text) == value


def wanted_leaves(record: Shape) -> RecordShape:
    """Ask for every field of a record that one column can hold."""
    names = [name for name, _ in leaves(record) if "@" not in name]
    return RecordShape(tuple(names), None, frozenset(names))


def differences(ours: pl.DataFrame, theirs: list[Any]) -> list[str]:
    """Name the columns in which our rows are not zeep's."""
    if len(theirs) != ours.height:
        return [f"{ours.height} rows, zeep has {len(theirs)}"]
    found = []
    for name in ours.columns:
        pairs = zip(ours[name], theirs, strict=True)
        if not all(means(text, zeep_value(row, name)) for text, row in pairs):
            found.append(name)
    return found
