"""Reading: find the values that a request carries, by turning its declared template around.

The reverse of `connectors.templates.fill`. Constants must be equal, or the request is another one;
what a template does not mention is nobody's business, so further parameters do no harm.
"""

from __future__ import annotations

import json
import re
from typing import Any

from lxml import etree

from connectors.templates import PLACE, SPREAD

Values = dict[str, Any]
# Attributes that say how a value is written, which no template mentions.
_ABOUT_TYPES = (
    "{http://www.w3.org/2001/XMLSchema-instance}",
    "{http://schemas.xmlsoap.org/soap/encoding/}",
    "{http://schemas.xmlsoap.org/soap/envelope/}",
)


def read(template: Any, actual: Any, found: Values) -> bool:
    """Tell whether a value fits a template, and collect what its placeholders stand for."""
    if isinstance(template, dict):
        return _read_mapping(template, actual, found)
    if isinstance(template, list | tuple):
        items = actual if isinstance(actual, list) else [actual]
        pairs = zip(template, items, strict=False)
        return len(items) >= len(template) and all(read(t, a, found) for t, a in pairs)
    if isinstance(template, str):
        return _read_text(template, actual, found)
    return template is None or str(template).lower() == str(actual).lower()


def _read_mapping(template: dict[str, Any], actual: Any, found: Values) -> bool:
    if len(template) == 1 and "$json" in template:
        opened = _json(actual)
        return opened is not None and read(template["$json"], opened, found)
    if len(template) == 1 and "$xml" in template:
        opened = _xml(actual)
        return opened is not None and read(template["$xml"], opened, found)
    if not isinstance(actual, dict):
        return not template or (actual in {None, ""} and all(map(is_optional, template.values())))
    if SPREAD in template:
        found["data"] = {k: v for k, v in actual.items() if k not in template}
    return all(
        read(item, actual[key], found) if key in actual else is_optional(item)
        for key, item in template.items()
        if key != SPREAD
    )


def is_optional(template: Any) -> bool:
    """Whether a key may be missing: an empty value, or one that `{name?}` dropped."""
    if isinstance(template, str):
        places = list(PLACE.finditer(template))
        return not template or (bool(places) and all(match.group(3) for match in places))
    return not template


def _read_text(template: str, actual: Any, found: Values) -> bool:
    whole = PLACE.fullmatch(template)
    if whole is not None:
        found[_name(whole)] = actual
        return True
    if not PLACE.search(template):
        return template == _text(actual)
    pattern, names, end = "", [], 0
    for match in PLACE.finditer(template):
        pattern += re.escape(template[end : match.start()]) + "(.*?)"
        names.append(_name(match))
        end = match.end()
    fits = re.fullmatch(pattern + re.escape(template[end:]), _text(actual), re.DOTALL)
    if fits is None:
        return False
    found |= dict(zip(names, fits.groups(), strict=True))
    return True


def _name(match: re.Match[str]) -> str:
    """Name of a placeholder; the keys of `{after:FIELD}` stay apart."""
    return f"after:{match.group(2)}" if match.group(1) == "after" else match.group(1)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _json(actual: Any) -> Any:
    try:
        return json.loads(actual)
    except (ValueError, TypeError):
        return None


def _xml(actual: Any) -> Any:
    if not isinstance(actual, str):
        return None
    root = parse(actual.encode())
    return None if root is None else {local(root): as_document(root)}


def parse(body: bytes) -> Any:
    """An XML document without entities or network, or None when it is none."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        return etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        return None


def local(element: Any) -> str:
    """Local name of an element."""
    return etree.QName(element).localname


def as_document(element: Any) -> Any:
    """An element as nested mappings by local name; repeated names are lists, `@name` attributes."""
    children = [child for child in element if isinstance(child.tag, str)]
    attributes = {
        f"@{etree.QName(name).localname}": value
        for name, value in element.attrib.items()
        if not name.startswith(_ABOUT_TYPES)
    }
    if not children:
        text = element.text or ""
        return {**attributes, "#text": text} if attributes and not text.strip() else text
    found: dict[str, Any] = dict(attributes)
    for child in children:
        name, value = local(child), as_document(child)
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found
