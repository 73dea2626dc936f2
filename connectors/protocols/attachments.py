"""Attachments: binary content becomes a reference — digest, size, content id — and never a column.

MTOM answers are MIME packages whose XML points to its parts (XOP); a page keeps the package as
received, so the bytes stay with the landed page and can be cut out again by digest. Base64 inside
the XML becomes the same kind of reference where the schema, or the system's YAML, says so.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import quopri
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

import polars as pl
from lxml import etree

from connectors.errors import AnswerReferencesBroken
from tongban.kernel.records import Decoded

Element = etree._Element  # noqa: SLF001 - lxml has no public name for its element type

MARK = "attachment:"
MOST_PARTS = 10_000
_INCLUDE = "{http://www.w3.org/2004/08/xop/include}Include"
_BOUNDARY = re.compile(rb"\A\s*--([^\r\n]{1,200}?)[ \t]*\r?\n(?=[!-9;-~]+:)")
_BLANK = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Attachment:
    """One part of a package."""

    content_id: str
    media_type: str
    body: bytes = field(repr=False)

    @property
    def reference(self) -> str:
        """What a column holds instead of the bytes."""
        return reference(self.body, self.content_id)


def reference(body: bytes, content_id: str = "") -> str:
    """Write the reference of some bytes.

    Returns:
        `attachment:sha256=<64 hex>;size=<bytes>` and `;cid=<content id>` where it has one.
    """
    digest = hashlib.sha256(body).hexdigest()
    cid = f";cid={content_id}" if content_id else ""
    return f"{MARK}sha256={digest};size={len(body)}{cid}"


def is_package(body: bytes) -> bool:
    """Tell whether an answer is a MIME package; its first line is the boundary."""
    return _BOUNDARY.match(body[:4096]) is not None


def unpack(body: bytes, where: str) -> tuple[bytes, dict[str, Attachment]]:
    """Split a MIME package (RFC 2046) into its XML and its attachments by content id.

    Raises:
        AnswerReferencesBroken: It is cut, has no XML part, or too many parts.
    """
    found = _BOUNDARY.match(body[:4096])
    if found is None:
        return body, {}
    line = b"--" + found[1]
    pieces = re.split(rb"(?:\A\s*|\r?\n)" + re.escape(line) + rb"(--)?[ \t]*(?:\r?\n|\Z)", body)
    if b"--" not in pieces[1::2]:
        raise AnswerReferencesBroken(f"{where}: the MIME package has no end, so it was cut")
    ends = pieces[1::2].index(b"--")
    parts = [_part(piece, where) for piece in pieces[2::2][:ends]]
    if len(parts) > MOST_PARTS:
        raise AnswerReferencesBroken(f"{where}: the MIME package has {len(parts)} parts")
    root = next((part for part in parts if "xml" in part.media_type), None)
    if root is None:
        raise AnswerReferencesBroken(f"{where}: the MIME package has no XML part")
    return root.body, {part.content_id: part for part in parts if part is not root}


def _part(piece: bytes, where: str) -> Attachment:
    head, _, content = (
        re.split(rb"(\r?\n)\r?\n", piece, maxsplit=1)
        if _has_end(piece)
        else (
            piece,
            b"",
            b"",
        )
    )
    headers: dict[str, str] = {}
    unfolded = re.sub(rb"\r?\n[ \t]+", b" ", head).decode("latin-1")
    for line in unfolded.splitlines():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    coding = headers.get("content-transfer-encoding", "binary").lower()
    try:
        if coding == "base64":
            content = base64.b64decode(re.sub(rb"\s+", b"", content), validate=True)
        elif coding == "quoted-printable":
            content = quopri.decodestring(content)
    except binascii.Error:
        raise AnswerReferencesBroken(f"{where}: a MIME part is no base64 as it says") from None
    content_id = headers.get("content-id", "").strip("<>")
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return Attachment(content_id, media_type, content)


def _has_end(piece: bytes) -> bool:
    return re.search(rb"\r?\n\r?\n", piece) is not None


def put_references(root: Element, attachments: dict[str, Attachment], where: str) -> None:
    """Replace XOP includes, `href="cid:…"` and swaRef texts by references of what they point to.

    Raises:
        AnswerReferencesBroken: One points to a part that is not in the package.
    """
    for include in list(root.iter(_INCLUDE)):
        owner = include.getparent()
        if owner is not None:
            text = _pointed(include.get("href", ""), attachments, where)
            owner.remove(include)
            owner.text = text
    if not attachments:
        return
    for element in root.iter():
        href = element.get("href", "")
        swa = element.text or ""  # WS-I swaRef: the text itself is the address
        if swa.startswith("cid:") and unquote(swa[4:].strip()) in attachments:
            element.text = _pointed(swa.strip(), attachments, where)
        elif href.startswith("cid:") and not len(element):
            element.text = _pointed(href, attachments, where)
            del element.attrib["href"]


def _pointed(href: str, attachments: dict[str, Attachment], where: str) -> str:
    found = attachments.get(unquote(href.removeprefix("cid:")))
    if found is None:
        raise AnswerReferencesBroken(
            f"{where}: the answer points to an attachment that is not in it; look at the kept page"
        )
    return found.reference


def without_bytes(decoded: Decoded, binary: Mapping[str, str]) -> Decoded:
    """Replace the bytes in some columns by references; what is no such text stays for the rules.

    Args:
        decoded: Rows.
        binary: Column name to `base64` or `hex`.
    """
    made = [
        pl.Series(name, [_inline(v, kind) for v in decoded.frame.get_column(name)], dtype=pl.String)
        for name, kind in binary.items()
        if name in decoded.frame.columns
    ]
    if not made:
        return decoded
    return Decoded(decoded.frame.with_columns(made), decoded.unknown_fields)


def _inline(text: str | None, kind: str) -> str | None:
    if not text or text.startswith(MARK):
        return text
    packed = _BLANK.sub("", text)
    try:
        if kind == "hex":
            return reference(bytes.fromhex(packed))
        return reference(base64.b64decode(packed, validate=True))
    except ValueError:  # binascii.Error is one
        return text
