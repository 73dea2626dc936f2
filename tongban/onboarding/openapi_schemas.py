"""OpenAPI schemas: a schema with its references as a tree of names, types, labels and examples.

A schema that contains itself ends where it comes again; a description that would grow beyond all
use is cut. Nothing here reads a file or refuses anything.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from tongban.onboarding.described import Node, NodeType
from tongban.onboarding.openapi_files import OpenApiFiles

DEPTHS = (12, 6, 4, 3)
MOST_NODES = 20_000  # of one parameter or answer
TYPES: Final[dict[str, NodeType]] = {
    "string": "string",
    "integer": "integer",
    "number": "decimal",
    "boolean": "boolean",
    "object": "object",
}
FORMATS: Final[dict[str, NodeType]] = {"date": "date", "date-time": "datetime"}
Json = dict[str, Any]


class SchemaReader:
    """Reads schemas of one description."""

    def __init__(self, files: OpenApiFiles) -> None:
        self._files = files
        self._open: list[str] = []
        self._left = MOST_NODES
        self._deepest = DEPTHS[0]

    def node(self, name: str, given: Any, example: Any = None) -> Node:
        """Give a schema as a tree; example values found on the way go to the leaves.

        What would grow too wide is read again less deep.
        """
        made = Node(name, "object", is_open=True)
        for depth in DEPTHS:
            self._left, self._deepest = MOST_NODES, depth
            made = self._node(name, given, 0, example)
            if self._left >= 0:
                break
        return made

    def _node(self, name: str, given: Any, depth: int, example: Any = None) -> Node:
        entered = len(self._open)
        schema = self._merged(given)
        self._left -= 1
        if schema is None or self._left < 0:  # it stands inside itself
            del self._open[entered:]
            return Node(name, "object", is_open=True)
        made = self._made(name, schema, depth, example)
        del self._open[entered:]
        return made

    def _made(self, name: str, schema: Json, depth: int, example: Any) -> Node:
        example = example if example is not None else schema.get("example", schema.get("default"))
        if example is None:
            example = next(iter(as_list(schema.get("examples"))), None)  # 3.1
        kind = _type(schema, example)
        if kind == "array":
            items: Any = schema.get("items") or next(iter(as_list(schema.get("prefixItems"))), {})
            first = example[0] if isinstance(example, list) and example else None
            inner = self._node(name, items, depth + 1, first)
            return replace(inner, repeated=True, label=_label(schema) or inner.label)
        node = Node(
            name=name,
            type=FORMATS.get(str(schema.get("format")), TYPES.get(kind, "string")),
            label=_label(schema),
            max_length=_whole(schema.get("maxLength")),
            pattern=schema["pattern"] if isinstance(schema.get("pattern"), str) else None,
            values=tuple(str(v) for v in as_list(schema.get("enum")) if v is not None),
            samples=() if example is None or kind == "object" else (_text(example),),
        )
        if kind != "object":
            return node
        return replace(node, type="object", children=self._children(schema, example, depth))

    def _children(self, schema: Json, example: Any, depth: int) -> tuple[Node, ...]:
        if depth > self._deepest:
            return ()
        properties = dict(as_mapping(schema.get("properties")))
        shown = example if isinstance(example, dict) else {}
        for key in shown:
            properties.setdefault(key, {})
        required = {str(name) for name in as_list(schema.get("required"))}
        return tuple(
            replace(
                self._node(str(key), item, depth + 1, shown.get(key)), required=str(key) in required
            )
            for key, item in properties.items()
        )

    def _merged(self, given: Any) -> Json | None:
        """A schema with its reference, allOf, and the first of anyOf or oneOf put together.

        Gives None for a schema that is being read already; the references that it enters stay
        noted until its node is made.
        """
        reference = given.get("$ref") if isinstance(given, dict) else None
        if isinstance(reference, str):
            if reference in self._open:
                return None
            self._open.append(reference)
        schema = self._files.resolved(given)
        parts = as_list(schema.get("allOf"))
        for word in ("oneOf", "anyOf"):
            parts += [p for p in as_list(schema.get(word)) if not _is_null(p)][:1]
        if not parts:
            return schema
        merged: Json = {"properties": {}, "required": []}
        own = {k: v for k, v in schema.items() if k not in {"allOf", "oneOf", "anyOf"}}
        for part in [*(self._merged(p) for p in parts), own]:
            if part is None:
                continue
            merged["properties"] |= as_mapping(part.get("properties"))
            merged["required"] += as_list(part.get("required"))
            merged |= {k: v for k, v in part.items() if k not in {"properties", "required"}}
        if not merged["properties"]:
            del merged["properties"]
        return merged


def as_mapping(found: Any) -> Json:
    """What should be a mapping, or none."""
    return found if isinstance(found, dict) else {}


def as_list(found: Any) -> list[Any]:
    """What should be a list, as a list of its own, or none."""
    return list(found) if isinstance(found, list) else []


def _is_null(part: Any) -> bool:
    return not isinstance(part, dict) or part.get("type") == "null"


def _type(schema: Json, example: Any) -> str:
    declared = schema.get("type")
    if isinstance(declared, list):  # 3.1: ["string", "null"]
        declared = next((kind for kind in declared if kind != "null"), "string")
    if declared:
        return str(declared)
    if "properties" in schema or isinstance(example, dict):
        return "object"
    if "items" in schema or isinstance(example, list):
        return "array"
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"))
    return next((word for kind, word in kinds if isinstance(example, kind)), "string")


def _whole(found: Any) -> int | None:
    if isinstance(found, bool):
        return None
    return int(found) if isinstance(found, int) or str(found).isdecimal() else None


def _label(schema: Json) -> str:
    return " ".join(str(schema.get("title") or schema.get("description") or "").split())[:200]


def _text(value: Any) -> str:
    if isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
