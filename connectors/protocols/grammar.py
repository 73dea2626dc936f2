"""Grammar: one record's elements as a regular expression, from its schema and a few samples.

The expression is strict — every tag in its place, nothing between elements but blanks — so that
records that it cuts out one after another are proven to hold exactly what was read. Whatever does
not fit is `Irregular`, and the page is read as a tree instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from connectors.protocols.samples import (
    XSI,
    Irregular,
    Sample,
    merged_names,
    out_of_order,
    read_sample,
)
from connectors.protocols.shapes import Shape

Prefixes = Mapping[str | None, str]

MOST_NODES = 2000
DEEPEST_RECORD = 6  # what lies deeper is learnt from the samples only


@dataclass(slots=True)
class Node:
    """One element of the grammar.

    Attributes:
        tag: With its prefix, as written.
        start: Start tag's inside as written: tag and constant attributes.
        children: In order, by tag.
        repeats: Several in a row.
        is_leaf: Holds text.
        seen: It stands in the samples, not only in the schema.
        attributes: Names as written, in order, where it has any that say something.
    """

    tag: str
    start: str = ""
    children: dict[str, Node] = field(default_factory=dict)
    repeats: bool = False
    is_leaf: bool = True
    seen: bool = False
    attributes: list[str] = field(default_factory=list)

    @property
    def local(self) -> str:
        """Name without prefix."""
        return self.tag.rpartition(":")[2]

    def find(self, path: str) -> Node | None:
        """Follow a dotted path of local names."""
        here: Node | None = self
        for name in path.split("."):
            if here is not None:
                here = next((c for c in here.children.values() if c.local == name), None)
        return here

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """Give every node below with its dotted path, parents first."""
        for child in self.children.values():
            dotted = prefix + child.local
            yield dotted, child
            yield from child.walk(f"{dotted}.")


@dataclass(frozen=True, slots=True)
class Layout:
    """How a page is written: prefix of the instance namespace, and whether blanks stand between."""

    xsi: str | None
    blanks: bool

    @property
    def gap(self) -> str:
        """Expression for what may stand between two elements."""
        return "[ \\t\\n]*+" if self.blanks else ""


def learn(
    samples: Iterable[str], declared: Shape | None, prefixes: Prefixes
) -> tuple[Node, set[str]]:
    """Make the grammar of records from samples of them and their schema.

    Args:
        samples: Records as text.
        declared: What the schema says about one record.
        prefixes: Namespaces in force where the records stand, by prefix.

    Returns:
        The grammar, and what stands out of the schema's order in the samples.

    Raises:
        Irregular: The samples contradict each other.
    """
    xsi = instance_prefix(prefixes)
    trees = [read_sample(sample, xsi) for sample in samples]
    if not trees:
        raise Irregular
    moved = out_of_order(trees, declared) if declared is not None else set()
    return _learnt(trees, None if moved else declared, prefixes), moved


def _learnt(trees: list[Sample], declared: Shape | None, prefixes: Prefixes) -> Node:
    record = Node(trees[0].tag, seen=True)
    if declared is not None and declared.ordered:
        used = [_prefix(child.tag) for tree in trees for child in tree.children]
        common = max(set(used), key=used.count) if used else _prefix(record.tag)
        _declare(record, declared, common, trees, 0)
    for tree in trees:
        _merge(record, tree)
    nodes = [node for _, node in record.walk()]
    if len(nodes) > MOST_NODES or any(
        (_prefix(n.tag) or None) not in _bound(prefixes) for n in nodes
    ):
        raise Irregular
    return record


def instance_prefix(prefixes: Prefixes) -> str | None:
    """Give the prefix of the schema instance namespace (`xsi`), if it has one."""
    return next((prefix for prefix, uri in prefixes.items() if uri == XSI and prefix), None)


def _bound(prefixes: Prefixes) -> set[str | None]:
    return {None, *prefixes}


def _prefix(tag: str) -> str:
    return tag.rpartition(":")[0]


def _declare(node: Node, shape: Shape, prefix: str, samples: list[Sample], depth: int) -> None:
    """Put in what the schema says, in its order, with the prefixes of the samples."""
    if depth > DEEPEST_RECORD or not shape.ordered:
        return
    below: dict[str, list[Sample]] = {}
    for sample in samples:
        for child in sample.children:
            below.setdefault(child.tag.rpartition(":")[2], []).append(child)
    for child_shape in shape.children:
        for name in (child_shape.name, *child_shape.alternatives):
            found = below.get(name, [])
            tag = found[0].tag if found else (f"{prefix}:{name}" if prefix else name)
            made = Node(tag, start=tag, repeats=child_shape.repeats)
            if child_shape.children and name == child_shape.name:
                made.is_leaf = False
                _declare(made, child_shape, prefix, found, depth + 1)
            node.children[tag] = made


def _merge(node: Node, sample: Sample) -> None:
    """Take a sample's elements into the grammar, at their places.

    Raises:
        Irregular: The order, or a start tag, differs.
    """
    if node.start in {"", node.tag}:
        node.start = sample.start
    elif sample.start not in {node.start, sample.tag}:
        raise Irregular
    node.seen = True
    node.is_leaf = node.is_leaf and not sample.children
    node.attributes = merged_names(node.attributes, sample.attributes)
    order = list(node.children)
    at = 0
    last = ""
    for child in sample.children:
        tag = child.tag
        if tag == last:
            node.children[tag].repeats = True
        elif tag in node.children:
            place = order.index(tag)
            if place < at:
                raise Irregular
            at = place + 1
        else:
            order.insert(at, tag)
            node.children[tag] = Node(tag, start=child.start)
            at += 1
        _merge(node.children[tag], child)
        last = tag
    node.children = {tag: node.children[tag] for tag in order}


def _opening(node: Node, path: str, wanted: dict[str, int]) -> str:
    """Write the inside of a start tag; each attribute stands once, in order, wanted as a group."""
    if not node.attributes:
        return re.escape(node.start or node.tag)
    written = re.escape(node.tag)
    for name in node.attributes:
        value = '([^"<\\n\\t]*+)' if attribute_path(path, name) in wanted else '[^"<\\n\\t]*+'
        blank = "[ \\t\\n]"
        written += f'(?:{blank}++{re.escape(name)}{blank}*+={blank}*+"{value}")?+'
    return written


def attribute_path(path: str, name: str) -> str:
    """Give the path by which a mapping names an attribute."""
    local = name.rpartition(":")[2]
    return f"{path}.@{local}" if path else f"@{local}"


def expression(node: Node, layout: Layout, wanted: dict[str, int], explode: str | None) -> str:
    """Write the expression of one record; wanted leaves are groups in the order of `wanted`.

    Raises:
        Irregular: A wanted field repeats, or is no leaf.
    """
    inside = _inside(node, layout, wanted, explode, "")
    tag = re.escape(node.tag)
    return f"<{_opening(node, '', wanted)} ?>{layout.gap}{inside}</{tag}>"


def _inside(
    node: Node, layout: Layout, wanted: dict[str, int], explode: str | None, prefix: str
) -> str:
    return "".join(
        _one(child, layout, wanted, explode, prefix + child.local)
        for child in node.children.values()
    )


def _one(node: Node, layout: Layout, wanted: dict[str, int], explode: str | None, path: str) -> str:
    tag, gap = re.escape(node.tag), layout.gap
    below = any(n.startswith(f"{path}.") and n[len(path) + 1] != "@" for n in wanted)
    marked = any(attribute_path(path, name) in wanted for name in node.attributes)
    if node.repeats and (
        below or marked or path in wanted or (explode or "").startswith(f"{path}.")
    ):
        raise Irregular
    if path == explode:
        inner: dict[str, int] = {}
        one = _element(node, f"{gap}{_inside(node, layout, inner, None, f'{path}.')}", inner, path)
        return f"((?:(?:{one}{_nil(tag, layout)}){gap})*+)"
    if node.is_leaf:
        if below:
            raise Irregular
        inside = "([^<]++)" if path in wanted else "[^<]++"
    else:
        if path in wanted:
            raise Irregular
        inside = gap + _inside(node, layout, wanted, explode, f"{path}.")
    one = _element(node, inside, wanted, path) + _nil(tag, layout)
    return f"(?:(?:{one}){gap}){'*+' if node.repeats else '?+'}"


def _element(node: Node, inside: str, wanted: dict[str, int], path: str) -> str:
    """Write one element: with content, without, or self-closing."""
    tag = re.escape(node.tag)
    return f"<{_opening(node, path, wanted)} ?(?:>{inside}</{tag}>|></{tag}>|/>)"


def _nil(tag: str, layout: Layout) -> str:
    """Write the alternative of an element that says it is not there."""
    if layout.xsi is None:
        return ""
    typed = f'(?: {layout.xsi}:type="[^"<>]*+")?'
    nil = f"{layout.xsi}:nil=[\"'](?:true|1)[\"']"
    return f"|<{tag}{typed} {nil}{typed} ?(?:/>|></{tag}>)"


def groups(node: Node, wanted: dict[str, int], explode: str | None) -> list[str]:
    """Give the paths of the groups, in the order in which they stand in the expression."""
    found = _attribute_groups(node, "", wanted)
    skip: str | None = None
    for path, child in node.walk():
        if skip is not None and path.startswith(skip):
            continue
        if path == explode:
            skip = f"{path}."
            found.append(path)
            continue
        found += _attribute_groups(child, path, wanted)
        if path in wanted:
            found.append(path)
    return found


def _attribute_groups(node: Node, path: str, wanted: dict[str, int]) -> list[str]:
    paths = [attribute_path(path, name) for name in node.attributes]
    return [each for each in paths if each in wanted]
