"""WSDL: understand a pinned description and build requests that obey it.

zeep reads the file from disk once, never from a department and never from the network; its digest
must be the one in the system's YAML. Only requests go through zeep: answers are read by our own
hardened parser. Where zeep refuses a description, or drops the operation that is called, the
request is composed from our own reading of the same file. The service's address comes from the
connection, not from the WSDL.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lxml import etree

from connectors.protocols.composed import Unfit, compose
from connectors.protocols.encoded import encode
from connectors.protocols.packages import read_base64, take_attachments
from connectors.protocols.pinned import Library, check_pinned
from connectors.protocols.schema import schemas_of
from connectors.protocols.shapes import Shape, Spoken
from tongban.kernel.errors import ConfigInvalid, InterfaceChanged
from tongban.kernel.interfaces import (
    Soap,
)
from tongban.kernel.yamlfile import suggestion

ENVELOPES = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}


# What zeep raises on descriptions that it cannot follow, beside its own errors.
_BROKEN = (
    ValueError,
    LookupError,
    OSError,
    NotImplementedError,
    AttributeError,
    TypeError,
    RecursionError,
    AssertionError,
)


def _first_line(exc: Exception) -> str:
    """Quote a library's words about a description, which holds no personal data."""
    return str(exc).partition("\n")[0][:200]


# What zeep raises for a message or an operation that it cannot make, beside its own errors.
_UNFIT = (TypeError, ValueError, AttributeError, KeyError, AssertionError)
_STUMBLES = (AttributeError, KeyError, AssertionError)  # its own defects, not the message's
_DEFECT = re.compile(r"is not an iterator")
_NO_PLACE = re.compile(r"unexpected keyword argument '(@?[\w.-]{1,80})'")  # a name, never a value


def _for_zeep(value: Any, shape: Shape | None, path: list[str]) -> Any:
    """Write values as zeep has them: `@name` in YAML is `name` there, base64 texts are bytes.

    Raises:
        Unfit: A text is no base64 although the schema wants it.
    """
    if isinstance(value, dict):
        return {
            name.removeprefix("@"): _for_zeep(
                inner, shape.child(name) if shape is not None else None, [*path, name]
            )
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_for_zeep(item, shape, path) for item in value]
    is_bytes = shape is not None and shape.binary == "base64" and not shape.children
    return read_base64(value, path) if is_bytes and isinstance(value, str) else value


class Description:
    """One binding of a WSDL, read when it is first needed."""

    def __init__(self, folder: Path, soap: Soap, system: str) -> None:
        self._folder = folder
        self._soap = soap
        self._system = system
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None
        self._own: dict[str, Spoken] = {}

    def _service(self) -> tuple[Any, Any]:
        """Load the client and the service proxy once.

        Raises:
            InterfaceChanged: The WSDL has no such service, or cannot be understood.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> tuple[Any, Any]:
        import zeep
        import zeep.exceptions

        # It warns of every part that it leaves out, also of those that nobody calls.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"zeep\.wsdl")
        check_pinned(self._folder, self._soap, self._system)
        library = Library(self._folder, self._soap)
        # Addresses of imports reach our transport, which knows pinned files only.
        settings = zeep.Settings(
            strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=False
        )
        try:
            client = zeep.Client(library.start, settings=settings, transport=_disk_only(library))
            service = client.bind(self._soap.service, self._soap.port or self._port(client))
        except InterfaceChanged:
            raise
        except (zeep.exceptions.Error, etree.LxmlError, *_BROKEN) as exc:
            raise InterfaceChanged(
                f"{self._system}: connectors/wsdl/{self._soap.wsdl} cannot be understood "
                f"({type(exc).__name__}: {_first_line(exc)}); pin a valid WSDL",
                system=self._system,
            ) from exc
        if service is None:
            raise InterfaceChanged(
                f"{self._system}: connectors/wsdl/{self._soap.wsdl} declares no service; it cannot "
                "be understood as a WSDL, pin a valid one",
                system=self._system,
            )
        return client, service

    def _port(self, client: Any) -> str | None:
        """Choose the first port that speaks the declared SOAP version; None for zeep's choice."""
        services = client.wsdl.services
        service = services.get(self._soap.service) or next(iter(services.values()), None)
        for name, port in service.ports.items() if service is not None else ():
            if getattr(port.binding, "nsmap", {}).get("soap-env") == ENVELOPES[self._soap.version]:
                return str(name)
        return None

    def operation(self, name: str) -> Any:
        """Give one operation of the binding.

        Raises:
            InterfaceChanged: The WSDL has no such operation.
        """
        _, service = self._service()
        operations: Mapping[str, Any] = service._binding._operations  # noqa: SLF001 - zeep has no public list
        if name not in operations:
            raise InterfaceChanged(
                f'{self._system}: connectors/wsdl/{self._soap.wsdl} has no operation "{name}"'
                f"{suggestion(name, operations)}",
                system=self._system,
            )
        return operations[name]

    def _spoken(self, name: str) -> Spoken | None:
        return schemas_of(self._folder, self._soap).operation(name, self._soap)

    def _without_zeep(self, name: str) -> Spoken | None:
        """Give our own reading of an operation that zeep cannot give; None when zeep can.

        Raises:
            InterfaceChanged: We cannot either.
        """
        if name not in self._own:
            try:
                self.operation(name)
            except InterfaceChanged:
                check_pinned(self._folder, self._soap, self._system)
                spoken = self._spoken(name)
                if spoken is None or not spoken.request.name:
                    raise
                self._own[name] = spoken
        return self._own.get(name)

    def action(self, name: str) -> str:
        """Give the SOAPAction of an operation."""
        spoken = self._without_zeep(name)
        return spoken.action if spoken else str(self.operation(name).soapaction or "")

    def envelope(self, name: str, message: dict[str, Any]) -> etree._Element:
        """Build the envelope of a request, checked against the WSDL's types.

        Raises:
            ConfigInvalid: The declared message does not fit the operation.
        """
        own = self._without_zeep(name)
        spoken = own or self._spoken(name)
        if own is not None or (spoken is not None and spoken.is_one_value and message):
            envelope = self._composed(own or spoken, name, message)
        else:
            envelope = self._made(spoken, name, message)
        if spoken is not None and spoken.encoded:
            return encode(envelope, spoken.request.children)
        return envelope

    def attachments(self, name: str, envelope: etree._Element) -> list[tuple[str, bytes]]:
        """Take the base64 values out of an envelope, to travel beside it.

        Raises:
            ConfigInvalid: A value is no base64, or the schema knows no such value.
        """
        spoken = self._spoken(name)
        try:
            taken = take_attachments(envelope, spoken.request) if spoken is not None else []
        except Unfit as exc:
            raise self._unfit(name, exc) from None
        return taken

    def _composed(self, spoken: Any, name: str, message: dict[str, Any]) -> etree._Element:
        try:
            return compose(spoken, message, ENVELOPES[self._soap.version])
        except (Unfit, ValueError) as exc:
            raise self._unfit(name, exc) from None

    def _made(self, spoken: Spoken | None, name: str, message: dict[str, Any]) -> etree._Element:
        """Let zeep build the envelope; where it stumbles over the schema, we do."""
        import zeep.exceptions

        client, service = self._service()
        try:
            parts = _for_zeep(message, spoken.request if spoken else None, [name])
            envelope: etree._Element = client.create_message(service, name, **parts)
        except (zeep.exceptions.Error, *_UNFIT) as exc:
            stumbled = isinstance(exc, _STUMBLES) or _DEFECT.search(str(exc)) is not None
            if stumbled and spoken is not None and not spoken.request.is_open:
                return self._composed(spoken, name, message)
            raise self._unfit(name, exc) from None  # foreign texts may quote a value
        return envelope

    def _unfit(self, name: str, exc: Exception) -> ConfigInvalid:
        return ConfigInvalid(
            f"{self._system}: the message declared for {name} does not fit the WSDL "
            f"({_place(exc)}); correct the call or the push mapping",
            system=self._system,
            operation=name,
        )


def _place(exc: Exception) -> str:
    """Name the element that does not fit; foreign texts may hold values, paths do not."""
    path = getattr(exc, "path", None)
    kind = type(exc).__name__
    unknown = _NO_PLACE.search(str(exc))
    if unknown is not None:
        return f"it has no element or attribute {unknown[1]}"
    return f"{kind} at {'.'.join(str(p) for p in path)}" if path else kind


def _disk_only(library: Library) -> Any:
    """Give a zeep transport that reads pinned files and nothing else."""
    from zeep.transports import Transport

    class DiskOnly(Transport):  # type: ignore[misc] # zeep is untyped
        def __init__(self) -> None:
            super().__init__(cache=None)

        def load(self, url: str) -> bytes:
            """Read a pinned file.

            Raises:
                InterfaceChanged: The file is not pinned, or is no file at all.
            """
            return library.read(url)

    return DiskOnly()
