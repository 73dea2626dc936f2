"""Layouts: the records of an irregular page, cut by how each of them is laid out.

A page that has no one grammar — attributes, varying order, repeats of other counts — still has few
layouts: what is left of a record once texts and attribute values are taken out. One record of each
layout goes through the hardened parser, which proves it well-formed and says what is where; the
others of that layout differ in texts alone. Too many layouts, mixed content, processing
instructions: `Irregular`, and the page is read as a tree, with the same result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, cast

from connectors.protocols.samples import Irregular

Texts = Sequence[str | None]
Picker = Callable[[list[str | None]], tuple[str | None, ...]]
Parse = Callable[[str], Any]

FEW_LAYOUTS = 64
MOST_LAYOUTS = 400
SHARE = 8  # records of one layout: with fewer, a tree is as quick
_NAME = re.compile(r"^/?[^\s/<>=!?]+")
_ATTRIBUTE = re.compile(r"([^\s=]+)\s*=\s*$")
_NIL = re.compile(r"[\s:]nil\s*=")


@dataclass(slots=True)
class Spot:
    """One element of a layout: the index of its text, of its attributes, and its children.

    Attributes:
        is_nil: It may say of itself that it is not there.
        is_opaque: Its attributes are part of the layout, so that their values are not among the
            texts.
    """

    name: str
    text: int = -1
    attributes: dict[str, int] = field(default_factory=dict)
    children: list[Spot] = field(default_factory=list)
    is_nil: bool = False
    is_opaque: bool = False

    def first(self, name: str) -> Spot | None:
        """Give the first child of that name."""
        return next((child for child in self.children if child.name == name), None)

    def all_at(self, path: str) -> Iterator[Spot]:
        """Give all elements at a path, also in repeated parents.

        Raises:
            Irregular: One may not be there.
        """
        found = [self]
        for name in path.split("."):
            found = [child for each in found for child in each.children if child.name == name]
        for spot in found:
            if spot.is_nil:
                raise Irregular
            yield spot

    def index(self, path: str) -> int:
        """Give the place of a field's text among the texts; -1 where it is not there.

        Raises:
            Irregular: Only a tree can tell.
        """
        here: Spot | None = self
        *parents, last = path.split(".")
        for name in parents:
            here = here.first(name) if here is not None else None
        if here is None:
            return -1
        if last.startswith("@"):
            if here.is_opaque:
                raise Irregular
            return here.attributes.get(last[1:], -1)
        found = here.first(last)
        if found is not None and found.children:
            raise Irregular
        return -1 if found is None else found.text


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the wanted texts of one layout are."""

    pick: Picker
    children: tuple[Picker, ...]


@dataclass(slots=True)
class Rows:
    """What was cut: the texts of records and of their exploded children, in order."""

    parents: list[tuple[str | None, ...]] = field(default_factory=list)
    children: list[tuple[str | None, ...]] = field(default_factory=list)
    parent_of: list[int] = field(default_factory=list)
    samples: list[Any] = field(default_factory=list)


def cut_layouts(
    region: str,
    tag: str,
    outer: Sequence[str],
    inner: Sequence[str],
    explode: str | None,
    parse: Parse,
) -> Rows:
    """Cut the records out of a cleaned region.

    Args:
        region: From the first record's `<` to the last one's `>`.
        tag: Of a record, with its prefix.
        outer: Fields of the records.
        inner: Fields of the exploded children, relative to them.
        explode: Path of the exploded list.
        parse: Gives the one element that a record's text is.

    Raises:
        Irregular: The records are not to be told apart, or have too many layouts.
    """
    if any(mark in name for name in (*outer, *inner, explode or "") for mark in "#*"):
        raise Irregular
    rows = Rows()
    plans: dict[str, Plan] = {}
    if region.count("<") != region.count(">"):  # a `>` in a text or in a value
        raise Irregular
    chunks = region.replace(">", "<").split(f"</{tag}<")
    if chunks.pop().strip(" \t\n"):
        raise Irregular
    at = 0
    for number, chunk in enumerate(chunks):
        gap, *parts = chunk.split("<")
        if gap.strip(" \t\n"):
            raise Irregular
        markup = parts[0::2]
        texts = cast("list[str | None]", parts[1::2])
        if "=" in chunk:
            _take_values(markup, texts)
        layout = "<".join(markup)
        plan = plans.get(layout)
        if plan is None:
            if len(plans) >= min(FEW_LAYOUTS + number // SHARE, MOST_LAYOUTS):
                raise Irregular
            start = region.index("<", at)
            rows.samples.append(parse(region[start : at + len(chunk) + len(tag) + 3]))
            plan = plans[layout] = _planned(markup, outer, inner, explode)
        at += len(chunk) + len(tag) + 3
        texts.append(None)
        rows.parents.append(plan.pick(texts))
        for pick in plan.children:
            rows.children.append(pick(texts))
            rows.parent_of.append(number)
    return rows


def _take_values(markup: list[str], texts: list[str | None]) -> None:
    """Take the attributes' values out of the markup and put them behind the texts.

    Raises:
        Irregular: A value that only a parser may read.
    """
    for at, tag in enumerate(markup):
        if "=" not in tag:
            continue
        pieces = tag.split('"')
        if len(pieces) % 2 == 0:
            raise Irregular
        if _is_opaque(tag):
            continue
        texts += pieces[1::2]
        markup[at] = '"'.join(pieces[0::2])


def _is_opaque(tag: str) -> bool:
    """Tell whether a tag's attributes are read by nobody but the parser."""
    return "xmlns" in tag or "'" in tag or "\n" in tag or "\t" in tag


def _planned(
    markup: list[str], outer: Sequence[str], inner: Sequence[str], explode: str | None
) -> Plan:
    record = _spots(markup)
    children = [] if explode is None else list(record.all_at(explode))
    return Plan(
        _picker([record.index(name) for name in outer]),
        tuple(_picker([child.index(name) for name in inner]) for child in children),
    )


def _picker(places: list[int]) -> Picker:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda texts: tuple(texts[at] for at in places)


def _spots(markup: list[str]) -> Spot:
    """Find out which text and which value belongs to which element; it is known to be well-formed.

    Raises:
        Irregular: An instruction, or a record that says that it is not there.
    """
    root = Spot("")
    stack = [root]
    value = len(markup)  # values stand behind the texts
    for at, tag in enumerate(markup):
        name = _NAME.match(tag)
        if name is None:
            raise Irregular
        if tag.startswith("/"):
            stack.pop()
            continue
        spot = Spot(name[0].rpartition(":")[2], at)
        spot.is_opaque = "=" in tag and _is_opaque(tag)
        if "=" in tag and not spot.is_opaque:
            for before in tag.split('"')[:-1]:
                found = _ATTRIBUTE.search(before)
                if found is None:
                    raise Irregular
                spot.attributes.setdefault(found[1].rpartition(":")[2], value)
                value += 1
        spot.is_nil = _NIL.search(tag) is not None
        stack[-1].children.append(spot)
        if tag.endswith("/"):
            spot.text = -1
        else:
            stack.append(spot)
    if len(root.children) != 1 or root.children[0].is_nil or len(stack) != 2:  # noqa: PLR2004 - root and record
        raise Irregular
    return root.children[0]
