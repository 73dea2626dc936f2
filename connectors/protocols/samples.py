"""Samples: a few records of a page, taken apart tag by tag, for their grammar to be learnt from.

The reader knows tags, attributes and text, and nothing else of XML: what it does not know is
`Irregular`, and so is whatever is not well-formed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from connectors.protocols.shapes import Shape

XSI = "http://www.w3.org/2001/XMLSchema-instance"
TYPING = frozenset(  # attributes of these namespaces say nothing that a column could hold
    {
        XSI,
        "http://schemas.xmlsoap.org/soap/encoding/",
        "http://www.w3.org/2003/05/soap-encoding",
        "http://schemas.xmlsoap.org/soap/envelope/",
        "http://www.w3.org/2003/05/soap-envelope",
    }
)
_TOKEN = re.compile(
    r"<(/?)([^\s<>/=!?]+)((?:[ \t\n]+[^\s<>=/]+[ \t\n]*=[ \t\n]*(?:\"[^\"<]*\"|'[^'<]*'))*)"
    r"[ \t\n]*(/?)>([^<]*)"
)
_ATTRIBUTE = re.compile(r"([^\s=]+)[ \t\n]*=[ \t\n]*(?:\"[^\"]*\"|'[^']*')")
_BLANK = " \t\n"


class Irregular(Exception):  # noqa: N818 - control flow inside the decoder, never seen outside
    """The page is not one record after another of one form."""


@dataclass(slots=True)
class Sample:
    """One element of a sample, as written."""

    tag: str
    start: str
    attributes: list[str]
    children: list[Sample] = field(default_factory=list)

    @property
    def local(self) -> str:
        """Name without prefix."""
        return self.tag.rpartition(":")[2]


def read_sample(text: str, xsi: str | None) -> Sample:
    """Read one sample's tags.

    Raises:
        Irregular: Attributes that say something, mixed content, or anything but tags and text.
    """
    root: Sample | None = None
    stack: list[Sample] = []
    at = 0
    for token in _TOKEN.finditer(text):
        if token.start() != at or (root is not None and not stack):
            raise Irregular
        at = token.end()
        closing, tag, attributes, empty, following = token.groups()
        if closing:
            if not stack or stack.pop().tag != tag:
                raise Irregular
        else:
            sample = Sample(tag, *_start(tag, attributes, xsi))
            if stack:
                stack[-1].children.append(sample)
            root = root or sample
            if not empty:
                stack.append(sample)
        inside_leaf = not closing and not empty
        if following.strip(_BLANK) and not inside_leaf:
            raise Irregular
        if following.strip(_BLANK) and text[at : at + 2] != "</":
            raise Irregular
    if root is None or stack or at != len(text):
        raise Irregular
    return root


def _start(tag: str, written: str, xsi: str | None) -> tuple[str, list[str]]:
    """Give the start tag as written and, where attributes say something, their names instead.

    Typing that is the same for all records is part of the tag as written.
    """
    names: list[str] = _ATTRIBUTE.findall(written)
    if xsi is not None and f"{xsi}:nil" in names:
        return tag, []
    typing = {"xmlns", f"{xsi}:type"}
    if all(name in typing or name.startswith("xmlns:") for name in names):
        return tag + written, []
    if any(name == "xmlns" or name.startswith("xmlns:") for name in names):
        raise Irregular
    return tag, names


def merged_names(known: list[str], found: list[str]) -> list[str]:
    """Take a sample's attributes into the known ones, at their places."""
    order, at = list(known), 0
    for name in found:
        if name not in order:
            order.insert(at, name)
        elif order.index(name) < at:
            raise Irregular
        at = order.index(name) + 1
    return order


def out_of_order(samples: Iterable[Sample], declared: Shape, prefix: str = "") -> set[str]:
    """Find elements of the samples that stand before those that the schema puts before them."""
    found: set[str] = set()
    nested: dict[str, list[Sample]] = {}
    places = {child.name: at for at, child in enumerate(declared.children)}
    for sample in samples:
        highest = -1
        for child in sample.children:
            place = places.get(child.local, highest)
            if place < highest and declared.ordered:
                found.add(f"{prefix}{child.local}")
            highest = max(highest, place)
            if child.children:
                nested.setdefault(child.local, []).append(child)
    for name, inner in nested.items():
        shape = declared.child(name)
        if shape is not None and shape.children:
            found |= out_of_order(inner, shape, f"{prefix}{name}.")
    return found
