"""Sample: the tree of one answer that an interface note or a department shows.

Descriptions often stop at "a string"; the note beside them then shows what is inside. Types are
read from the values, and every value is a sample for matching.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable
from typing import Any

from lxml import etree

from connectors.errors import AnswerCharsetWrong
from connectors.protocols.maps import open_maps
from connectors.protocols.multiref import resolve_references
from connectors.protocols.samples import TYPING
from connectors.protocols.xmldoc import parse_xml, to_utf8
from tongban.kernel.errors import AnswerUnreadable, ConfigInvalid
from tongban.onboarding.described import Node, NodeType
from tongban.onboarding.sources import Source

_ENCODING = re.compile(rb"^\s*<\?xml[^>]*\bencoding=[\"']([A-Za-z0-9._-]{1,40})")
_INTEGER = re.compile(r"^-?(0|[1-9][0-9]{0,17})$")
_DECIMAL = re.compile(r"^-?(0|[1-9][0-9]*)\.[0-9]+$")


def read_sample(source: Source) -> Node:
    """The tree of a JSON or XML answer; a SOAP envelope is opened.

    Raises:
        ConfigInvalid: It is neither.
    """
    if source.content.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<":
        return _of_xml([_inside(_parsed(source))])
    try:
        document = json.loads(source.content.decode("utf-8-sig"))
    except ValueError:
        raise ConfigInvalid(f"{source.location}: the sample is neither JSON nor XML") from None
    return _of_json("answer", [document])


def _parsed(source: Source) -> Any:
    """The root of an XML answer, in whatever charset it is: many claim another one."""
    said = _ENCODING.match(source.content)
    claimed = said[1].decode() if said else "utf-8"
    for charset in ("utf-8", claimed, "gb18030"):
        try:
            return parse_xml(to_utf8(source.content, charset, source.location), "sample").element
        except (AnswerCharsetWrong, LookupError):
            continue
        except AnswerUnreadable as exc:
            raise ConfigInvalid(f"{source.location}: {exc}") from None
    raise ConfigInvalid(f"{source.location}: the sample is neither UTF-8 nor {claimed}")


def _inside(root: Any) -> Any:
    """What paths are relative to: the first element of a SOAP Body, references resolved."""
    if etree.QName(root).localname != "Envelope":
        return root
    body = next((part for part in root if etree.QName(part).localname == "Body"), None)
    answer = None if body is None else resolve_references(body, "sample")
    if answer is None:
        raise ConfigInvalid("the sample is a SOAP envelope with nothing in its Body")
    open_maps(answer)
    return answer


def _of_json(name: str, values: list[Any]) -> Node:
    """One node for all values that stand at its place."""
    flat = [v for value in values for v in (value if isinstance(value, list) else [value])]
    repeated = any(isinstance(value, list) for value in values)
    objects = [v for v in flat if isinstance(v, dict)]
    if objects:
        keys = dict.fromkeys(key for item in objects for key in item)
        children = tuple(_of_json(k, [o[k] for o in objects if k in o]) for k in keys)
        return Node(name, "object", repeated=repeated, children=children)
    texts = [v for v in flat if v is not None]
    kinds = {type(v) for v in texts}
    kind: NodeType = "boolean" if kinds == {bool} else _kind(map(str, texts), strict=str in kinds)
    return Node(name, kind, repeated=repeated, samples=_few(map(str, texts)))


def _of_xml(elements: list[Any]) -> Node:
    name = etree.QName(elements[0]).localname
    inner = [[c for c in e if isinstance(c.tag, str)] for e in elements]
    told = _attributes(elements)
    if any(inner) or told:
        groups: dict[str, list[Any]] = {}
        many = set()
        for children in inner:
            seen = [etree.QName(c).localname for c in children]
            many |= {n for n in seen if seen.count(n) > 1}
            for child in children:
                groups.setdefault(etree.QName(child).localname, []).append(child)
        nodes = []
        for key, found in groups.items():
            node = _of_xml(found)
            # a list of one: the only kind of child, and itself a row of values
            is_row = any(not c.children for c in node.children)
            is_listed = key in many or (len(groups) == 1 and is_row)
            nodes.append(
                Node(
                    key, node.type, repeated=is_listed, children=node.children, samples=node.samples
                )
            )
        return Node(name, "object", children=(*nodes, *told))
    texts = [e.text.strip() for e in elements if e.text and e.text.strip()]
    return Node(name, _kind(texts, strict=True), samples=_few(texts))


def _attributes(elements: list[Any]) -> tuple[Node, ...]:
    """Attributes that say something, as `@name`; a value with one is addressed as `#text`."""
    found: dict[str, list[str]] = {}
    for element in elements:
        for key, value in element.attrib.items():
            space, _, name = str(key).rpartition("}")
            if space.lstrip("{") not in TYPING:
                found.setdefault(name, []).append(str(value))
    nodes = [Node(f"@{name}", _kind(v, strict=True), samples=_few(v)) for name, v in found.items()]
    if nodes and not any(len(element) for element in elements):
        texts = [e.text.strip() for e in elements if e.text and e.text.strip()]
        nodes += [Node("#text", _kind(texts, strict=True), samples=_few(texts))] if texts else []
    return tuple(nodes)


def _kind(texts: Iterable[str], *, strict: bool) -> NodeType:
    """The narrowest type of all texts; digits alone may be a code, so text stays text."""
    found = list(texts)
    if not found or (strict and not all(_DECIMAL.match(t) for t in found)):
        return "string"
    if all(_INTEGER.match(t) for t in found):
        return "integer"
    return "decimal" if all(_DECIMAL.match(t) or _INTEGER.match(t) for t in found) else "string"


def _few(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))[:5]
