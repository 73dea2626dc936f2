"""Packages: a request whose base64 values travel as parts of a MIME package (MTOM).

The schema says which elements hold bytes; each becomes an `xop:Include` and a part of its own, as
the bytes are. The same request always makes the same package, so a repeated one is the same.
Reading packages is the work of `attachments`.

Source:
    W3C MTOM 1.0 and XOP 1.0; SOAP 1.1 binding of MTOM 1.0.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

from lxml import etree

from connectors.protocols.composed import Unfit
from connectors.protocols.shapes import Shape
from connectors.protocols.xmldoc import Element, local

XOP = "http://www.w3.org/2004/08/xop/include"
_ROOT = "message@tongban"


def read_base64(text: str, path: list[str]) -> bytes:
    """Read the bytes of a value.

    Raises:
        Unfit: It is no base64.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise Unfit(path) from None


def take_attachments(envelope: Element, request: Shape) -> list[tuple[str, bytes]]:
    """Put an include in the place of each base64 value below the Body.

    Returns:
        Content ids and bytes, in the order of the includes.

    Raises:
        Unfit: A value is no base64.
    """
    taken: list[tuple[str, bytes]] = []
    body = next(part for part in envelope if local(part.tag) == "Body")
    for element, path in [found for top in body for found in _binary(top, request, [])]:
        content = read_base64(element.text or "", path)
        name = f"{len(taken) + 1}-{hashlib.sha256(content).hexdigest()[:16]}@tongban"
        taken.append((name, content))
        element.text = None
        include = etree.SubElement(element, f"{{{XOP}}}Include", nsmap={"xop": XOP})
        include.set("href", f"cid:{name}")
    return taken


def _binary(element: Element, shape: Shape, path: list[str]) -> Iterator[tuple[Any, list[str]]]:
    here = [*path, local(element.tag)]
    if shape.binary == "base64" and not len(element) and element.text:
        yield element, here
    for child in element:
        known = shape.child(local(child.tag))
        if known is not None:
            yield from _binary(child, known, here)


def write_package(
    envelope: bytes, attachments: list[tuple[str, bytes]], kind: str, charset: str
) -> tuple[bytes, str]:
    """Write the package.

    Args:
        envelope: As it would travel alone.
        attachments: Content ids and bytes.
        kind: Content type of the envelope alone, with what the SOAP version wants to be said.
        charset: Of the envelope.

    Returns:
        The body and its content type.
    """
    soap, _, action = kind.partition("; action=")
    soap = soap.partition(";")[0]
    mark = hashlib.sha256(envelope + b"".join(content for _, content in attachments)).hexdigest()
    boundary = f"tongban-{mark[:32]}"
    pieces = [
        _part(f'application/xop+xml; charset={charset}; type="{soap}"', _ROOT, envelope),
        *(_part("application/octet-stream", name, content) for name, content in attachments),
    ]
    line = f"--{boundary}".encode()
    body = b"".join(line + b"\r\n" + piece + b"\r\n" for piece in pieces) + line + b"--\r\n"
    told = (
        f'multipart/related; type="application/xop+xml"; start="<{_ROOT}>"; '
        f'start-info="{soap}"; boundary="{boundary}"'
    )
    return body, f"{told}; action={action}" if action else told


def _part(kind: str, name: str, content: bytes) -> bytes:
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{name}>\r\n"
    return head.encode() + b"\r\n" + content
