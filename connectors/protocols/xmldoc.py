"""XML answers: hardened parse in the declared charset, read into text columns.

No DTD, no entity, no network, no huge node; the charset is the one that the system's YAML
declares, whatever the XML declaration claims, and a byte that does not fit it refuses the answer.
Names are local names: departments change prefixes and namespaces more often than they should;
`*` is an element of any name, `@name` an attribute, `#text` an element's own text.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import cast

import polars as pl
from lxml import etree

from connectors.documents import assemble, has_known_parts, is_known
from connectors.errors import AnswerCharsetWrong, AnswerHasDtd, AnswerNotXml
from connectors.protocols.samples import TYPING
from tongban.kernel.records import Decoded, RecordShape

Element = etree._Element  # noqa: SLF001 - lxml has no public name for its element type
Column = list[str | None]
Picker = Callable[[list[str | None]], tuple[str | None, ...]]

PRINT_BYTES = 12
LONGEST_TEXT = 9_000_000  # libxml2 refuses texts of 10 MB, such as a whole document in a string
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_DECLARATION = re.compile(rb"^\s*<\?xml[^>]*\?>")
_FIRST_ELEMENT = re.compile(rb"<[A-Za-z_\x80-\xff]")
# Each sign can be taken in one way only: a body full of comments must not make the match try every
# split of them. Possessive quantifiers would say so, too, but Python before 3.11.5 misreads them.
COMMENT = rb"<!--[^-]*(?:-(?!->)[^-]*)*-->"
_HTML = re.compile(rb"^\s*(?:" + COMMENT + rb"\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE)


def to_utf8(body: bytes, charset: str, where: str) -> bytes:
    """Decode strictly in the declared charset and give UTF-8 without a byte order mark.

    Raises:
        AnswerUnreadable: A byte does not fit the charset.
    """
    if codecs.lookup(charset).name != "utf-8":
        return decoded(body, charset, where).encode()
    if not (body.isascii() or _is_utf8(body)):
        decoded(body, charset, where)  # says where
    return body.removeprefix(codecs.BOM_UTF8)


def _is_utf8(body: bytes) -> bool:
    """Tell whether bytes are UTF-8, ten times as fast as decoding them only to know."""
    try:
        pl.Series([body], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:
        return False
    return True


def decoded(body: bytes, charset: str, where: str) -> str:
    """Decode strictly in the declared charset.

    Raises:
        AnswerCharsetWrong: A byte does not fit the charset.
    """
    name = codecs.lookup(charset).name
    try:
        return body.decode("utf-8-sig" if name == "utf-8" else name)
    except UnicodeDecodeError as exc:
        raise AnswerCharsetWrong(
            f"{where}: the answer is not {charset} at byte {exc.start}; correct `charset` in the "
            "system's YAML or ask the department",
            charset=charset,
            at=exc.start,
        ) from None


def looks_like_html(body: bytes) -> bool:
    """Tell whether a body is a web page, such as a maintenance notice."""
    return _HTML.match(body[:2048]) is not None


def parse_xml(body: bytes, where: str) -> XmlDocument:
    """Parse UTF-8 bytes as hardened XML.

    Raises:
        AnswerUnreadable: Not well-formed, with a DTD, too deep or with a huge node.
    """
    first = _FIRST_ELEMENT.search(body)
    if b"<!DOCTYPE" in body[: first.start() if first else None]:
        raise _has_dtd(where)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=len(body) > LONGEST_TEXT,  # the budget's max_answer_mb is the cap then
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(_DECLARATION.sub(b"", body, count=1), parser)
    except etree.XMLSyntaxError as exc:
        line, column = exc.position
        raise AnswerNotXml(
            f"{where}: the answer is no well-formed XML at line {line}, column {column}; look at "
            "the kept page"
        ) from None
    except ValueError as exc:
        raise AnswerNotXml(f"{where}: the answer is empty or no XML") from exc
    if root.getroottree().docinfo.internalDTD is not None:  # hidden behind a comment, say
        raise _has_dtd(where)
    return XmlDocument(root, where)


def _has_dtd(where: str) -> AnswerHasDtd:
    """The refusal of a DTD, wherever it was found."""
    return AnswerHasDtd(
        f"{where}: the answer has a DTD, which is never read; the source must leave it out"
    )


@lru_cache(maxsize=4096)  # a page has few names, many times
def local(tag: object) -> str:
    """Give the name without its namespace."""
    return str(tag).rpartition("}")[2]


class XmlDocument:
    """An element and what is below it."""

    def __init__(self, element: Element, where: str) -> None:
        self.element = element
        self._where = where

    def rooted(self, element: Element) -> XmlDocument:
        """Give the document that begins at an element of this one."""
        return XmlDocument(element, self._where)

    def _find(self, path: str) -> Element | None:
        current = self.element
        for name in path.split(".") if path else ():
            if name == "#text":
                break
            below = next((c for c in current if name == "*" or local(c.tag) == name), None)
            if below is None:
                return None
            current = below
        return current

    def text(self, path: str) -> str | None:
        """Give an element's text or, for `@name`, an attribute."""
        head, _, last = path.rpartition(".")
        if last.startswith("@"):
            owner = self._find(head)
            return None if owner is None else _attribute(owner, last[1:])
        found = self._find(path)
        return None if found is None else _text(found)

    def part(self, path: str) -> XmlDocument | None:
        """Give an inner element as a document."""
        found = self._find(path)
        return None if found is None else self.rooted(found)

    def elements(self, path: str) -> list[Element]:
        """Give all elements at a path: the last name may repeat, also in repeated parents."""
        found = [self.element]
        for name in path.split(".") if path else ():
            found = [c for each in found for c in each if name == "*" or local(c.tag) == name]
        return [element for element in found if not element.attrib or not is_nil(element)]

    def items(self, path: str) -> list[XmlDocument]:
        """Give each record as a document."""
        return [XmlDocument(element, self._where) for element in self.elements(path)]

    def count(self, path: str) -> int:
        """Count the records."""
        return len(self.elements(path))

    def prints(self, path: str, skip: frozenset[str]) -> list[bytes]:
        """Fingerprint each record by names and texts."""
        return [_fingerprint(element, skip) for element in self.elements(path)]

    def columns(self, path: str, shape: RecordShape, *, whole: bool) -> Decoded:
        """Read the records into text columns; see `Document.columns`."""
        return columns_of(self.elements(path), shape, whole=whole)


def is_nil(element: Element) -> bool:
    """Tell whether an element says of itself that it is not there."""
    return element.get(_NIL) in {"true", "1"}


def _text(element: Element) -> str | None:
    if len(element):
        return "".join(str(piece) for piece in element.itertext())
    if element.text is None and not is_nil(element):
        return ""
    return element.text


def _attribute(element: Element, name: str) -> str | None:
    return next((str(v) for k, v in element.attrib.items() if local(k) == name), None)


def _fingerprint(element: Element, skip: frozenset[str]) -> bytes:
    digest = hashlib.blake2b(digest_size=PRINT_BYTES)
    for child in element.iter():
        name = local(child.tag)
        if name not in skip:
            digest.update(f"{name}\0{child.text or ''}\0".encode())
        for key, value in child.items():  # cheap: most elements have none
            if f"@{local(key)}" not in skip:
                digest.update(f"@{local(key)}\0{value!s}\0".encode())
    return digest.digest()


def columns_of(records: Sequence[Element], shape: RecordShape, *, whole: bool) -> Decoded:
    """Split wanted fields into parents' and children's, and build both sets of columns."""
    unknown: set[str] = set()
    prefix = f"{shape.explode}." if shape.explode else None
    inner = [f for f in shape.fields if prefix and f.startswith(prefix)]
    outer = [f for f in shape.fields if f not in inner]
    known = shape.known | {shape.explode} if shape.explode else shape.known
    report = known if whole or not shape.explode else None
    parents = _read(records, outer, "", report, unknown)
    children: dict[str, Column] = {}
    parent_of: list[int] | None = None
    if shape.explode and prefix:
        lists = [XmlDocument(record, "").elements(shape.explode) for record in records]
        parent_of = [number for number, found in enumerate(lists) for _ in found]
        elements = list(chain.from_iterable(lists))
        names = [name[len(prefix) :] for name in inner]
        children = _read(elements, names, prefix, shape.known, unknown)
    return Decoded(assemble(shape, parents, children, parent_of), frozenset(unknown))


def _read(
    records: Sequence[Element],
    names: Sequence[str],
    prefix: str,
    known: frozenset[str] | None,
    unknown: set[str],
) -> dict[str, Column]:
    """Read fields of equal elements; flat ones in one walk, nested and attributes one by one."""
    flat = [name for name in names if "." not in name and name[:1] not in {"@", "#", "*"}]
    columns, shapes = _read_flat(records, flat)
    for name in names:
        if name not in columns:
            columns[name] = [XmlDocument(record, "").text(name) or None for record in records]
    for tags in shapes:
        locals_ = [local(tag) for tag in tags]
        unknown |= {f"{prefix}{n}[]" for n in flat if locals_.count(n) > 1}
    if known is not None:
        seen = {local(tag) for tags in shapes for tag in tags}
        _note_unknown(records, seen, prefix, known, unknown)
        _note_attributes(records, prefix, known, unknown)
    return {prefix + name: column for name, column in columns.items()}


def _read_flat(
    records: Iterable[Element], names: Sequence[str]
) -> tuple[dict[str, Column], set[tuple[str, ...]]]:
    """Read leaf children: one plan per sequence of tags, texts picked by position."""
    plans: dict[tuple[str, ...], Picker] = {}
    rows: list[tuple[str | None, ...]] = []
    last_tags: list[str] = []
    pick = _plan((), names)
    for record in records:
        children = list(record)
        tags: list[str] = [child.tag for child in children]
        if tags != last_tags or not plans:
            shape = tuple(tags)
            pick = plans.get(shape) or plans.setdefault(shape, _plan(shape, names))
            last_tags = tags
        texts = [child.text for child in children]
        texts.append(None)
        rows.append(pick(texts))
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    return dict(zip(names, columns, strict=True)), set(plans)


def _plan(tags: Sequence[str], names: Sequence[str]) -> Picker:
    """Make what picks the wanted texts by position; position -1 is the null at the end."""
    places = {local(tag): at for at, tag in reversed(list(enumerate(tags)))}
    wanted = [places.get(name, -1) for name in names]
    if len(wanted) > 1:
        return itemgetter(*wanted)
    return lambda texts: tuple(texts[at] for at in wanted)


def _note_unknown(
    records: Iterable[Element],
    seen: Iterable[str],
    prefix: str,
    known: frozenset[str],
    unknown: set[str],
) -> None:
    """Collect names that the mapping neither uses nor ignores, also inside nested elements."""
    for name in seen:
        dotted = prefix + name
        if is_known(dotted, known):
            continue
        if not has_known_parts(dotted, known):
            unknown.add(dotted)
            continue
        nested = [child for record in records for child in record if local(child.tag) == name]
        below = {local(inner.tag) for child in nested for inner in child}
        _note_unknown(nested, below, f"{dotted}.", known, unknown)


def _chosen(element: Element, path: str) -> list[Element]:
    return cast("list[Element]", element.xpath(path))


def _note_attributes(
    records: Sequence[Element], prefix: str, known: frozenset[str], unknown: set[str]
) -> None:
    """Collect attributes of records and their leaves that the mapping does not know.

    Typing and references of SOAP and XML Schema say nothing that a column could hold.
    """
    rows = set(records)
    for parent in {record.getparent() for record in records}:
        if parent is None:
            continue
        for owner in chain(_chosen(parent, "*[@*]"), _chosen(parent, "*/*[@*]")):
            if owner not in rows and owner.getparent() not in rows:
                continue
            name = prefix if owner in rows else f"{prefix}{local(owner.tag)}."
            for key in owner.attrib:
                space, _, attribute = str(key).rpartition("}")
                dotted = f"{name}@{attribute}"
                if dotted not in known and space.lstrip("{") not in TYPING:
                    unknown.add(dotted)
