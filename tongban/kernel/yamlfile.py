"""YAML files with positions: load fast, and say file:line when something in them is wrong.

Used by the catalog for systems, mappings and contracts. Refused with their line: duplicate keys,
since YAML would silently keep the last one; keys such as `no`, which it reads as false; aliases
that multiply; values that it cannot read.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tongban.kernel.errors import ConfigInvalid

Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MOST_DEPTH = 64
MOST_PLACES = 200_000
_KEY_TAGS = frozenset({f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "merge")})
Where = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class YamlFile:
    """One parsed file: its data, and the line (from 1) of each place, keyed by its path."""

    path: Path
    data: Any
    text: str = field(repr=False)
    shown: str
    lines: dict[Where, int] = field(repr=False)

    def at(self, where: Sequence[str | int]) -> str:
        """`file:line` of the deepest place on that path that exists in the file."""
        path = tuple(where)
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.shown}:{self.lines.get(path, 1)}"

    def fail(self, where: Sequence[str | int], message: str) -> NoReturn:
        """Refuse the file because of one place in it."""
        raise ConfigInvalid(f"{self.at(where)}: {message}", file=self.shown)


def _collect(node: Any, path: Where, found: dict[Where, int], shown: str) -> None:
    """Note the line of every key and item below `node`; an alias counts wherever it stands."""
    line = node.start_mark.line + 1
    found.setdefault(path, line)
    if len(path) > MOST_DEPTH or len(found) > MOST_PLACES:
        raise ConfigInvalid(
            f"{shown}:{line}: nested deeper than {MOST_DEPTH} levels or more than {MOST_PLACES} "
            "places, aliases counted where they stand; split the file or write aliases out",
            file=shown,
        )
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key = _key(key_node, shown)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise ConfigInvalid(
                    f"{shown}:{line}: the key {key!r} stands twice; keep one of them", file=shown
                )
            seen.add(key)
            found[*path, key] = key_node.start_mark.line + 1
            _collect(value_node, (*path, key), found, shown)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _collect(item, (*path, index), found, shown)


def _key(node: Any, shown: str) -> str:
    """The key as it stands; words that YAML reads as something else are refused."""
    if node.tag not in _KEY_TAGS:
        kind = node.tag.rpartition(":")[2]
        written = f'"{node.value}"' if isinstance(node.value, str) else "a text"
        raise ConfigInvalid(
            f"{shown}:{node.start_mark.line + 1}: YAML reads this key as {kind}, not as text; "
            f"write {written} in quotes",
            file=shown,
        )
    return str(node.value)


def _parse(text: str, shown: str) -> tuple[Any, dict[Where, int]]:
    """Data and lines of a text; the nodes are looked at before anything is made of them."""
    loader = Loader(text)
    lines: dict[Where, int] = {}
    root = None
    try:
        root = loader.get_single_node()
        if root is None:
            return None, lines
        _collect(root, (), lines, shown)
        return loader.construct_document(root), lines
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigInvalid(f"{shown}:{line}: not valid YAML, {exc.problem}", file=shown) from None
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        raise ConfigInvalid(f"{shown}:{line}: not valid YAML, {exc.reason}", file=shown) from None
    except RecursionError:
        raise ConfigInvalid(f"{shown}: nested too deeply; split the file", file=shown) from None
    except (ValueError, KeyError, AttributeError):  # what PyYAML's constructors let through
        line = _unreadable(root)
        raise ConfigInvalid(
            f"{shown}:{line}: a value is not what YAML takes it for, such as a day that no "
            "calendar has; write it in quotes",
            file=shown,
        ) from None
    finally:
        loader.dispose()


def _unreadable(node: Any) -> int:
    """Line of the first value of which YAML cannot make what it takes it for."""
    if isinstance(node, yaml.MappingNode):
        return next(filter(None, (_unreadable(value) for _, value in node.value)), 0)
    if isinstance(node, yaml.SequenceNode):
        return next(filter(None, map(_unreadable, node.value)), 0)
    try:
        Loader("").construct_object(node)
    except (ValueError, KeyError, AttributeError):
        return int(node.start_mark.line) + 1
    return 0


def load_yaml(path: Path, *, root: Path | None = None) -> YamlFile:
    """Read one YAML file whose top level is a mapping.

    Raises:
        ConfigInvalid: Not there, not UTF-8, not YAML, or not a mapping; with file:line.
    """
    shown = str(path.relative_to(root)) if root and path.is_relative_to(root) else path.name
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigInvalid(f"{shown}: the file does not exist; create it", file=shown) from None
    except UnicodeDecodeError as exc:
        raise ConfigInvalid(f"{shown}: not UTF-8 at byte {exc.start}; save it as UTF-8") from None
    data, lines = _parse(text, shown)
    if not isinstance(data, dict):
        raise ConfigInvalid(f"{shown}:1: expected a mapping at the top level", file=shown)
    return YamlFile(path=path, data=data, text=text, shown=shown, lines=lines)


def suggestion(word: str, known: Iterable[str]) -> str:
    """`, did you mean "x"?` for the nearest known word, else the list of known words."""
    options = sorted(known)
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if close:
        return f', did you mean "{close[0]}"?'
    return f"; expected one of: {', '.join(options)}"


def parse_model(file: YamlFile, model: type[Model], data: Any | None = None) -> Model:
    """Check the file's data against a pydantic model and give the model.

    Raises:
        ConfigInvalid: First wrong place, as file:line with what was expected and a suggestion.
    """
    try:
        return model.model_validate(file.data if data is None else data)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_input=False)
        # A misspelt key also makes its right spelling "missing"; the misspelling says more.
        error = min(errors, key=lambda item: item["type"] != "extra_forbidden")
    return _refuse(file, model, error)


def _refuse(file: YamlFile, model: type[BaseModel], error: Any) -> NoReturn:
    """Turn pydantic's first error into file:line, expectation and suggestion."""
    where = tuple(error["loc"])
    if error["type"] == "extra_forbidden":
        names = _allowed_names(model, where[:-1])
        word = str(where[-1])
        file.fail(where, f'unknown key "{word}"{suggestion(word, names)}')
    if error["type"] == "missing":
        file.fail(where[:-1], f'the key "{where[-1]}" is missing; add it')
    dotted = ".".join(str(part) for part in where if part in _real_parts(file, where))
    file.fail(where, f"{dotted or 'document'}: {error['msg']}")


def _real_parts(file: YamlFile, where: Where) -> tuple[str | int, ...]:
    """Parts of a pydantic location that are really in the file (it adds union tags)."""
    return tuple(part for i, part in enumerate(where) if where[: i + 1] in file.lines) or where


def _allowed_names(model: type[BaseModel], where: Where) -> set[str]:
    """Names that the (nested) model at that location accepts."""
    current: set[type[BaseModel]] = {model}
    for part in where:
        nested: set[type[BaseModel]] = set()
        for kind in current:
            info = kind.model_fields.get(str(part))
            if info is not None:
                nested |= _models_in(info.annotation)
        tagged = {kind for kind in current if kind.__name__.lower() == str(part).lower()}
        current = nested or tagged or current
    return {info.alias or name for kind in current for name, info in kind.model_fields.items()}


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    """Every pydantic model inside a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    found: set[type[BaseModel]] = set()
    for argument in getattr(annotation, "__args__", ()):
        found |= _models_in(argument)
    return found
