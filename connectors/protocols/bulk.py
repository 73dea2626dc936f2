"""Bulk: the records of a regular XML page, cut straight into columns in one pass.

The page minus its records (the skeleton, with one record as a sample) goes through the hardened
parser; the records are split by their strict grammar, so each column is a stride of one flat list
and no object is made per row. Nothing is guessed: a page that is not proven regular — another
order, an attribute, a comment, CDATA, a reference that XML does not know — is `Irregular`, and is
read by the layouts of its records or, where these are too many, as a tree by `xmldoc`, with the
same result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape  # writes, reads nothing

import polars as pl

from connectors.documents import assemble, has_known_parts, is_known
from connectors.protocols.grammar import (
    Layout,
    Node,
    Prefixes,
    attribute_path,
    expression,
    groups,
    instance_prefix,
    learn,
)
from connectors.protocols.layouts import Parse, cut_layouts
from connectors.protocols.samples import TYPING, Irregular
from connectors.protocols.shapes import Shape
from tongban.kernel.records import Decoded, RecordShape

Column = list[str | None]

SAMPLES = 24
FEWEST = 8  # below, a tree is as fast as learning a grammar
_CONTROL = bytes(set(range(32)) - {9, 10, 13})
_CHARACTERS = (  # XML 1.0, production 2
    (9, 10),
    (13, 13),
    (0x20, 0xD7FF),
    (0xE000, 0xFFFD),
    (0x10000, 0x10FFFF),
)
_BETWEEN_BLANK = re.compile(r">[ \t\n]+<")
_MARKED = re.compile(r"<!\[CDATA\[(.*?)\]\]>|<!--(.*?)-->", re.DOTALL)
_REFERENCE = re.compile(r"&(?:(lt|gt|amp|quot|apos)|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_PARENT = "\0"  # stands between the lists of two parents; XML cannot hold it


@dataclass(slots=True)
class Bulk:
    """The records that were cut out of a page.

    Attributes:
        region: From the first record's `<` to the last one's `>`.
        name: Local name of a record.
        declared: What the schema says about one record.
        prefixes: Namespaces at the records; set once the skeleton is parsed.
        moved: Elements that stood out of the schema's order; set by `columns`.
    """

    region: str = field(repr=False)
    name: str
    tag: str
    declared: Shape | None
    prefixes: Prefixes = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)

    def columns(self, shape: RecordShape, *, whole: bool) -> Decoded:
        """Read the records into text columns; see `Document.columns`.

        Raises:
            Irregular: They are not one after another of one form.
        """
        if any(mark in name for name in shape.fields for mark in "#*"):
            raise Irregular
        region = self.region = _clean(self.region)
        samples = _samples(region, f"</{self.tag}>", FEWEST if self.declared else SAMPLES)
        if '="' in region and not any('="' in sample for sample in samples):
            raise Irregular  # an attribute that no sample has: the grammar would fail at its end
        record, self.moved = learn(samples, self.declared, self.prefixes)
        blanks = any(_BETWEEN_BLANK.search(sample) for sample in samples)
        layout = Layout(instance_prefix(self.prefixes), blanks)
        prefix = f"{shape.explode}." if shape.explode else None
        exploded = record.find(shape.explode) if shape.explode else None
        if exploded is not None:
            exploded.repeats = True
        outer = [f for f in shape.fields if not (prefix and f.startswith(prefix))]
        cut = _cut(region, record, layout, outer, shape.explode)
        nothing: Column = [None] * len(cut.pop(""))
        children: dict[str, Column] = {}
        parent_of: list[int] | None = None
        if shape.explode and prefix:
            inner = [f for f in shape.fields if f.startswith(prefix)]
            children, parent_of = _children(cut.get(shape.explode), record, layout, inner, shape)
        parents = {name: cut.get(name) or nothing for name in outer}
        unknown = _unknown(record, region, shape, whole=whole)
        unknown |= _unknown_attributes(record, self.prefixes, shape, whole=whole)
        if "&" in region:
            parents = {name: _opened(column) for name, column in parents.items()}
            children = {name: _opened(column) for name, column in children.items()}
        return Decoded(assemble(shape, parents, children, parent_of), unknown)

    def by_layout(self, shape: RecordShape, parse: Parse) -> tuple[pl.DataFrame, list[Any]]:
        """Read records that have no one form; see `layouts`.

        Returns:
            The columns, and one record of each layout, for what else is to be told of them.

        Raises:
            Irregular: They have too many layouts.
        """
        prefix = f"{shape.explode}." if shape.explode else None
        inner = [f for f in shape.fields if prefix and f.startswith(prefix)]
        outer = [f for f in shape.fields if f not in inner]
        names = [f[len(prefix or "") :] for f in inner]
        region = _clean(self.region)
        rows = cut_layouts(region, self.tag, outer, names, shape.explode, parse)
        is_plain = "&" not in region
        parents = _turned(outer, rows.parents, is_plain=is_plain)
        children = _turned(inner, rows.children, is_plain=is_plain)
        parent_of = rows.parent_of if shape.explode else None
        return assemble(shape, parents, children, parent_of), rows.samples


def _turned(
    names: list[str], rows: list[tuple[str | None, ...]], *, is_plain: bool
) -> dict[str, Column]:
    """Turn rows into columns; an empty text is no value."""
    turned = zip(*rows, strict=True) if rows else ([] for _ in names)
    columns = ([text or None for text in column] for column in turned)
    found = dict(zip(names, columns, strict=True))
    return found if is_plain else {name: _opened(column) for name, column in found.items()}


def cut_out(text: str, name: str, declared: Shape | None) -> tuple[str, Bulk] | None:
    """Cut the records out of a page's text.

    Returns:
        The text with one record left, and the records; None when they are few or not to be found.
    """
    if not name or name == "*":
        return None
    first = re.search(rf"<((?:[\w.-]+:)?{re.escape(name)})[ \t\r\n>]", text)
    if first is None:
        return None
    close = f"</{first[1]}>"
    last = text.rfind(close)
    if last < 0 or len(_samples(text[first.start() :], close, FEWEST)) < FEWEST:
        return None
    end = last + len(close)
    sample = text.index(close) + len(close)
    region = text[first.start() : end]
    return text[:sample] + text[end:], Bulk(region, name, first[1], declared)


def has_controls(body: bytes) -> bool:
    """Tell whether a page in UTF-8 or another superset of ASCII holds characters XML forbids."""
    return len(body.translate(None, _CONTROL)) != len(body)


def _clean(region: str) -> str:
    """Check characters and references as an XML parser would, and unify line ends.

    Control characters were looked for in the page's bytes, and the grammar lets no other markup
    through than its own.

    Raises:
        Irregular: Something that only a parser may judge.
    """
    if "!" in region and "<!" in region:
        region = _MARKED.sub(_unmarked, region)
    if "\ufffe" in region or "\uffff" in region or ("]" in region and "]]>" in region):
        raise Irregular
    if "\r" in region:
        region = region.replace("\r\n", "\n").replace("\r", "\n")
    if "&" in region:
        found = _REFERENCE.findall(region)
        if len(found) != region.count("&"):
            raise Irregular
        for _, decimal, hexadecimal in set(found):
            if decimal or hexadecimal:
                _character(decimal, hexadecimal)
    return region


def _unmarked(found: re.Match[str]) -> str:
    """Write a CDATA section as text and leave a comment out."""
    page, at = found.string, found.start()
    if page.rfind("<", 0, at) > page.rfind(">", 0, at):
        raise Irregular  # inside a tag
    text, comment = found.groups()
    if text is not None:
        return escape(text)
    if "--" in comment or comment.endswith("-"):
        raise Irregular
    return ""


def _character(decimal: str, hexadecimal: str) -> str:
    code = int(decimal) if decimal else int(hexadecimal, 16)
    if not any(first <= code <= last for first, last in _CHARACTERS):
        raise Irregular
    return chr(code)


def _reference(found: re.Match[str]) -> str:
    named, decimal, hexadecimal = found.groups()
    return _NAMED[named] if named else _character(decimal, hexadecimal)


def _opened(column: Column) -> Column:
    """Give texts as they are meant, references opened."""
    return [_REFERENCE.sub(_reference, text) if text and "&" in text else text for text in column]


def _samples(region: str, close: str, most: int) -> list[str]:
    """Give the first records as text."""
    samples: list[str] = []
    at = 0
    while len(samples) < most and at < len(region):
        end = region.find(close, at)
        if end < 0:
            break
        samples.append(region[at : end + len(close)].lstrip(" \t\n"))
        at = end + len(close)
    return samples


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _cut(
    region: str, record: Node, layout: Layout, fields: list[str], explode: str | None
) -> dict[str, Column]:
    """Split by the grammar: column by path, and what stands between the records under ``""``.

    Raises:
        Irregular: Anything but blanks stands between two records.
    """
    wanted = dict.fromkeys(fields, 0)
    pattern = _compiled(expression(record, layout, wanted, explode))
    names = groups(record, wanted, explode)
    step = pattern.groups + 1
    parts = pattern.split(region)
    between = parts[0::step]
    if step != len(set(names)) + 1 or "".join(between).strip(" \t\n\0"):
        raise Irregular
    found = {name: parts[at::step] for at, name in enumerate(names, start=1)}
    for name, values in found.items():
        if "@" in name:
            found[name] = [value or None for value in values]  # noqa: PLR1733 - it is replaced
    found[""] = between[:-1]
    return found


def _children(
    lists: Column | None, record: Node, layout: Layout, fields: list[str], shape: RecordShape
) -> tuple[dict[str, Column], list[int]]:
    """Split the exploded lists of all parents at once."""
    node = record.find(shape.explode or "")
    if node is None or lists is None:
        return {name: [] for name in fields}, []
    skip = len(shape.explode or "") + 1
    names = [name[skip:] for name in fields]
    if node.is_leaf:
        raise Irregular
    text = _PARENT.join(each or "" for each in lists)
    cut = _cut(text, node, layout, names, None)
    parent, parent_of = 0, []
    for between in cut.pop(""):
        parent += (between or "").count(_PARENT)
        parent_of.append(parent)
    empty: Column = [None] * len(parent_of)
    return {
        full: cut.get(name) or empty for full, name in zip(fields, names, strict=True)
    }, parent_of


def _unknown(record: Node, region: str, shape: RecordShape, *, whole: bool) -> frozenset[str]:
    """Find names that the mapping neither uses nor ignores.

    Raises:
        Irregular: Only a tree can tell whether one of them stands in the page.
    """
    inside = f"{shape.explode}." if shape.explode else None
    outer = shape.known | {shape.explode} if shape.explode else shape.known
    report = whole or not shape.explode
    unknown: set[str] = set()
    for path, node in record.walk():
        is_inner = inside is not None and path.startswith(inside)
        known = shape.known if is_inner else outer
        if is_known(path, known) or has_known_parts(path, known):
            continue
        if not (is_inner or report) or any(path.startswith(f"{name}.") for name in unknown):
            continue
        if node.seen:
            unknown.add(path)
        elif f"<{node.tag}>" in region or f"<{node.tag}/" in region or f"<{node.tag} " in region:
            raise Irregular
    return frozenset(unknown)


def _unknown_attributes(
    record: Node, prefixes: Prefixes, shape: RecordShape, *, whole: bool
) -> frozenset[str]:
    """Find attributes of records and of their children that the mapping does not know."""
    known = shape.known
    found: set[str] = set()
    owners: list[tuple[str, Node]] = []
    if whole or not shape.explode:
        owners += [("", record), *((c.local, c) for c in record.children.values())]
    exploded = record.find(shape.explode) if shape.explode else None
    if exploded is not None and shape.explode:
        inner = [(f"{shape.explode}.{c.local}", c) for c in exploded.children.values()]
        owners += [(shape.explode, exploded), *inner]
    for path, node in owners:
        for name in node.attributes:
            space = prefixes.get(name.rpartition(":")[0] or None, "") if ":" in name else ""
            dotted = attribute_path(path, name)
            if space not in TYPING and dotted not in known:
                found.add(dotted)
    return frozenset(found)
