"""Multiref: put values of SOAP encoding back where references point to them.

SOAP 1.1 writes `href="#id"`, SOAP 1.2 `enc:ref="id"`; the values stand beside the answer in the
Body. Circles, references to nothing and references that multiply the answer are refused: a small
page must not become a large one.
"""

from __future__ import annotations

from copy import deepcopy

from lxml import etree

from connectors.errors import AnswerReferencesBroken

Element = etree._Element  # noqa: SLF001 - lxml has no public name for its element type

_REF_12 = "{http://www.w3.org/2003/05/soap-encoding}ref"
_ID_12 = "{http://www.w3.org/2003/05/soap-encoding}id"
_ROOT = (
    "{http://schemas.xmlsoap.org/soap/encoding/}root",
    "{http://www.w3.org/2003/05/soap-encoding}root",
)
GROWTH = 20  # times the elements of the answer, and never more than MOST
MOST = 5_000_000
DEEPEST = 128


def has_references(text: str) -> bool:
    """Tell quickly whether an answer may hold references."""
    return "href" in text or ":ref" in text


def resolve_references(body: Element, where: str) -> Element | None:
    """Resolve all references below a Body.

    Returns:
        The element that is the answer: the first that nothing refers to; None when there is none.

    Raises:
        AnswerReferencesBroken: Dangling, circular or multiplying references.
    """
    values = _values(body)
    pointing = [element for element in body.iter() if _target(element) is not None]
    targets = {_target(element) for element in pointing}
    if pointing and (values or _is_encoded(body)):
        _Resolver(values, where, sum(1 for _ in body.iter())).run(pointing)
    referred = [value for key, value in values.items() if key in targets]
    for element in body:
        root = next((element.get(name) for name in _ROOT if element.get(name)), None)
        if element not in referred and root not in {"0", "false"}:
            return element
    return None


def _is_encoded(body: Element) -> bool:
    """Tell whether somebody says that SOAP encoding is used; else `href` may be anything."""
    owners = [*body.iterancestors(), body, *body]
    return any("encodingStyle" in str(name) for owner in owners for name in owner.attrib)


def _values(body: Element) -> dict[str, Element]:
    found: dict[str, Element] = {}
    for element in body.iter():
        for name in ("id", _ID_12):
            key = element.get(name)
            if key:
                found.setdefault(key, element)
    return found


def _target(element: Element) -> str | None:
    href = element.get("href")
    if href and href.startswith("#"):
        return href[1:]
    return element.get(_REF_12)


class _Resolver:
    """Expands references, innermost first, inside a bound."""

    def __init__(self, values: dict[str, Element], where: str, size: int) -> None:
        self._values = values
        self._where = where
        self._left = min(size * GROWTH + 1000, MOST)
        self._open: list[str] = []
        self._sizes: dict[str, int] = {}
        self._done: set[str] = set()

    def run(self, pointing: list[Element]) -> None:
        """Expand every pointing element."""
        for element in pointing:
            self._expand(element)

    def _expand(self, element: Element) -> None:
        key = _target(element)
        if key is None:
            return
        value = self._values.get(key)
        if value is None:
            raise self._broken("a reference leads nowhere")
        if key in self._open or len(self._open) >= DEEPEST:
            raise self._broken("references run in a circle or too deep")
        if key not in self._done:
            self._open.append(key)
            for inner in list(value.iter()):
                self._expand(inner)
            self._open.pop()
            self._done.add(key)
            self._sizes[key] = sum(1 for _ in value.iter())
        self._left -= self._sizes[key]
        if self._left < 0:
            raise self._broken("references multiply it beyond every measure")
        _fill(element, value)

    def _broken(self, why: str) -> AnswerReferencesBroken:
        return AnswerReferencesBroken(
            f"{self._where}: the answer cannot be put together, {why}; look at the kept page"
        )


def _fill(element: Element, value: Element) -> None:
    """Give an element the content of the value that it refers to."""
    for name in ("href", _REF_12):
        if name in element.attrib:
            del element.attrib[name]
    element.text = value.text
    for key, attribute in value.attrib.items():
        if key not in {"id", _ID_12, *_ROOT}:
            element.set(key, attribute)
    for child in value:
        element.append(deepcopy(child))
