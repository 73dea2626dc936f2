"""WSDL 1.1: operations, their messages and their binding, for drafting.

The best port is chosen as an engineer would: SOAP 1.1 or 1.2 over HTTP before anything else, a
version that all clients speak before a newer one. Imports are collected to be pinned. Calls later
go through zeep, which is stricter; what this reader understands, zeep may still refuse.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace
from operator import itemgetter
from typing import Any, Final
from urllib.parse import urlsplit

from lxml import etree

from connectors.protocols.bindings import Bound, read_binding
from connectors.protocols.mended import mended
from connectors.protocols.pinned import STANDARD
from tongban.kernel.errors import ConfigInvalid, TongbanError
from tongban.onboarding.described import Description, Node, Operation
from tongban.onboarding.sources import Source, read_import
from tongban.onboarding.xsd import XS, Schemas, qualified

WSDL: Final = "{http://schemas.xmlsoap.org/wsdl/}"
SOAP: Final = {
    "http://schemas.xmlsoap.org/wsdl/soap/": "1.1",
    "http://schemas.xmlsoap.org/wsdl/soap12/": "1.2",
}
KINDS = ("message", "portType", "binding")
MOST_FILES = 200
Element = Any


class Wsdl:
    """One description with everything that it imports."""

    def __init__(self, source: Source) -> None:
        self.files: dict[str, bytes] = {}
        self.locations: dict[str, str] = {}
        self.notes: list[str] = []
        self._roots: list[Element] = []
        self._names: dict[str, str] = {}
        self._declared: dict[tuple[str, str], Element] = {}
        self._collect(source, source.name)
        if not any(root.tag == f"{WSDL}definitions" for root in self._roots):
            raise ConfigInvalid(
                f"{source.location}: no WSDL 1.1 description; its root is not wsdl:definitions"
            )
        schemas = [s for root in self._roots for s in root.iter(f"{{{XS}}}schema")]
        self.schemas = Schemas(schemas)

    def _collect(self, source: Source, name: str) -> None:
        """Read a file and what it imports, each once; `name` is where it is to be pinned."""
        self._names[source.location] = name
        if len(self._names) > MOST_FILES:
            raise ConfigInvalid(f"{source.location}: imports more than {MOST_FILES} files")
        root = parsed(source)
        self.files[name] = source.content
        self._roots.append(root)
        kinds = (f"{{{XS}}}{kind}" for kind in ("import", "include", "redefine"))
        for element in root.iter(f"{WSDL}import", *kinds):
            location = element.get("location") or element.get("schemaLocation")
            space = element.get("namespace") or ""
            if location and space not in STANDARD:
                self._import(source, name, location)

    def _import(self, source: Source, importer: str, location: str) -> None:
        try:
            found = read_import(source.location, location)
        except TongbanError as exc:
            self.notes.append(f"an import could not be read: {exc}")
            return
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(importer), location))
        if found.location not in self._names:
            plain = "?" not in location and "://" not in location and not beside.startswith("..")
            self._collect(found, self._free(beside if plain else found.name))
        pinned = self._names[found.location]
        address = location if "://" in location else beside
        if address != pinned:
            self.locations[address] = pinned

    def _free(self, wanted: str) -> str:
        """A name that no other file of this description has."""
        name, number = wanted, 1
        while name in self.files:
            number += 1
            stem, dot, suffix = wanted.rpartition(".")
            name = f"{stem}_{number}{dot}{suffix}"
        return name

    def _named(self, kind: str, name: str) -> Element | None:
        """What is declared by that name; also where it is written without its namespace."""
        if not self._declared:
            for root in self._roots:
                space = root.get("targetNamespace") or ""
                for element in root.iterchildren(*(f"{WSDL}{kind}" for kind in KINDS)):
                    key, plain = etree.QName(element).localname, element.get("name")
                    self._declared.setdefault((key, f"{{{space}}}{plain}"), element)
                    self._declared.setdefault((key, f"{{}}{plain}"), element)
        return self._declared.get((kind, name))

    def describe(self) -> Description:
        """The description of its best port.

        Raises:
            ConfigInvalid: It offers no SOAP port.
        """
        ports = list(self._ports())
        if not ports:
            raise ConfigInvalid(f"the WSDL has no SOAP port: {self._why_no_port()}")
        service, port, binding, version, address = min(ports, key=itemgetter(3))
        many = sum(1 for root in self._roots for _ in root.iter(f"{WSDL}port")) > 1
        operations = tuple(
            self._operation(binding, element) for element in binding.findall(f"{WSDL}operation")
        )
        text = b"".join(self.files.values())
        auth = ({"kind": "ws_security_username"},) if b"UsernameToken" in text else ()
        parts = urlsplit(address)
        return Description(
            protocol="soap",
            title=service,
            operations=operations,
            files=self.files,
            path=parts.path.rstrip("/"),
            base_url=f"{parts.scheme}://{parts.netloc}" if parts.netloc else "",
            soap_version=version,
            service=service if many else None,
            port=port if many else None,
            auth=auth,
            locations=self.locations,
            notes=tuple(self.notes),
        )

    def _binding_of(self, port: Element) -> Element | None:
        """The binding that a port names; by its plain name where the namespace is another."""
        wanted = qualified(port, port.get("binding", ""))
        plain = wanted.rpartition("}")[2]
        alike = [
            binding
            for root in self._roots
            for binding in root.iter(f"{WSDL}binding")
            if binding.get("name") == plain
        ]
        found = self._named("binding", wanted)
        return alike[0] if found is None and len(alike) == 1 else found

    def _ports(self) -> Any:
        """Every SOAP port: service, port, binding, version, address."""
        for root in self._roots:
            for service in root.iter(f"{WSDL}service"):
                for port in service.iter(f"{WSDL}port"):
                    binding = self._binding_of(port)
                    if binding is None:
                        continue
                    for space, version in SOAP.items():
                        if binding.find(f"{{{space}}}binding") is not None:
                            place = port.find(f"{{{space}}}address")
                            address = "" if place is None else place.get("location", "")
                            yield service.get("name"), port.get("name"), binding, version, address

    def _why_no_port(self) -> str:
        """What is there instead, and what to do."""
        bindings = [b for root in self._roots for b in root.iter(f"{WSDL}binding")]
        spoken = [b for b in bindings if any(b.find(f"{{{s}}}binding") is not None for s in SOAP)]
        wanted = {
            port.get("binding", "").rpartition(":")[2]
            for root in self._roots
            for port in root.iter(f"{WSDL}port")
        }
        if not bindings:
            return "it is only the abstract part of one; give the file that imports it"
        if not spoken:
            return "its bindings are not SOAP over HTTP; a REST system speaks to such a service"
        names = ", ".join(sorted(b.get("name", "") for b in spoken)[:5])
        if not wanted:
            return f"it binds {names} but has no wsdl:service; ask for the file that has it"
        told = ", ".join(sorted(wanted)[:5])
        return f"its ports name the binding {told}, but it binds {names}; correct the file"

    def _operation(self, binding: Element, element: Element) -> Operation:
        name = element.get("name", "")
        port_type = self._named("portType", qualified(binding, binding.get("type", "")))
        declared = None
        if port_type is not None:
            found = (o for o in port_type.findall(f"{WSDL}operation") if o.get("name") == name)
            declared = next(found, None)
        bound = read_binding(binding, element)
        if declared is None:
            return Operation(name=name)
        label = declared.findtext(f"{WSDL}documentation") or ""
        given = self._message(declared, "input", bound)
        answer = self._message(declared, "output", bound)
        return Operation(
            name=name,
            label=" ".join(label.split())[:200],
            inputs=_inputs(given),
            output=answer,
            element=name if given is None or bound.style == "rpc" else given.name,
        )

    def _message(self, operation: Element, direction: str, bound: Bound) -> Node | None:
        """What travels: the element of a document message, or the parts of an rpc one."""
        reference = operation.find(f"{WSDL}{direction}")
        if reference is None:
            return None
        message = self._named("message", qualified(reference, reference.get("message", "")))
        parts = [] if message is None else bound.parts(message, direction)
        nodes = []
        for part in parts:
            if part.get("element"):
                found = self.schemas.element(qualified(part, part.get("element", "")))
                if found is not None and bound.style == "document":
                    return found
                nodes += [found] if found is not None else []
            elif part.get("type"):
                kind = qualified(part, part.get("type", ""))
                nodes.append(self.schemas.of_type(part.get("name", ""), kind))
        suffix = "Response" if direction == "output" else ""
        return Node(
            name=operation.get("name", "") + suffix,
            type="object",
            children=tuple(nodes),
            namespace=operation.getroottree().getroot().get("targetNamespace") or "",
        )


def _inputs(given: Node | None) -> tuple[Node, ...]:
    """The parts of a message; a message that is one value is its own part."""
    if given is None or given.type == "object" or given.children:
        return () if given is None else given.children
    return () if given.is_open else (replace(given, required=True),)


def parsed(source: Source) -> Element:
    """Parse a description without entities, DTD or network.

    Raises:
        ConfigInvalid: It is no well-formed XML, or it carries a DTD.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root: Element = etree.fromstring(mended(source.content), parser)
    except etree.XMLSyntaxError as exc:
        reason = (exc.msg or "").partition(", line")[0][:150]
        raise ConfigInvalid(
            f"{source.location}:{exc.lineno}: this is no well-formed XML ({reason}); give the WSDL "
            "itself, not a web page about it"
        ) from None
    if root.getroottree().docinfo.doctype:
        raise ConfigInvalid(f"{source.location}: carries a DTD; remove it, entities are not read")
    return root


def read_wsdl(source: Source) -> Description:
    """Read a WSDL with its imports.

    Raises:
        ConfigInvalid: It is none, or describes no SOAP port.
    """
    return Wsdl(source).describe()
