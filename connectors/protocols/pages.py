"""Pages: an XML answer whose records were cut out, read once, by `columns`.

The skeleton with one record goes through the hardened parser; the records are read by their common
grammar (`bulk`), or by their layouts (`layouts`). What neither can prove is `Irregular`, and the
caller reads the whole page as a tree.
"""

from __future__ import annotations

from xml.sax.saxutils import quoteattr  # writes, reads nothing

from connectors.protocols.bulk import Bulk, cut_out
from connectors.protocols.multiref import has_references
from connectors.protocols.samples import Irregular
from connectors.protocols.shapes import Shape
from connectors.protocols.xmldoc import Element, XmlDocument, columns_of, parse_xml
from tongban.kernel.errors import AnswerUnreadable
from tongban.kernel.records import Decoded, RecordShape


class PageDocument(XmlDocument):
    """A page whose records were cut out: one is left in the tree, `bulk` holds them all."""

    def __init__(self, element: Element, where: str, bulk: Bulk) -> None:
        super().__init__(element, where)
        self._bulk = bulk
        self.samples: list[Element] = []  # one record of each layout, where the page has several

    def rooted(self, element: Element) -> PageDocument:
        """Give the document that begins at an element of this one."""
        return PageDocument(element, self._where, self._bulk)

    def columns(self, path: str, shape: RecordShape, *, whole: bool) -> Decoded:
        """Read the records into text columns; see `Document.columns`.

        Raises:
            Irregular: The page must be read as a tree.
        """
        found = self.elements(path)
        alike = self.element.getroottree().iter(f"{{*}}{self._bulk.name}")
        if len(found) != 1 or sum(1 for _ in alike) != 1:
            raise Irregular
        self._bulk.prefixes = found[0].nsmap
        try:
            return self._bulk.columns(shape, whole=whole)
        except Irregular:
            frame, self.samples = self._bulk.by_layout(shape, self._record)
        told = columns_of(self.samples, shape, whole=whole)
        return Decoded(frame, told.unknown_fields)

    def _record(self, text: str) -> Element:
        """Parse one record as it stands in the page.

        Raises:
            Irregular: It is not one element.
        """
        bound = "".join(
            f" xmlns{f':{prefix}' if prefix else ''}={quoteattr(uri)}"
            for prefix, uri in self._bulk.prefixes.items()
        )
        try:
            around = parse_xml(f"<w{bound}>{text}</w>".encode(), self._where).element
        except AnswerUnreadable:
            raise Irregular from None  # the whole page decides
        if len(around) != 1 or (around.text or "").strip() or (around[0].tail or "").strip():
            raise Irregular
        return around[0]

    @property
    def moved(self) -> set[str]:
        """Elements out of the schema's order, once the columns were read."""
        return self._bulk.moved


def parse_page(text: str, where: str, record: str, declared: Shape | None) -> PageDocument | None:
    """Parse a page to be read once, by `columns`, with its records cut out.

    Args:
        text: The page; the caller has looked for control characters.
        where: For messages.
        record: Local name of a record.
        declared: What the schema says about a record.

    Returns:
        The page, or None when it must be read as a tree.
    """
    cut = cut_out(text, record, declared)
    if cut is None or has_references(cut[0]):
        return None
    try:
        return PageDocument(parse_xml(cut[0].encode(), where).element, where, cut[1])
    except AnswerUnreadable:
        return None  # the cut may be wrong: the whole page decides
