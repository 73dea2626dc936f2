"""Routes: which declared call a request is, and what it carries.

A system may send everything to one address and tell its calls apart by a service code deep inside
a text; so every declared call is tried until one fits whole.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

from connectors.templates import PLACE
from tongban.kernel.interfaces import (
    Call,
    Interface,
)
from tongban.kernel.systems import System
from tongban.onboarding.described import Description
from tongban.onboarding.fake.identity import Shown
from tongban.onboarding.fake.reading import as_document, local, parse, read

Kind = Literal["pull", "push", "delete", "statement", "compare"]
NAME_OF_ENCODING = re.compile(rb"""(<\?xml[^>]*?)\s+encoding\s*=\s*["'][^"']*["']""")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Route:
    """One declared call."""

    kind: Kind
    dataset: str
    call: Call
    interface: Interface


@dataclass(frozen=True, slots=True)
class Matched:
    """A route with the values that the request carries, and where its identity could be."""

    route: Route
    values: dict[str, Any] = field(repr=False)
    shown: Shown = field(repr=False)


def routes_of(system: System) -> list[Route]:
    """Every declared call, the longer paths first."""
    found: list[Route] = []
    for name, dataset in system.datasets.items():
        if dataset.call is not None:
            found.append(Route("pull", name, dataset.call, system.interface_of(dataset.call)))
    for name, accepted in system.accepts.items():
        calls: list[tuple[Kind, Call]] = [("push", accepted.call)]
        if accepted.delete is not None:
            calls.append(("delete", accepted.delete))
        if accepted.statement is not None:
            calls.append(("statement", accepted.statement.call))
        found += [Route(kind, name, call, system.interface_of(call)) for kind, call in calls]
    for name, compared in system.compares.items():
        found.append(Route("compare", name, compared.call, system.interface_of(compared.call)))
    return sorted(found, key=lambda route: -len(route.interface.path + route.call.path))


def match(
    routes: list[Route], request: Request, descriptions: dict[str, Description]
) -> Matched | None:
    """The first declared call that the request fits whole, or None."""
    for route in routes:
        values: dict[str, Any] = {}
        if not _path_fits(route, request.path, values):
            continue
        shown = _shown(route, request)
        soap = route.interface.soap
        if soap is not None:
            element, message = _message(shown.text)
            if element not in _elements(route, descriptions.get(soap.wsdl)):
                continue
            shown = Shown(shown.headers, shown.query, shown.form, message, shown.text)
            fits = read(route.call.body or {}, message, values)
        else:
            fits = request.method == route.call.method and _rest_fits(route, shown, values)
        if fits:
            return Matched(route, values, shown)
    return None


def _path_fits(route: Route, path: str, values: dict[str, Any]) -> bool:
    declared = route.interface.path + route.call.path
    if PLACE.search(declared):
        return read(declared, path, values)
    return path.rstrip("/") == declared.rstrip("/")


def _rest_fits(route: Route, shown: Shown, values: dict[str, Any]) -> bool:
    call = route.call
    if not read(call.query, dict(shown.query), values):
        return False
    if call.form and not read(call.form, dict(shown.form), values):
        return False
    return call.body is None or read(call.body, shown.message, values)


def _shown(route: Route, request: Request) -> Shown:
    """Headers, query, form and message of a request, the body in the declared charset."""
    interface = route.interface
    kind = request.headers.get("content-type", "")
    text = request.body.decode(interface.charset, "replace")
    form: dict[str, str] = {}
    message: Any = {}
    if "urlencoded" in kind:
        form = dict(parse_qsl(text, keep_blank_values=True, encoding=interface.charset))
    elif interface.soap is None and text.strip():
        message = _rest_message(route, text)
    return Shown(request.headers, request.query, form, message, text)


def _rest_message(route: Route, text: str) -> Any:
    """The body in the shape of the call's template."""
    if route.call.send_as == "xml":
        root = parse(text.encode())
        return {} if root is None else {local(root): as_document(root)}
    if route.call.send_as in {"ndjson", "csv"}:
        key = next(iter(route.call.body or {"records": None}))
        return {key: list(_lines(route, text))}
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _lines(route: Route, text: str) -> Iterator[Any]:
    """Records of NDJSON or CSV."""
    if route.call.send_as == "ndjson":
        yield from (json.loads(line) for line in text.splitlines() if line.strip())
        return
    import csv
    import io

    spec = route.interface.csv
    names = list(spec.header) or None
    yield from csv.DictReader(io.StringIO(text), names, delimiter=spec.delimiter)


def _message(text: str) -> tuple[str, dict[str, Any]]:
    """Name of the first element of a SOAP Body, and what is in it."""
    utf8 = NAME_OF_ENCODING.sub(rb"\1", codecs.encode(text, "utf-8"), count=1)
    root = parse(utf8)
    if root is None:
        return "", {}
    body = next((part for part in root if local(part) == "Body"), None)
    first = None if body is None else next((c for c in body if isinstance(c.tag, str)), None)
    if first is None:
        return "", {}
    document = as_document(first)
    return local(first), document if isinstance(document, dict) else {}


def _elements(route: Route, described: Description | None) -> set[str]:
    """Names with which a request of the operation may begin."""
    name = route.call.operation or ""
    found = {name}
    for operation in described.operations if described else ():
        if operation.name == name and operation.element:
            found.add(operation.element)
    return found
