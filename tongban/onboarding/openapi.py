"""OpenAPI 3 and Swagger 2: operations with their parameters and answers, for drafting.

References inside the document are followed; those to other files are noted, not fetched. Names of
extensions and unusual keywords are ignored: a draft needs names, types, labels and examples.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.yamlfile import Loader
from tongban.onboarding.described import Description, Node, NodeType, Operation
from tongban.onboarding.sources import Source

MOST_DEPTH = 12
METHODS = ("get", "post")
TYPES: Final[dict[str, NodeType]] = {
    "string": "string",
    "integer": "integer",
    "number": "decimal",
    "boolean": "boolean",
    "object": "object",
}
FORMATS: Final[dict[str, NodeType]] = {"date": "date", "date-time": "datetime"}
Json = dict[str, Any]


class OpenApi:
    """One document; follows its own references."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.notes: list[str] = []
        self.document = _parsed(source)
        if not isinstance(self.document.get("paths"), dict):
            raise ConfigInvalid(f"{source.location}: no OpenAPI description; it has no `paths`")

    def describe(self) -> Description:
        """The whole description."""
        path, base_url = self._server()
        info = self.document.get("info") or {}
        return Description(
            protocol="rest",
            title=str(info.get("title") or self.source.name),
            operations=tuple(self._operations()),
            files={self.source.name: self.source.content},
            path=path,
            base_url=base_url,
            auth=tuple(self._auth()),
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _server(self) -> tuple[str, str]:
        servers = self.document.get("servers")
        if isinstance(servers, list) and servers:
            parts = urlsplit(str(servers[0].get("url") or ""))
            host = f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
            return parts.path.rstrip("/"), host
        host = str(self.document.get("host") or "")
        schemes = self.document.get("schemes") or ["https"]
        base = str(self.document.get("basePath") or "").rstrip("/")
        return base, f"{schemes[0]}://{host}" if host else ""

    def _operations(self) -> Iterator[Operation]:
        for path, given in self.document["paths"].items():
            item = self._resolved(given)
            for method in METHODS:
                declared = item.get(method)
                if isinstance(declared, dict):
                    shared = item.get("parameters") or []
                    yield self._operation(str(path), method, declared, shared)

    def _operation(self, path: str, method: str, declared: Json, shared: list[Any]) -> Operation:
        parameters = [self._resolved(p) for p in [*shared, *(declared.get("parameters") or [])]]
        query = [self._parameter(p) for p in parameters if p.get("in") == "query"]
        body = self._body(declared, parameters)
        label = str(declared.get("summary") or declared.get("description") or "")
        return Operation(
            name=str(declared.get("operationId") or f"{method} {path}"),
            label=" ".join(label.split())[:200],
            inputs=body if body and not query else tuple(query),
            output=self._answer(declared),
            method=method.upper(),
            path=path,
            place="body" if body and not query else "query",
        )

    def _parameter(self, declared: Json) -> Node:
        node = self._node(str(declared.get("name")), declared.get("schema") or declared, 0)
        return _with(
            node,
            label=str(declared.get("description") or node.label),
            required=bool(declared.get("required")),
        )

    def _body(self, declared: Json, parameters: list[Json]) -> tuple[Node, ...]:
        content = self._resolved(declared.get("requestBody") or {}).get("content") or {}
        schema = next((c.get("schema") for c in content.values() if c.get("schema")), None)
        schema = schema or next(
            (p.get("schema") for p in parameters if p.get("in") == "body"), None
        )
        return self._node("body", schema, 0).children if schema else ()

    def _answer(self, declared: Json) -> Node | None:
        """The first successful answer that has a schema or an example."""
        answers = declared.get("responses") or {}
        for status in sorted(answers, key=str):
            if not (str(status).startswith("2") or status == "default"):
                continue
            answer = self._resolved(answers[status])
            content = answer.get("content") or {}
            media = next((c for name, c in content.items() if "json" in name), None)
            media = media or next(iter(content.values()), None) or answer
            example = media.get("example")
            if example is None:
                shown = (self._resolved(e).get("value") for e in _values(media.get("examples")))
                example = next((value for value in shown if value is not None), None)
            schema = media.get("schema") or ({} if example is not None else None)
            if schema is not None:
                return self._rooted(self._node("answer", schema, 0, example))
        return None

    def _rooted(self, node: Node) -> Node:
        """A bare list as answer cannot be addressed by a path; say so."""
        if node.repeated:
            self.notes.append("an answer is a bare list: `records` needs a name, ask for one")
        return node

    def _node(self, name: str, given: Any, depth: int, example: Any = None) -> Node:
        """A schema as a tree; example values found on the way go to the leaves."""
        schema = self._merged(given)
        example = example if example is not None else schema.get("example", schema.get("default"))
        kind = self._type(schema, example)
        if kind == "array":
            items = schema.get("items") or {}
            first = example[0] if isinstance(example, list) and example else None
            inner = self._node(name, items, depth + 1, first)
            return _with(inner, repeated=True, label=_label(schema) or inner.label)
        node = Node(
            name=name,
            type=FORMATS.get(str(schema.get("format")), TYPES.get(kind, "string")),
            label=_label(schema),
            max_length=schema.get("maxLength"),
            pattern=schema.get("pattern"),
            values=tuple(str(v) for v in schema.get("enum") or () if v is not None),
            samples=() if example is None or kind == "object" else (_text(example),),
        )
        if kind != "object":
            return node
        return _with(node, type="object", children=self._children(schema, example, depth))

    def _children(self, schema: Json, example: Any, depth: int) -> tuple[Node, ...]:
        if depth > MOST_DEPTH:
            return ()
        properties = dict(schema.get("properties") or {})
        shown = example if isinstance(example, dict) else {}
        for key in shown:
            properties.setdefault(key, {})
        required = set(schema.get("required") or ())
        return tuple(
            _with(self._node(str(key), item, depth + 1, shown.get(key)), required=key in required)
            for key, item in properties.items()
        )

    def _type(self, schema: Json, example: Any) -> str:
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

    def _merged(self, given: Any) -> Json:
        """A schema with its reference, allOf, and the first of anyOf or oneOf put together."""
        schema = self._resolved(given)
        parts = list(schema.get("allOf") or ())
        for word in ("oneOf", "anyOf"):
            parts += [p for p in schema.get(word) or () if p.get("type") != "null"][:1]
        if not parts:
            return schema
        merged: Json = {"properties": {}, "required": []}
        for part in [*(self._merged(p) for p in parts), schema]:
            merged["properties"] |= part.get("properties") or {}
            merged["required"] += part.get("required") or []
            merged |= {k: v for k, v in part.items() if k not in {"properties", "required"}}
        if not merged["properties"]:
            del merged["properties"]
        return merged

    def _resolved(self, given: Any, hops: int = 0) -> Json:
        """What a local reference points to; an empty schema for any other."""
        if not isinstance(given, dict):
            return {}
        reference = given.get("$ref")
        if not isinstance(reference, str):
            return given
        if not reference.startswith("#/") or hops > MOST_DEPTH:
            self.notes.append(f"the reference {reference!r} was not followed; put it into the file")
            return {}
        target: Any = self.document
        for word in reference[2:].split("/"):
            key = word.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, dict) else None
        return self._resolved(target, hops + 1)

    def _auth(self) -> Iterator[Json]:
        """The first declared identity that the vocabulary knows."""
        components = self.document.get("components") or {}
        schemes = components.get("securitySchemes") or self.document.get("securityDefinitions")
        for name, declared in (schemes or {}).items():
            found = _identity(self._resolved(declared))
            if found is not None:
                yield found
                return
            self.notes.append(f"security scheme {name!r}: write `auth` after the interface note")


def _identity(scheme: Json) -> Json | None:
    kind, word = scheme.get("type"), str(scheme.get("scheme") or "").lower()
    if kind == "basic" or (kind == "http" and word == "basic"):
        return {"kind": "basic"}
    if kind == "http" and word == "bearer":
        return {"kind": "api_key", "name": "Authorization", "prefix": "Bearer "}
    if kind == "apiKey" and scheme.get("in") in {"header", "query"}:
        place = "headers" if scheme["in"] == "header" else "query"
        return {"kind": "api_key", "in": place, "name": str(scheme.get("name"))}
    if kind == "oauth2":
        flow = (scheme.get("flows") or {}).get("clientCredentials") or scheme
        token = urlsplit(str(flow.get("tokenUrl") or "")).path
        return {"kind": "oauth2_client_credentials", "token_path": token} if token else None
    return None


def _parsed(source: Source) -> Json:
    """JSON or YAML; YAML reads both, but JSON reads faster and more strictly."""
    try:
        text = source.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigInvalid(f"{source.location}: no UTF-8 text, so no OpenAPI file") from None
    try:
        found = json.loads(text) if text.lstrip()[:1] == "{" else _yaml(text)
    except (ValueError, yaml.YAMLError):
        raise ConfigInvalid(f"{source.location}: neither JSON nor YAML can be read") from None
    if not isinstance(found, dict):
        raise ConfigInvalid(f"{source.location}: no OpenAPI description; it is no mapping")
    return found


def _yaml(text: str) -> Any:
    """YAML by the safe loader in C: large descriptions take a tenth of the time."""
    return yaml.load(text, Loader=Loader)  # noqa: S506 - a safe loader


def _label(schema: Json) -> str:
    return " ".join(str(schema.get("title") or schema.get("description") or "").split())[:200]


def _values(found: Any) -> list[Any]:
    return list(found.values()) if isinstance(found, dict) else []


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | dict | list) else str(value)


def _with(node: Node, **changes: Any) -> Node:
    return replace(node, **changes)


def read_openapi(source: Source) -> Description:
    """Read an OpenAPI or Swagger document.

    Raises:
        ConfigInvalid: It is none.
    """
    return OpenApi(source).describe()
