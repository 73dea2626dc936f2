"""Drafts: a request before it is serialized, and an answer as it came.

A protocol builds the draft, `auth` fills identity in before and after serialization, the transport
sends it. Neither is ever logged: both hold personal data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

SAFE = "-._~"  # RFC 3986 unreserved; everything else is percent-encoded


@dataclass(slots=True)
class Draft:
    """One request that is still being written.

    Attributes:
        what: Name for messages: the operation, or method and path.
        method: HTTP method.
        url: Scheme, host, port and path, without a query.
        query: Query parameters in order.
        headers: HTTP headers.
        form: Fields of an urlencoded body, or None.
        message: JSON document or parts of the SOAP message, or None.
        written_as: Format in which a REST message is written.
        soap_headers: Elements for the SOAP header.
        understood: Tags of those that the server must understand.
        body: Serialized body; set by the protocol between the two steps of auth.
        writes: Whether the request changes something there, so a lost answer is unclear.
    """

    what: str
    method: str
    url: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    form: dict[str, str] | None = None
    message: dict[str, Any] | None = None
    written_as: str = "json"
    soap_headers: list[Any] = field(default_factory=list)
    understood: set[str] = field(default_factory=set)
    body: bytes = b""
    writes: bool = False

    @property
    def path(self) -> str:
        """Path of the URL as it travels."""
        return urlsplit(self.url).path or "/"

    @property
    def target(self) -> str:
        """Whole URL with its query."""
        query = "&".join(f"{encode(name)}={encode(value)}" for name, value in self.query)
        return f"{self.url}?{query}" if query else self.url


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as received: status, headers with lower-case names, decompressed body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def encode(text: str) -> str:
    """Percent-encode as RFC 3986 demands."""
    return quote(text, safe=SAFE)


def canonical_query(query: list[tuple[str, str]]) -> str:
    """Write the query with names sorted and both sides percent-encoded."""
    return "&".join(f"{encode(name)}={encode(value)}" for name, value in sorted(query))
