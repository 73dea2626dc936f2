"""Composed: a request's envelope written from the pinned schema alone, without zeep.

For descriptions that zeep refuses as a whole although the one operation that is called is well
described: a dangling type elsewhere, a header without its message, two schemas of one namespace.
Names, namespaces, order and attributes come from the schema; a value without a place is refused,
as zeep does. Nothing here reads an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lxml import etree

from connectors.protocols.samples import XSI
from connectors.protocols.shapes import Shape, Spoken

Element = etree._Element  # noqa: SLF001 - lxml has no public name for its element type
_TEXT = "_value_1"  # zeep's name for the text of an element that has attributes


class Unfit(ValueError):
    """A value has no place in the message; `path` says where, never what."""

    def __init__(self, path: Iterable[str]) -> None:
        super().__init__("the message does not fit")
        self.path = list(path)


def compose(spoken: Spoken, message: dict[str, Any], envelope_space: str) -> Element:
    """Write an envelope.

    Args:
        spoken: What the schema says about the operation.
        message: Parts of the message, as declared.
        envelope_space: Namespace of the SOAP version.

    Raises:
        Unfit: A value has no place in the message.
    """
    root = etree.Element(f"{{{envelope_space}}}Envelope", nsmap={"soap-env": envelope_space})
    body = etree.SubElement(root, f"{{{envelope_space}}}Body")
    shape = spoken.request
    if not shape.name:
        return root
    element = etree.SubElement(body, _tag(shape, shape.space))
    is_bare = not shape.children and not shape.attributes and set(message) <= _names(shape, spoken)
    if is_bare and message and spoken.style == "document":
        _fill(element, shape, next(iter(message.values())), [shape.name])
    else:
        _fill(element, shape, message, [shape.name])
    return root


def _names(shape: Shape, spoken: Spoken) -> set[str]:
    """Give the names that the one value of a bare simple element may have."""
    return {shape.name, _TEXT, *spoken.parts[0]}


def _tag(shape: Shape, space: str) -> str:
    return f"{{{space}}}{shape.name}" if space else shape.name


def _fill(element: Element, shape: Shape, value: Any, path: list[str]) -> None:
    """Write a value into its element."""
    if not isinstance(value, dict):
        element.text = _text(value)
        return
    waiting = dict(value)
    for name in shape.attributes:
        key = name if name in waiting and shape.child(name) is None else f"@{name}"
        given = waiting.pop(key, None)
        if given is not None:
            element.set(name, _text(given) or "")
    if _TEXT in waiting and shape.child(_TEXT) is None:
        element.text = _text(waiting.pop(_TEXT))
    places = {child.name: at for at, child in enumerate(shape.children)}
    order = sorted(waiting, key=lambda n: places.get(n, len(places))) if shape.ordered else waiting
    for name in order:
        child = shape.child(name)
        if child is None and not shape.is_open:
            raise Unfit([*path, name])
        known = child or Shape(name, is_open=True, space=etree.QName(element).namespace or "")
        _write(element, known, name, waiting[name], path)


def _write(element: Element, shape: Shape, name: str, value: Any, path: list[str]) -> None:
    values = value if isinstance(value, list | tuple) else [value]
    if len(values) > 1 and not (shape.repeats or shape.is_open):
        raise Unfit([*path, name])
    for each in values:
        if each is None and not (shape.nillable and isinstance(value, list | tuple)):
            continue
        tag = f"{{{shape.space}}}{name}" if shape.space else name
        made = etree.SubElement(element, tag)
        if each is None:
            made.set(f"{{{XSI}}}nil", "true")
        else:
            _fill(made, shape, each, [*path, name])


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
