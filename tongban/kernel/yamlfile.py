"""YAML files with positions: load fast, and say file:line when something in them is wrong.

Used by the catalog for systems, mappings and contracts. Duplicate keys are refused, since YAML
would silently keep the last one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tongban.kernel.errors import ConfigInvalid

Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Where = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class YamlFile:
    """One parsed file: its data, and on demand the line of every key and item."""

    path: Path
    data: Any
    text: str = field(repr=False)
    shown: str

    @cached_property
    def lines(self) -> dict[Where, int]:
        """Line (from 1) of each place in the document, keyed by its path of keys and indexes."""
        root = yaml.compose(self.text, Loader=Loader)
        found: dict[Where, int] = {}
        if root is not None:
            _collect(root, (), found, self.shown)
        return found

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
    """Note the line of every key and item below `node`."""
    found.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key = key_node.value
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


def load_yaml(path: Path, *, root: Path | None = None) -> YamlFile:
    """Read one YAML file whose top level is a mapping.

    Raises:
        ConfigInvalid: Not there, not UTF-8, not YAML, or not a mapping; with file:line.
    """
    shown = str(path.relative_to(root)) if root and path.is_relative_to(root) else path.name
    try:
        text = path.read_text(encoding="utf-8")
        data = yaml.load(text, Loader=Loader)  # noqa: S506 - a safe loader
    except FileNotFoundError:
        raise ConfigInvalid(f"{shown}: the file does not exist; create it", file=shown) from None
    except UnicodeDecodeError as exc:
        raise ConfigInvalid(f"{shown}: not UTF-8 at byte {exc.start}; save it as UTF-8") from None
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigInvalid(f"{shown}:{line}: not valid YAML, {exc.problem}", file=shown) from None
    if not isinstance(data, dict):
        raise ConfigInvalid(f"{shown}:1: expected a mapping at the top level", file=shown)
    return YamlFile(path=path, data=data, text=text, shown=shown)


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
    _ = file.lines  # refuses duplicate keys
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
