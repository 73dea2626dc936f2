"""Words: lists of codes as a YAML file has them, one alone or several, and never a number."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator


def as_tuple(value: Any) -> Any:
    """Let one word stand for a list of one."""
    return (value,) if isinstance(value, str | int | bool | dict) else value


def _as_words(value: Any) -> Any:
    """Codes are text, also where YAML reads `0` or `true`."""
    words = as_tuple(value)
    if not isinstance(words, list | tuple):
        return words
    return tuple(str(w).lower() if isinstance(w, bool) else str(w) for w in words)


Words = Annotated[tuple[str, ...], BeforeValidator(_as_words)]
