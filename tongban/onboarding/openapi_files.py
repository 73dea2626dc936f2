"""OpenAPI files: the main document and those that its references lead to, as one.

References to other files of the same tree, or of the same host, are read once and pinned with the
main file. A file on disk never makes us ask an address. What is not followed is noted.
"""

from __future__ import annotations

import json
import posixpath
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from tongban.kernel.errors import ConfigInvalid, TongbanError
from tongban.kernel.yamlfile import Loader
from tongban.onboarding.sources import MOST_BYTES, Source, read_import

MOST_FILES = 400
MOST_HOPS = 24
Json = dict[str, Any]


class OpenApiFiles:
    """All documents of one description; every reference inside them is absolute.

    Attributes:
        main: The main document.
        files: Name → bytes of all files that were read, the main one first.
        notes: References that were not followed.
    """

    def __init__(self, source: Source) -> None:
        self.main = parsed(source)
        self.files: dict[str, bytes] = {source.name: source.content}
        self.notes: list[str] = []
        self._main = source
        self._documents: dict[str, Any] = {"": self.main}
        self._places: dict[str, tuple[Source, str]] = {}  # key → who refers, and to what
        self._bytes = len(source.content)
        self._made_absolute(self.main, source, "")

    def _made_absolute(self, node: Any, source: Source, key: str) -> None:
        """Write into every reference of a document which document it means."""
        waiting, seen = [node], set()
        while waiting:
            item = waiting.pop()
            if id(item) in seen:  # an anchor of YAML stands in several places
                continue
            seen.add(id(item))
            if isinstance(item, list):
                waiting += item
            elif isinstance(item, dict):
                waiting += item.values()
                reference = item.get("$ref")
                if isinstance(reference, str):
                    file, _, pointer = reference.partition("#")
                    item["$ref"] = f"{self._key(file, source) if file else key}#{pointer}"

    def _key(self, file: str, source: Source) -> str:
        """Name the document that a file's reference leads to."""
        is_address = _is_address(file)
        beside = file if is_address else posixpath.join(posixpath.dirname(source.location), file)
        key = beside if is_address else posixpath.normpath(beside)
        if key == self._main.location:
            return ""
        self._places.setdefault(key, (source, file))
        return key

    def resolved(self, given: Any) -> Json:
        """What a reference points to; an empty mapping for one that leads nowhere.

        Keywords beside a reference are kept, as OpenAPI 3.1 says.
        """
        beside: Json = {}
        for _ in range(MOST_HOPS):
            if not isinstance(given, dict):
                return beside
            reference = given.get("$ref")
            if not isinstance(reference, str):
                return given if not beside else {**given, **beside}
            beside = {**{k: v for k, v in given.items() if k != "$ref"}, **beside}
            given = self._target(reference)
        return beside

    def _target(self, reference: str) -> Any:
        key, _, pointer = reference.partition("#")
        target = self._document(key)
        for word in filter(None, unquote(pointer).split("/")):
            name = word.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list):
                target = target[int(name)] if name.isdigit() and int(name) < len(target) else None
            elif isinstance(target, dict):
                target = target.get(name, target.get(int(name)) if name.isdigit() else None)
            else:
                target = None
        if not isinstance(target, dict):
            shown = f"{posixpath.basename(key)}#{pointer}"
            self.notes.append(f"the reference {shown!r} was not followed; put it into the file")
        return target

    def _document(self, key: str) -> Any:
        if key not in self._documents:
            self._documents[key] = None  # a file that refers to itself while it is read
            self._documents[key] = self._read(key)
        return self._documents[key]

    def _read(self, key: str) -> Any:
        """Read a file that a reference names; None where it may not or cannot be read."""
        source, file = self._places[key]
        is_remote = _is_address(source.location)
        too_much = len(self.files) >= MOST_FILES or self._bytes > MOST_BYTES
        if too_much or (_is_address(file) and not is_remote):
            return None
        try:
            found = read_import(source.location, file)
            document = parsed(found)
        except TongbanError:
            return None
        self._bytes += len(found.content)
        self.files.setdefault(self._name(key), found.content)
        self._made_absolute(document, found, key)
        return document

    def _name(self, key: str) -> str:
        """Where a file is pinned: beside the main one, as it was, but never above it."""
        folder = posixpath.dirname(self._main.location)
        inside = posixpath.relpath(urlsplit(key).path, urlsplit(folder).path or ".")
        words = [word for word in inside.split("/") if word not in {"..", "."}]
        return "/".join(words)


def _is_address(location: str) -> bool:
    try:
        return bool(urlsplit(location).scheme)
    except ValueError:  # brackets that do not close: nothing that could be read either
        return True


def parsed(source: Source) -> Json:
    """JSON or YAML; YAML reads both, but JSON reads faster and more strictly.

    Raises:
        ConfigInvalid: It is neither, or no mapping.
    """
    try:
        text = source.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigInvalid(f"{source.location}: no UTF-8 text, so no OpenAPI file") from None
    try:
        found = json.loads(text) if text.lstrip()[:1] == "{" else _yaml(text)
    except (ValueError, yaml.YAMLError, RecursionError):
        found = _lenient(text)
    if not isinstance(found, dict):
        raise ConfigInvalid(f"{source.location}: no OpenAPI description; it is no mapping")
    return found


def _yaml(text: str) -> Any:
    """YAML by the safe loader in C: large descriptions take a tenth of the time."""
    return yaml.load(text, Loader=Loader)  # noqa: S506 - a safe loader


def _lenient(text: str) -> Any:
    """What JSON refuses may still be YAML, such as flow style that begins with a brace."""
    try:
        return _yaml(text.expandtabs(2))
    except (ValueError, yaml.YAMLError, RecursionError):
        raise ConfigInvalid("the description is neither JSON nor YAML that can be read") from None
