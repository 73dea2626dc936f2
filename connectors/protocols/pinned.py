"""Pinned: the local copies of a WSDL and of everything that it imports, and nothing else.

Digests in the system's YAML say which copy is meant; imports that the WSDL names by address are
found by `locations`, or by their file name among the pinned ones. The standard namespaces come with
the code. Nothing here opens a socket.
"""

from __future__ import annotations

import hashlib
import posixpath
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

from lxml import etree

from connectors.protocols.mended import mended
from tongban.kernel.errors import InterfaceChanged
from tongban.kernel.interfaces import (
    Soap,
)

STANDARD_FOLDER = Path(__file__).resolve().parents[1] / "wsdl" / "standard"
_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity"
STANDARD: Final = {  # namespace → file below connectors/wsdl/standard/
    "http://schemas.xmlsoap.org/soap/encoding/": "soap-encoding-1.1.xsd",
    "http://www.w3.org/2003/05/soap-encoding": "soap-encoding-1.2.xsd",
    "http://schemas.xmlsoap.org/soap/envelope/": "soap-envelope-1.1.xsd",
    "http://www.w3.org/2003/05/soap-envelope": "soap-envelope-1.2.xsd",
    "http://www.w3.org/XML/1998/namespace": "xml.xsd",
    "http://www.w3.org/2005/05/xmlmime": "xmlmime.xsd",
    "http://www.w3.org/2004/11/xmlmime": "xmlmime-2004.xsd",
    "http://www.w3.org/2004/08/xop/include": "xop-include.xsd",
    "http://ws-i.org/profiles/basic/1.1/xsd": "swaref.xsd",
    "http://www.w3.org/2005/08/addressing": "addressing.xsd",
    "http://www.w3.org/2000/09/xmldsig#": "xmldsig.xsd",
    f"{_OASIS}-utility-1.0.xsd": "wss-utility.xsd",
    f"{_OASIS}-secext-1.0.xsd": "wss-secext.xsd",
}
_KNOWN_ADDRESSES: Final = {  # where schemas of these namespaces are usually imported from
    "www.w3.org/2001/xml.xsd": "xml.xsd",
    "www.w3.org/2001/03/xml.xsd": "xml.xsd",
    "www.w3.org/2005/08/addressing/ws-addr.xsd": "addressing.xsd",
    "www.w3.org/2006/03/addressing/ws-addr.xsd": "addressing.xsd",
    "www.w3.org/TR/xmldsig-core/xmldsig-core-schema.xsd": "xmldsig.xsd",
    **{name.partition("://")[2].rstrip("/"): file for name, file in STANDARD.items()},
}
_XS = "{http://www.w3.org/2001/XMLSchema}"
_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"


def check_pinned(folder: Path, soap: Soap, system: str) -> None:
    """Compare a WSDL, and all that it imports, with the pinned digests.

    Raises:
        InterfaceChanged: One differs or is missing; no call may be made.
    """
    for name, expected in {soap.wsdl: soap.sha256, **soap.imports}.items():
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError:
            raise InterfaceChanged(
                f"{system}: connectors/wsdl/{name} cannot be read; restore the pinned file",
                system=system,
            ) from None
        if found != expected:
            raise InterfaceChanged(
                f"{system}: connectors/wsdl/{name} has the digest {found[:12]}…, the system's YAML "
                f"pins {expected[:12]}…; no call was made, compare the interface and pin anew",
                system=system,
                expected=expected,
                found=found,
            )


class Library:
    """Gives the pinned and the standard files by the addresses that a WSDL uses."""

    def __init__(self, folder: Path, soap: Soap) -> None:
        self._folder = folder.resolve()
        self._soap = soap
        self._pinned = {(folder / name).resolve() for name in (soap.wsdl, *soap.imports)}
        self._by_name = {Path(name).name: folder / name for name in soap.imports}

    @property
    def start(self) -> str:
        """Address of the WSDL itself."""
        return (self._folder / self._soap.wsdl).as_uri()

    def path(self, url: str) -> Path:
        """Find the file that an address stands for.

        Raises:
            InterfaceChanged: It is neither pinned nor standard.
        """
        relative = unquote(url.removeprefix(f"{self._folder.as_uri()}/"))
        named = self._soap.locations.get(url) or self._soap.locations.get(relative)
        if named is not None:
            return self._checked((self._folder / named).resolve(), url)
        if "://" not in url.removeprefix("file://"):
            return self._checked(Path(unquote(url.removeprefix("file://"))).resolve(), url)
        standard = _KNOWN_ADDRESSES.get(url.partition("://")[2].rstrip("/"))
        if standard is not None:
            return STANDARD_FOLDER / standard
        here = self._by_name.get(unquote(urlsplit(url).path.rpartition("/")[2]))
        return self._checked(here.resolve() if here else None, url)

    def _checked(self, path: Path | None, url: str) -> Path:
        if path is not None and (path in self._pinned or path.parent == STANDARD_FOLDER):
            return path
        raise InterfaceChanged(
            f"connectors/wsdl/: a WSDL imports {url.rpartition('/')[2]!r}, which is not pinned; "
            "nothing is fetched, put the file there, name it in `imports`, and its address in "
            "`locations` where the file has another name",
            url=url,
        )

    def read(self, url: str) -> bytes:
        """Read a file; its imports of standard namespaces lead to the files that we ship.

        Raises:
            InterfaceChanged: It is neither pinned nor standard.
        """
        path = self.path(url)
        body = mended(path.read_bytes())
        if b"import" not in body and b"include" not in body and b"redefine" not in body:
            return body
        try:
            root = etree.fromstring(body, safe_parser())
        except etree.XMLSyntaxError:
            return body  # whoever parses it will say so
        changed = False
        for node in root.iter(f"{_XS}import", f"{_XS}include", f"{_XS}redefine", f"{_WSDL}import"):
            name = "location" if node.tag.startswith(_WSDL) else "schemaLocation"
            target = self._leads_to(path, node.get(name), node.get("namespace", ""))
            if target is not None:
                node.set(name, target.as_uri())
                changed = True
        return etree.tostring(root) if changed else body

    def _leads_to(self, importer: Path, location: str | None, space: str) -> Path | None:
        """Find the file that an import means; the pinned ones before those that we ship.

        The names are compared as written, beside the importer: an address would lose every step
        above the root of a disk or a host.
        """
        if location and "://" not in location:
            beside = self._beside(importer, unquote(location))
            named = self._soap.locations.get(beside, beside)
            found = (self._folder / named).resolve()
            if found in self._pinned:
                return found
        if space in STANDARD and not self._is_pinned(location, importer.as_uri()):
            return STANDARD_FOLDER / STANDARD[space]
        return None

    def _beside(self, importer: Path, location: str) -> str:
        try:
            folder = importer.relative_to(self._folder).parent.as_posix()
        except ValueError:
            return location
        return posixpath.normpath(posixpath.join(folder, location))

    def _is_pinned(self, location: str | None, base: str) -> bool:
        if not location:
            return False
        try:
            return self.path(urljoin(base, location)) in self._pinned
        except InterfaceChanged:
            return False


def safe_parser() -> etree.XMLParser:
    """Give a parser for pinned files: no entity, no network, no DTD."""
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
    )
