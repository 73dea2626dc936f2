"""The official schema: a contract held against the JSON Schema of ODCS 3.2 as well.

It finds misspelt keys at every depth, which loading alone would overlook. The schema lies inside
the wheel `open-data-contract-standard`; nothing is fetched, and no message quotes a value.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date
from pathlib import Path
from typing import Any

from tongban.kernel.contract_checks import check_words
from tongban.kernel.contracts import Contract, load_contract
from tongban.kernel.yamlfile import YamlFile, load_yaml, suggestion

_UNEXPECTED = re.compile(r"'([^']+)'")  # names inside jsonschema's own message
_VALIDATORS: list[Any] = []
_SOUND: set[bytes] = set()  # digests of texts that the schema took; it costs 50 ms a contract


def check_contract(path: Path, *, root: Path | None = None) -> Contract:
    """Load a contract and hold it against the official ODCS JSON Schema as well.

    Raises:
        ConfigInvalid: As `load_contract`, and for whatever the JSON Schema refuses (it finds
            misspelt keys at every depth, which loading alone would overlook).
    """
    file = load_yaml(path, root=root)
    digest = hashlib.sha256(file.text.encode()).digest()
    if digest not in _SOUND:
        _check_schema(file)
        _SOUND.add(digest)
    contract = load_contract(path, root=root)
    check_words(file, contract)
    return contract


def _check_schema(file: YamlFile) -> None:
    """Refuse what the official schema refuses, a misspelt key first."""
    found = [_inner(error) for error in _odcs_validator().iter_errors(_plain(file.data))]
    misplaced: tuple[tuple[str | int, ...], str] | None = None
    for error in sorted(found, key=_depth, reverse=True):
        where = tuple(error.absolute_path)
        if error.validator in {"additionalProperties", "unevaluatedProperties"}:
            known = _odcs_names()
            for word in _UNEXPECTED.findall(error.message):
                if word not in known:
                    file.fail((*where, word), f'unknown key "{word}"{suggestion(word, known)}')
            misplaced = misplaced or (where, ", ".join(_UNEXPECTED.findall(error.message)))
            continue
        file.fail(where, f"ODCS 3.2: {_without_value(error)}")
    if misplaced is not None:
        file.fail(misplaced[0], f"ODCS 3.2: not allowed here: {misplaced[1]}")


def _inner(error: Any) -> Any:
    """What is wrong inside the alternative that was meant: the one of the right type."""
    while error.validator in {"oneOf", "anyOf"} and error.context:
        meant = [e for e in error.context if e.validator != "type" or len(e.relative_path) > 0]
        if not meant:
            break
        error = max(meant, key=_depth)
    return error


def _depth(error: Any) -> int:
    """Deeper errors say more."""
    return len(error.absolute_path)


def _without_value(error: Any) -> str:
    """The schema's demand, without the instance's content."""
    if error.validator == "required":
        return str(error.message)
    return f"{error.validator} expects {error.validator_value!r}"[:200]


def _plain(data: Any) -> Any:
    """YAML dates as the text that JSON Schema expects."""
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_plain(item) for item in data]
    return data.isoformat() if isinstance(data, date) else data


def _odcs_names() -> frozenset[str]:
    """Every property name that the official schema knows anywhere."""
    found: set[str] = set()
    pending: list[Any] = [_odcs_validator().schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            properties = node.get("properties")
            if isinstance(properties, dict):
                found |= set(properties)
            pending += node.values()
        elif isinstance(node, list):
            pending += node
    return frozenset(found)


def _odcs_validator() -> Any:
    """The official schema's validator, made once per process."""
    if not _VALIDATORS:
        import json
        from importlib import resources

        import jsonschema

        folder = resources.files("open_data_contract_standard")
        text = next(
            item for item in _walk(folder) if item.name.endswith(".json") and "schema" in item.name
        ).read_text(encoding="utf-8")
        schema = json.loads(text)
        _VALIDATORS.append(jsonschema.validators.validator_for(schema)(schema))
    return _VALIDATORS[0]


def _walk(folder: Any) -> Any:
    """Every file below a package folder."""
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item)
        else:
            yield item
