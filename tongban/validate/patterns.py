r"""Patterns: the dialect that a contract's patterns may use, so that every engine agrees.

A pattern runs in Polars, PostgreSQL, ECMAScript (JSON Schema), Python and XML Schema. These
differ in `\d` (full-width digits count in some), in what `$` means before a trailing newline
and in look-around. So: anchored, explicit classes such as [0-9] and [A-Z], nothing else clever.
"""

from __future__ import annotations

import re

import polars as pl
from polars.exceptions import PolarsError

_ESCAPABLE = frozenset(r".()[]{}+*?|/\-^$")
_GROUP = re.compile(r"\(\?(?!:)")


def problem_with(pattern: str) -> str | None:
    """What is wrong with a pattern and what to write instead, or None when it is fine."""
    return _not_anchored(pattern) or _not_shared(pattern) or _not_valid(pattern)


def _not_anchored(pattern: str) -> str | None:
    """Open at an end, as a whole or through an alternation."""
    if not pattern.startswith("^") or not pattern.endswith("$") or pattern.endswith(r"\$"):
        return "is not anchored; begin it with ^ and end it with $"
    if _splits_at_the_top(pattern):
        return "has | outside a group, so that ^ and $ hold for a half each; use ^(?:a|b)$"
    return None


def _not_shared(pattern: str) -> str | None:
    """Something that not every engine reads the same way."""
    if (escape := _odd_escape(pattern)) is not None:
        return rf"uses \{escape}; write the characters out, for example [0-9] or [A-Z]"
    if _GROUP.search(pattern):
        return "uses look-around or a named group; only (…) and (?:…) are understood everywhere"
    if "[:" in pattern or "&&" in pattern:
        return "uses a named class; write the characters out, for example [0-9]"
    return None


def _not_valid(pattern: str) -> str | None:
    """No regular expression at all."""
    try:
        pl.Series([""]).str.contains(pattern)
    except PolarsError:
        return "is not a valid regular expression"
    return None


def _odd_escape(pattern: str) -> str | None:
    """First escaped character that is not plain punctuation."""
    index = pattern.find("\\")
    while index >= 0:
        following = pattern[index + 1 : index + 2]
        if following not in _ESCAPABLE:
            return following
        index = pattern.find("\\", index + 2)
    return None


def _splits_at_the_top(pattern: str) -> bool:
    """Whether an alternation stands outside every group and class."""
    depth = 0
    in_class = False
    skip = False
    for letter in pattern:
        if skip:
            skip = False
        elif letter == "\\":
            skip = True
        elif in_class:
            in_class = letter != "]"
        elif letter == "[":
            in_class = True
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == "|" and depth == 0:
            return True
    return False
