"""YAML text: small pieces of YAML with comments, which no dumper writes."""

from __future__ import annotations

import json
import re
from typing import Any

COLUMN = 64
_PLAIN = re.compile(r"^[A-Za-z_/\u4e00-\u9fff][\w\u4e00-\u9fff./-]*$")
_SPECIAL = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"})


def scalar(value: Any) -> str:
    """One value; text that YAML could read as something else is quoted."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    if _PLAIN.match(text) and text.lower() not in _SPECIAL:
        return text
    return json.dumps(text, ensure_ascii=False)


def flow(value: Any) -> str:
    """A value in flow style: {a: b, c: [d]}."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key_text(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value)


def key_text(key: Any) -> str:
    """A key; `true` and `no` are words here, not values."""
    return scalar(str(key))


def line(indent: int, text: str, comment: str = "") -> str:
    """One line; its comment stands in a column of its own where there is room."""
    left = " " * indent + text
    if not comment:
        return left
    comment = " ".join(comment.split())
    return f"{left:<{COLUMN}}  # {comment}" if text else f"{' ' * indent}# {comment}"


def block(indent: int, value: dict[str, Any], comments: dict[str, str]) -> list[str]:
    """A nested mapping in block style; comments are found by the placeholder or value."""
    lines: list[str] = []
    for key, item in value.items():
        if isinstance(item, dict) and item:
            lines.append(line(indent, f"{key_text(key)}:"))
            lines += block(indent + 2, item, comments)
        else:
            comment = comments.get(str(item), "") if isinstance(item, str) else ""
            lines.append(line(indent, f"{key_text(key)}: {flow(item)}", comment))
    return lines


def nested(paths: dict[str, Any]) -> dict[str, Any]:
    """Dotted paths as nested mappings."""
    found: dict[str, Any] = {}
    for path, value in paths.items():
        inner = found
        *heads, last = path.split(".")
        for head in heads:
            inner = inner.setdefault(head, {})
        inner[last] = value
    return found
