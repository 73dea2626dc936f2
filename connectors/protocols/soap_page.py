"""SOAP pages: decode one landed answer into columns, by what its WSDL says.

The quick way cuts the records out of the page (`bulk`); a page that is not regular is read as a
tree, with the same result. Either way the schema tells which columns hold bytes, and what the
server does against its own WSDL is reported: `name~` is an element out of its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.answers import open_layers
from connectors.documents import Document
from connectors.protocols.attachments import without_bytes
from connectors.protocols.pages import PageDocument, parse_page
from connectors.protocols.samples import Irregular
from connectors.protocols.shapes import Shape, Spoken
from connectors.protocols.soap import read_envelope, read_page_envelope
from connectors.protocols.xmldoc import (
    Element,
    XmlDocument,
    local,
    parse_xml,
)
from tongban.kernel.interfaces import (
    Interface,
)
from tongban.kernel.records import Decoded, RecordShape

MOVED = "~"


@dataclass(frozen=True, slots=True)
class PageReader:
    """How the pages of one call are read.

    Attributes:
        interface: Charset, success layers, faults.
        where: System and dataset, for messages.
        records: Path of the record list.
        spoken: What the WSDL says about the answer; None when it does not have the operation.
        encrypted: Fields that stay as they are, whatever the schema says, to be decrypted.
    """

    interface: Interface
    where: str
    records: str
    spoken: Spoken | None
    encrypted: tuple[str, ...] = ()

    @property
    def record(self) -> Shape | None:
        """What the schema says about one record, unless it travels as text inside the answer."""
        here = self.spoken.answer if self.spoken is not None else None
        for layer in self.interface.success:
            if layer.open is not None and here is not None:
                here = here.at(layer.open) if layer.read_as == "document" else None
        return None if here is None else here.at(self.records)

    def decode(self, body: bytes, shape: RecordShape, *, whole: bool) -> Decoded | None:
        """Read a page into columns; None for a declared "no rows".

        Raises:
            TongbanError: The answer cannot be read, or says no.
        """
        record = self.record
        try:
            document = self._opened(body, record, quick=True)
            decoded = document.columns(self.records, shape, whole=whole) if document else None
        except Irregular:
            document = self._opened(body, record, quick=False)
            decoded = document.columns(self.records, shape, whole=whole) if document else None
        if decoded is None or record is None:
            return decoded
        moved: set[str] = set()
        if isinstance(document, PageDocument) and document.samples:
            moved = _moved(document.samples, record, "") if record.children else set()
        elif isinstance(document, PageDocument):
            moved = {f"{name}{MOVED}" for name in document.moved}
        elif isinstance(document, XmlDocument) and record.children:
            moved = _moved(document.elements(self.records), record, "")
        decoded = Decoded(decoded.frame, decoded.unknown_fields | moved)
        binary = _binary(record, shape)
        return without_bytes(
            decoded, {name: kind for name, kind in binary.items() if name not in self.encrypted}
        )

    def _opened(self, body: bytes, record: Shape | None, *, quick: bool) -> Document | None:
        interface, where = self.interface, self.where
        name = self.records.rpartition(".")[2]
        texts = [layer.read_as for layer in interface.success if layer.open is not None]
        in_text = next((kind for kind in reversed(texts) if kind != "document"), None)
        if quick and in_text is None:
            root = read_page_envelope(body, interface, where, name, record)
        else:
            root = read_envelope(body, interface, where, 200, writes=False)

        def parse_inner(text: bytes, inside: str) -> XmlDocument:
            page = None
            if quick and in_text == "xml" and texts.count("xml") == 1:
                page = parse_page(text.decode(), inside, name, None)
            return page or parse_xml(text, inside)

        return open_layers(
            root, interface, where, status=200, writes=False, parse_inner=parse_inner
        )


def _binary(record: Shape, shape: RecordShape) -> dict[str, str]:
    found = {name: record.at(name) for name in shape.fields if "@" not in name}
    return {name: below.binary for name, below in found.items() if below and below.binary}


def _moved(records: Sequence[Element], declared: Shape, prefix: str) -> set[str]:
    """Find elements that stand before those that the schema puts before them."""
    found: set[str] = set()
    if not records:
        return found
    if declared.ordered:
        places = {child.name: at for at, child in enumerate(declared.children)}
        for tags in {tuple([child.tag for child in record]) for record in records}:
            highest = -1
            for name in map(local, tags):
                place = places.get(name, highest)
                if place < highest:
                    found.add(f"{prefix}{name}{MOVED}")
                highest = max(highest, place)
    for child in declared.children:
        if child.children:
            tag = f"{{*}}{child.name}"
            nested = [element for record in records for element in record.iterchildren(tag)]
            if nested:
                found |= _moved(nested, child, f"{prefix}{child.name}.")
    return found
