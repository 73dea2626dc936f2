"""OpenAPI 3 and Swagger 2: operations with their parameters and answers, for drafting.

Names of extensions and unusual keywords are ignored: a draft needs names, types, labels and
examples. Descriptions in the wild break their own rules; what is no mapping is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from tongban.kernel.errors import ConfigInvalid
from tongban.onboarding.described import Description, Node, Operation
from tongban.onboarding.openapi_files import OpenApiFiles
from tongban.onboarding.openapi_schemas import SchemaReader, as_list, as_mapping
from tongban.onboarding.sources import Source

METHODS = ("get", "post")
FORM = ("application/x-www-form-urlencoded", "multipart/form-data")
OURS = frozenset({"authorization", "accept", "content-type", "user-agent", "host"})
Json = dict[str, Any]


class OpenApi:
    """One description; follows its references."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.files = OpenApiFiles(source)
        self.document = self.files.main
        self.schemas = SchemaReader(self.files)
        if not isinstance(self.document.get("paths"), dict):
            raise ConfigInvalid(f"{source.location}: no OpenAPI description; it has no `paths`")

    def describe(self) -> Description:
        """The whole description."""
        path, base_url = self._server()
        operations = tuple(self._operations())
        auth, said = self._auth()
        return Description(
            protocol="rest",
            title=str(as_mapping(self.document.get("info")).get("title") or self.source.name),
            operations=operations,
            files=self.files.files,
            path=path,
            base_url=base_url,
            auth=auth,
            notes=tuple(dict.fromkeys([*said, *self.files.notes])),
        )

    def _server(self) -> tuple[str, str]:
        for given in as_list(self.document.get("servers")):
            server = as_mapping(given)
            address = str(server.get("url") or "")
            for name, variable in as_mapping(server.get("variables")).items():
                default = as_mapping(variable).get("default", "")
                address = address.replace(f"{{{name}}}", str(default))
            try:
                parts = urlsplit(address)
            except ValueError:
                continue
            host = f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
            return parts.path.rstrip("/"), host
        host = str(self.document.get("host") or "")
        schemes = as_list(self.document.get("schemes")) or ["https"]
        base = str(self.document.get("basePath") or "").rstrip("/")
        return base, f"{schemes[0]}://{host}" if host else ""

    def _operations(self) -> Iterator[Operation]:
        for path, given in self.document["paths"].items():
            item = self.files.resolved(given)
            for method in METHODS:
                declared = item.get(method)
                if isinstance(declared, dict):
                    shared = as_list(item.get("parameters"))
                    yield self._operation(str(path), method, declared, shared)

    def _operation(self, path: str, method: str, declared: Json, shared: list[Any]) -> Operation:
        given = [*shared, *as_list(declared.get("parameters"))]
        parameters = [self.files.resolved(p) for p in given]
        by_place = {
            place: tuple(self._parameter(p) for p in parameters if p.get("in") == place)
            for place in ("query", "header", "formData")
        }
        body, is_form = self._body(declared, parameters)
        inputs, place = by_place["query"], "query"
        if by_place["formData"] or (body and is_form):
            inputs, place = by_place["formData"] or body, "form"
        elif body and not inputs:
            inputs, place = body, "body"
        output, told = self._answer(declared)
        label = str(declared.get("summary") or declared.get("description") or "")
        return Operation(
            name=str(declared.get("operationId") or f"{method} {path}"),
            label=" ".join(label.split())[:200],
            inputs=inputs,
            output=output,
            method=method.upper(),
            path=path,
            place=place,  # type: ignore[arg-type] # one of the words above
            headers=tuple(h for h in by_place["header"] if h.name.lower() not in OURS),
            answer_headers=told,
        )

    def _parameter(self, declared: Json) -> Node:
        content = as_mapping(next(iter(as_mapping(declared.get("content")).values()), None))
        schema = declared.get("schema") or content.get("schema") or declared
        node = self.schemas.node(str(declared.get("name")), schema, declared.get("example"))
        return replace(
            node,
            label=str(declared.get("description") or node.label),
            required=declared.get("required") is True,
        )

    def _body(self, declared: Json, parameters: list[Json]) -> tuple[tuple[Node, ...], bool]:
        """The fields of a body, and whether they travel as a form."""
        content = as_mapping(self.files.resolved(declared.get("requestBody")).get("content"))
        kinds = sorted(content, key=lambda name: "json" not in str(name))
        for kind in kinds:
            schema = as_mapping(content[kind]).get("schema")
            if schema:
                return self.schemas.node("body", schema).children, kind.startswith(FORM)
        schema = next((p.get("schema") for p in parameters if p.get("in") == "body"), None)
        return (self.schemas.node("body", schema).children if schema else ()), False

    def _answer(self, declared: Json) -> tuple[Node | None, tuple[str, ...]]:
        """The first successful answer that has a schema or an example, and its headers."""
        answers = as_mapping(declared.get("responses"))
        for status in sorted(answers, key=str):
            if not (str(status).startswith("2") or status == "default"):
                continue
            answer = self.files.resolved(answers[status])
            content = as_mapping(answer.get("content"))
            media = next((c for name, c in content.items() if "json" in str(name)), None)
            media = as_mapping(media or next(iter(content.values()), None)) or answer
            example = self._example(media, answer)
            schema = media.get("schema") or ({} if example is not None else None)
            if schema is not None:
                told = tuple(str(name).lower() for name in as_mapping(answer.get("headers")))
                return self.schemas.node("answer", schema, example), told
        return None, ()

    def _example(self, media: Json, answer: Json) -> Any:
        """An answer that the description shows: OpenAPI 3 in the media type, Swagger 2 beside."""
        if media.get("example") is not None:
            return media["example"]
        shown = as_mapping(media.get("examples"))
        if media is answer:  # Swagger 2: media type → the example itself
            return next((value for name, value in shown.items() if "json" in str(name)), None)
        values = (self.files.resolved(each).get("value") for each in shown.values())
        return next((value for value in values if value is not None), None)

    def _auth(self) -> tuple[tuple[Json, ...], list[str]]:
        """The first declared identity that the vocabulary knows, those that are required first."""
        components = as_mapping(self.document.get("components"))
        schemes = as_mapping(
            components.get("securitySchemes") or self.document.get("securityDefinitions")
        )
        required = [
            name
            for item in as_list(self.document.get("security"))
            for name in as_mapping(item)
            if name in schemes
        ]
        said: list[str] = []
        for name in dict.fromkeys([*required, *schemes]):
            found = _identity(self.files.resolved(schemes[name]))
            if found is not None:
                return (found,), said
            said.append(f"security scheme {name!r}: write `auth` after the interface note")
        return (), said


def _identity(scheme: Json) -> Json | None:
    kind, word = scheme.get("type"), str(scheme.get("scheme") or "").lower()
    if kind == "basic" or (kind == "http" and word == "basic"):
        return {"kind": "basic"}
    if kind == "http" and word == "bearer":
        return {"kind": "api_key", "name": "Authorization", "prefix": "Bearer "}
    where = str(scheme.get("in"))
    if kind == "apiKey" and where in {"header", "query"}:
        place = "headers" if where == "header" else "query"
        return {"kind": "api_key", "in": place, "name": str(scheme.get("name"))}
    if kind == "oauth2":
        flow = as_mapping(as_mapping(scheme.get("flows")).get("clientCredentials") or scheme)
        try:
            token = urlsplit(str(flow.get("tokenUrl") or "")).path
        except ValueError:
            token = ""
        return {"kind": "oauth2_client_credentials", "token_path": token} if token else None
    return None


def read_openapi(source: Source) -> Description:
    """Read an OpenAPI or Swagger document.

    Raises:
        ConfigInvalid: It is none.
    """
    return OpenApi(source).describe()
