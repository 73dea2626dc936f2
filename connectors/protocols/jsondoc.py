"""JSON answers: parse lazily, slice the records out raw, read them into text columns.

Only what a path asks for is parsed, so success layers and totals cost next to nothing on a large
page. Records become columns in `json_columns`.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import msgspec

from connectors.errors import AnswerNamesRepeated, AnswerNotJson
from connectors.protocols.json_columns import as_text, columns_of, plain_number, read_flat
from tongban.kernel.errors import AnswerUnreadable
from tongban.kernel.records import Decoded, RecordShape

Raw = msgspec.Raw

_members = msgspec.json.Decoder(dict[str, Raw])
_elements = msgspec.json.Decoder(list[Raw])

_anything = msgspec.json.Decoder(float_hook=plain_number)
_records = msgspec.json.Decoder(list[dict[str, Any]], float_hook=plain_number)
_AT_BYTE = re.compile(r"byte (\d+)")
PRINT_BYTES = 12
MOST_LOOK = 3
_NOTHING = frozenset({b"null", b'""', b"0", b"false", b"[]", b"{}"})
_NO_TEXT = b'""'
_NO_LIST = frozenset({b"{", b'"'})


def parse_json(body: bytes, where: str) -> JsonDocument:
    """Check that UTF-8 bytes are one JSON document and give it.

    Raises:
        AnswerNotJson: They are not; the message tells the place, not the text.
    """
    try:
        if body.lstrip()[:1] == b"{":
            return JsonDocument(Raw(body), where, _members.decode(body))
        return JsonDocument(msgspec.json.decode(body, type=Raw), where)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as exc:
        raise _unreadable(where, exc) from exc


def _unreadable(where: str, exc: Exception) -> AnswerNotJson:
    found = _AT_BYTE.search(str(exc))
    place = f" at byte {found.group(1)}" if found else ""
    return AnswerNotJson(f"{where}: the answer is no valid JSON{place}; its digest is kept")


class _NameTwice(Exception):
    """One object has two members of the same name."""


def _members_once(pairs: list[tuple[str, Any]]) -> None:
    """Refuse a repeated name; the values are not needed, so nothing is kept of them."""
    if len(dict(pairs)) < len(pairs):
        raise _NameTwice


def check_names(body: bytes, where: str) -> None:
    """Refuse a document in which one object has two members of the same name, at any depth.

    The fast decoder keeps the last one in silence, and other readers the first. It costs about as
    much as decoding, so it is done once, when a page has just come.

    Raises:
        AnswerNamesRepeated: There is one.
    """
    try:
        json.loads(body, object_pairs_hook=_members_once, parse_float=str, parse_int=str)
    except _NameTwice:
        raise AnswerNamesRepeated(
            f"{where}: one object of the answer has two fields of the same name; which one counts "
            "is not ours to guess, its digest is kept"
        ) from None
    except (ValueError, RecursionError) as exc:
        raise _unreadable(where, exc) from exc


class JsonDocument:
    """A JSON value that is still bytes."""

    def __init__(self, raw: Raw, where: str, members: dict[str, Raw] | None = None) -> None:
        self._raw = raw
        self._where = where
        self._opened: dict[str, dict[str, Raw]] = {} if members is None else {"": members}

    def _find(self, path: str) -> Raw | None:
        """Walk down the path; null and absent are the same. Opened objects are kept.

        A member may have dots in its own name, as `@odata.nextLink`: the longest name wins.
        """
        raw, walked, rest = self._raw, "", path
        while rest:
            members = self._members(walked, raw)
            name = _longest(rest, members)
            if name is None:
                return None
            raw, walked, rest = members[name], f"{walked}{name}.", rest[len(name) + 1 :]
        return None if bytes(memoryview(raw)[:5]) == b"null" else raw

    def lacks(self, path: str) -> bool:
        """Tell whether the list at a path is missing where something else has taken its place.

        Absent, null and an empty object around it are how sources say "no rows". So is an object of
        empty values. Anything else in its place may be rows under another name, or an error.
        """
        raw, walked, rest = self._raw, "", path
        while rest:
            if bytes(memoryview(raw)[:1]) != b"{":
                return False
            members = self._members(walked, raw)
            name = _longest(rest, members)
            if name is None:
                return bool(set(map(bytes, members.values())) - _NOTHING)
            raw, walked, rest = members[name], f"{walked}{name}.", rest[len(name) + 1 :]
        return False

    def other_list(self) -> str | None:
        """Give the path of some list of objects that is not empty, down to a few levels."""
        return _list_inside(self._raw, "", MOST_LOOK)

    def _members(self, walked: str, raw: Raw) -> dict[str, Raw]:
        members = self._opened.get(walked)
        if members is None:
            if bytes(memoryview(raw)[:1]) != b"{":
                return {}
            try:
                members = _members.decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
                raise _unreadable(self._where, exc) from exc
            self._opened[walked] = members
        return members

    def check_names(self) -> None:
        """Refuse repeated names; see the function of that name."""
        check_names(bytes(self._raw), self._where)

    def text(self, path: str) -> str | None:
        """Give one value as text; objects and lists as compact JSON."""
        raw = self._find(path)
        return None if raw is None else as_text(self._decode(raw))

    def _decode(self, raw: Raw) -> Any:
        try:
            return _anything.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as exc:
            raise _unreadable(self._where, exc) from exc

    def part(self, path: str) -> JsonDocument | None:
        """Give an inner value as a document of its own."""
        raw = self._find(path)
        return None if raw is None else JsonDocument(raw, self._where)

    def _list(self, path: str) -> list[Raw]:
        raw = self._find(path)
        if raw is None or (path and bytes(memoryview(raw)[:2]) == _NO_TEXT):
            return []
        if path and bytes(memoryview(raw)[:1]) == b"{":
            return [raw] if _members.decode(raw) else []
        try:
            return _elements.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise AnswerUnreadable(
                f"{self._where}: {path or 'the answer'} is no list of records"
            ) from exc

    def items(self, path: str) -> list[JsonDocument]:
        """Give each record as a document."""
        return [JsonDocument(raw, self._where) for raw in self._list(path)]

    def count(self, path: str) -> int:
        """Count the records without parsing them."""
        return len(self._list(path))

    def prints(self, path: str, skip: frozenset[str]) -> list[bytes]:
        """Fingerprint each record; with `skip` by its remaining top-level members."""
        return [_fingerprint(raw, skip) for raw in self._list(path)]

    def columns(self, path: str, shape: RecordShape, *, whole: bool) -> Decoded:
        """Read the records into text columns; see `Document.columns`."""
        raw = self._find(path)
        if raw is not None and path and bytes(memoryview(raw)[:1]) in _NO_LIST:
            raw = self._as_list(path, shape)
        if raw is None:
            rows: list[dict[str, Any]] = []
        else:
            flat = read_flat(raw, shape)
            if flat is not None:
                return flat
            try:
                rows = _records.decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as exc:
                raise _unreadable(self._where, exc) from exc
        return columns_of(rows, shape, whole=whole)

    def _as_list(self, path: str, shape: RecordShape) -> Raw:
        """Make a list of a lone record, as sources that convert XML write lists of one or none."""
        items = self._list(path)
        wanted = {name.partition(".")[0] for name in shape.fields} | set(shape.fields)
        if items and not wanted & set(_members.decode(items[0])):
            raise AnswerUnreadable(
                f"{self._where}: {path} is no list of records but one object with none of the "
                "fields that the mapping names; correct `records`"
            )
        return Raw(b"[" + b",".join(map(bytes, items)) + b"]")


def _longest(path: str, members: dict[str, Raw]) -> str | None:
    """Give the longest beginning of a dotted path that is one member's name."""
    name = path
    while name not in members:
        name, dot, _ = name.rpartition(".")
        if not dot:
            return None
    return name


def _list_inside(raw: Raw, path: str, levels: int) -> str | None:
    """Walk down objects to the first list that begins with an object."""
    text = bytes(memoryview(raw)).lstrip()
    if text[:1] == b"[":
        return path if text[1:].lstrip()[:1] == b"{" else None
    if text[:1] != b"{" or not levels:
        return None
    below = _members.decode(text).items()
    found = (_list_inside(item, f"{path}.{name}".lstrip("."), levels - 1) for name, item in below)
    return next((each for each in found if each is not None), None)


def _fingerprint(raw: Raw, skip: frozenset[str]) -> bytes:
    if skip:
        members = {k: bytes(v) for k, v in _members.decode(raw).items() if k not in skip}
        return hashlib.blake2b(repr(members).encode(), digest_size=PRINT_BYTES).digest()
    return hashlib.blake2b(raw, digest_size=PRINT_BYTES).digest()
