"""Sources: read a description and what it imports, from files or from an address, once.

For drafting only. Every file is capped in size, an address is asked once without any identity, and
what comes is written down with its digest; calls later read the pinned copies alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import requests

from tongban.kernel.errors import ConfigInvalid, SystemUnavailable

MOST_BYTES = 20 << 20
TIMEOUT_S = 20
SUFFIXES = frozenset({".wsdl", ".xsd", ".xml", ".json", ".yaml", ".yml"})
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Source:
    """One description file: where it came from, its name for us, its bytes."""

    location: str
    name: str
    content: bytes


def read_source(location: str) -> Source:
    """Read a file or an address.

    Raises:
        ConfigInvalid: No such file, or larger than anybody's description.
        SystemUnavailable: The address did not give it.
    """
    if urlsplit(location).scheme in {"http", "https"}:
        return Source(location, file_name(location), _fetched(location))
    path = Path(unquote(location.removeprefix("file://")))
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigInvalid(f"{path}: larger than {MOST_BYTES >> 20} MB; give the right file")
        return Source(str(path.resolve()), path.name, path.read_bytes())
    except OSError as exc:
        raise ConfigInvalid(f"{path}: cannot be read; give a file or an http address") from exc


def read_import(base: str, location: str) -> Source:
    """Read what a description imports, relative to itself; an address never leads to a file."""
    is_remote = urlsplit(base).scheme in {"http", "https"}
    if is_remote or urlsplit(location).scheme in {"http", "https"}:
        target = urljoin(base, location) if is_remote else location
        if is_remote and urlsplit(target).netloc != urlsplit(base).netloc:
            raise ConfigInvalid(
                f"{base}: imports from another host, {urlsplit(target).hostname}; save both files "
                "and give the local one"
            )
        return read_source(target)
    found = Path(base).parent / unquote(location)
    if Path(location).is_absolute() or urlsplit(location).scheme or found.suffix not in SUFFIXES:
        raise ConfigInvalid(
            f"{base}: imports {location!r}; only {', '.join(sorted(SUFFIXES))} files of the same "
            "tree are read"
        )
    return read_source(str(found))


def file_name(location: str) -> str:
    """A plain file name for an address, such as Service.wsdl for …/Service?wsdl."""
    parts = urlsplit(location)
    name = Path(unquote(parts.path)).name or "interface"
    query = parts.query.lower()
    for word, suffix in (("wsdl", ".wsdl"), ("xsd", ".xsd")):
        if word in query and not name.endswith(suffix):
            number = "".join(letter for letter in query if letter.isdigit())
            return f"{name}{number}{suffix}"
    return name


def _fetched(location: str) -> bytes:
    host = urlsplit(location).hostname or "the address"
    try:
        with requests.get(
            location, timeout=TIMEOUT_S, stream=True, allow_redirects=False
        ) as answer:
            status, content = answer.status_code, _capped(answer)
    except requests.exceptions.RequestException:
        raise SystemUnavailable(
            f"{host}: the description could not be fetched; save it as a file and give that"
        ) from None  # foreign texts quote the address with its query
    if status != requests.codes.ok:
        raise SystemUnavailable(
            f"{host}: HTTP {status} instead of a description; save it as a file and give that"
        )
    if len(content) > MOST_BYTES:
        raise ConfigInvalid(f"{host}: the description is larger than {MOST_BYTES >> 20} MB")
    return content


def _capped(answer: requests.Response) -> bytes:
    """The body, read no further than just past the cap."""
    content = b""
    for chunk in answer.iter_content(_CHUNK):
        content += chunk
        if len(content) > MOST_BYTES:
            break
    return content
