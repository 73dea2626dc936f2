"""OpenAPI as it is found in the wild: several files, cycles, broken rules, bare lists, links."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.connectors.serving import answers, serving
from tongban.kernel.catalog import load_catalog
from tongban.kernel.errors import TongbanError
from tongban.onboarding.described import Description, Node
from tongban.onboarding.drafting import draft
from tongban.onboarding.openapi import read_openapi
from tongban.onboarding.sources import Source, read_source

ROOT = Path(__file__).parents[2]
CATALOG = load_catalog(ROOT)
RECORD = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string"}, "xm": {"type": "string", "description": "姓名"}},
}


def api(answer: dict[str, Any], *parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One GET with that answer's schema."""
    headers = more.pop("headers", {})
    shown = {"content": {"application/json": {"schema": answer}}, "headers": headers}
    operation = {"operationId": "listPeople", "responses": {200: shown}, "parameters": parameters}
    return {"openapi": "3.1.0", "paths": {"/people": {"get": operation}}, **more}


def read(document: dict[str, Any]) -> Description:
    """The description of one document."""
    return read_openapi(Source("/x/api.json", "api.json", json.dumps(document).encode()))


def drafted(document: dict[str, Any]) -> dict[str, Any]:
    """The drafted system of one document."""
    found = draft(CATALOG, "wild", read(document), origin="api.json")
    return yaml.safe_load(found.files["connectors/systems/wild.yaml"])


def dataset(document: dict[str, Any]) -> dict[str, Any]:
    """The drafted dataset of one document."""
    (only,) = drafted(document)["datasets"].values()
    return only


def names(node: Node | None) -> list[str]:
    """Dotted names of all single values."""
    return [path for path, _ in node.leaves()] if node else []


def test_a_bare_list_is_the_record_list():
    """Most public interfaces answer so; the draft had one field that nobody knows."""
    found = draft(CATALOG, "wild", read(api({"type": "array", "items": RECORD})), origin="x")

    assert ["id", "xm"] == [item.path for item in found.proposals]
    assert ("", "none") == (
        dataset(api({"type": "array", "items": RECORD}))["records"],
        dataset(api({"type": "array", "items": RECORD}))["paging"]["kind"],
    )


def test_references_lead_through_other_files_and_into_lists(tmp_path):
    """Every file is read once, pinned beside the main one, and its own references are followed."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/people.yaml").write_text(
        "Person:\n  allOf:\n    - $ref: '#/Base'\n    - $ref: '../more.json#/list/1'\n"
        "Base: {type: object, properties: {id: {type: string}}}\n",
        encoding="utf-8",
    )
    more = {"list": [{}, {"type": "object", "properties": {"xm": {"type": "string"}}}]}
    (tmp_path / "more.json").write_text(json.dumps(more), encoding="utf-8")
    main = api({"type": "array", "items": {"$ref": "parts/people.yaml#/Person"}})
    (tmp_path / "api.yaml").write_text(yaml.safe_dump(main), encoding="utf-8")

    found = read_openapi(read_source(str(tmp_path / "api.yaml")))

    assert ["id", "xm"] == names(found.operations[0].output)
    assert ["api.yaml", "parts/people.yaml", "more.json"] == list(found.files)
    assert () == found.notes


def test_a_file_never_makes_us_ask_an_address(tmp_path):
    """Whoever wrote the description would choose what we ask."""
    with serving(answers(200, b"{}")) as server:
        main = api({"$ref": f"{server.url}/evil.json#/A"})
        (tmp_path / "api.json").write_text(json.dumps(main), encoding="utf-8")
        found = read_openapi(read_source(str(tmp_path / "api.json")))

        assert [] == server.asked
    assert ["the reference 'evil.json#/A' was not followed; put it into the file"] == list(
        found.notes
    )


def test_files_of_the_same_host_are_followed_and_others_are_not():
    """An address may refer to its neighbours."""
    person = json.dumps({"A": RECORD}).encode()
    with serving(answers(200, person)) as other:
        main = json.dumps(
            {
                **api({"type": "array", "items": {"$ref": "parts.json#/A"}}),
                "x": {"$ref": f"{other.url}/b.json#/A"},
            }
        ).encode()

        def answer(asked):
            return 200, {}, main if asked.path == "/api.json" else person

        with serving(answer) as server:
            found = read_openapi(read_source(f"{server.url}/api.json"))

    assert ["id", "xm"] == names(found.operations[0].output)
    assert ["/api.json", "/parts.json"] == [asked.path for asked in server.asked]
    assert [] == other.asked


def test_a_reference_above_the_main_file_is_pinned_below_it(tmp_path):
    """A pinned name never leads out of its folder."""
    (tmp_path / "api").mkdir()
    (tmp_path / "shared.json").write_text(json.dumps({"A": RECORD}), encoding="utf-8")
    main = api({"type": "array", "items": {"$ref": "../shared.json#/A"}})
    (tmp_path / "api/api.json").write_text(json.dumps(main), encoding="utf-8")

    found = read_openapi(read_source(str(tmp_path / "api/api.json")))

    assert ["api.json", "shared.json"] == list(found.files)
    assert ["id", "xm"] == names(found.operations[0].output)


CYCLES = {
    "itself": {"A": {"type": "object", "properties": {"id": {}, "up": {"$ref": "#/c/A"}}}},
    "by allOf": {"A": {"allOf": [{"$ref": "#/c/A"}, RECORD]}},
    "two": {
        "A": {"type": "object", "properties": {"id": {}, "b": {"$ref": "#/c/B"}}},
        "B": {"type": "object", "properties": {"a": {"type": "array", "items": {"$ref": "#/c/A"}}}},
    },
    "reference": {"A": {"$ref": "#/c/B"}, "B": {"$ref": "#/c/A"}},
    "wide": {
        "A": {
            "type": "object",
            "properties": {f"f{n}": {"$ref": f"#/c/B{n}"} for n in range(9)} | {"id": {}},
        },
        **{
            f"B{n}": {
                "type": "object",
                "properties": {f"g{m}": {"$ref": f"#/c/B{m}"} for m in range(9)},
            }
            for n in range(9)
        },
    },
}


@pytest.mark.parametrize("kind", sorted(CYCLES))
def test_schemas_that_contain_themselves_end(kind):
    """Also where nine of them contain each other, which would be a million fields."""
    found = read({**api({"type": "array", "items": {"$ref": "#/c/A"}}), "c": CYCLES[kind]})

    inside = len(names(found.operations[0].output))
    assert 20_000 >= inside
    assert (kind == "reference") == (inside == 0)


def test_yaml_anchors_are_shared_and_may_lead_in_circles(tmp_path):
    """A loader makes one object of them."""
    text = (
        "paths:\n  /a:\n    get:\n      responses:\n        200:\n          content:\n"
        "            application/json:\n              schema: &s\n                type: object\n"
        "                properties: {id: {type: string}, below: {type: array, items: *s}}\n"
    )
    found = read_openapi(Source("/x/a.yaml", "a.yaml", text.encode()))

    assert ["id"] == names(found.operations[0].output)


def test_needed_headers_and_forms_are_drafted_where_they_travel():
    """They were left out, and the first call was refused without a reason."""
    tenant = {"name": "X-Tenant", "in": "header", "required": True, "schema": {"type": "string"}}
    optional = {"name": "X-Trace", "in": "header", "schema": {"type": "string"}}
    document = api({"type": "array", "items": RECORD}, tenant, optional)
    form = {"type": "object", "required": ["kind"], "properties": {"kind": {"example": "7"}}}
    operation = document["paths"]["/people"].pop("get")
    operation["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
    document["paths"]["/people"]["post"] = operation

    call = dataset(document)["call"]

    assert {"X-Tenant": ""} == call["headers"]
    assert {"kind": "7"} == call["form"]
    assert "POST" == call["method"]


def test_swagger_2_form_data_and_shown_answers_are_read():
    """Its forms are parameters, its examples stand beside the schema."""
    document = {
        "swagger": "2.0",
        "paths": {
            "/q": {
                "post": {
                    "parameters": [{"name": "pageNo", "in": "formData", "type": "integer"}],
                    "responses": {"200": {"examples": {"application/json": {"rows": [{"id": 1}]}}}},
                }
            }
        },
    }
    found = dataset(document)

    assert {"pageNo": "{page}"} == found["call"]["form"]
    assert "rows" == found["records"]


@pytest.mark.parametrize(
    ("schema", "headers", "kind", "next_path"),
    [
        ({"type": "array", "items": RECORD}, {"Link": {}}, "link_header", None),
        (
            {
                "properties": {
                    "value": {"type": "array", "items": RECORD},
                    "@odata.nextLink": {"type": "string"},
                }
            },
            {},
            "next_url",
            "@odata.nextLink",
        ),
        (
            {
                "properties": {
                    "items": {"type": "array", "items": RECORD},
                    "_links": {
                        "properties": {
                            "self": {"properties": {"href": {"type": "string"}}},
                            "next": {"properties": {"href": {"type": "string"}}},
                        }
                    },
                }
            },
            {},
            "next_url",
            "_links.next.href",
        ),
    ],
    ids=["link", "odata", "hal"],
)
def test_links_to_the_next_page_are_drafted(schema, headers, kind, next_path):
    """Otherwise the first page would be all."""
    paging = dataset(api(schema, headers=headers))["paging"]

    assert (kind, next_path) == (paging["kind"], paging.get("next"))


def test_a_total_in_a_header_is_drafted():
    """As the answer is said to carry it."""
    found = dataset(api({"type": "array", "items": RECORD}, headers={"X-Total-Count": {}}))

    assert "header:x-total-count" == found["total"]


def test_variables_of_a_server_are_filled_with_their_defaults():
    """A brace left in the path would be a placeholder of ours."""
    server = {
        "url": "https://{host}/{base}/v2",
        "variables": {"host": {"default": "a.invalid"}, "base": {"default": "api"}},
    }
    found = read(api({"type": "array", "items": RECORD}, servers=[server]))

    assert ("/api/v2", "https://a.invalid") == (found.path, found.base_url)


def test_the_identity_that_is_required_comes_before_others():
    """A description may list schemes that nobody uses."""
    schemes = {
        "old": {"type": "apiKey", "in": "query", "name": "k"},
        "new": {"type": "http", "scheme": "basic"},
    }
    document = api({"type": "array", "items": RECORD}, components={"securitySchemes": schemes})

    assert "api_key" == read(document).auth[0]["kind"]
    assert "basic" == read({**document, "security": [{"new": []}]}).auth[0]["kind"]


WHOLE = {
    **api(
        {"allOf": [{"$ref": "#/c/A"}, {"properties": {"total": {"type": ["integer", "null"]}}}]},
        {"name": "pageNo", "in": "query", "schema": {"type": "integer", "maxLength": 3}},
        headers={"Link": {"schema": {"type": "string"}}},
        servers=[{"url": "https://{h}/a", "variables": {"h": {"default": "b"}}}],
        components={"securitySchemes": {"o": {"type": "oauth2", "flows": {"implicit": {}}}}},
        security=[{"o": []}],
        info={"title": "t"},
    ),
    "c": {
        "A": {
            "type": "object",
            "required": ["rows"],
            "properties": {
                "rows": {"type": "array", "items": {"oneOf": [RECORD, {"type": "null"}]}},
                "state": {"enum": ["0", 1, None], "example": {"a": [1]}},
            },
        }
    },
}
ODD = [None, True, 5, "x", [], {}, [1], {"a": 1}, {"$ref": "#/c"}, {"$ref": "#"}, "http://[x", 1.5]


def spots(node: Any) -> list[tuple[Any, Any]]:
    """Every place in a document."""
    keys = list(node) if isinstance(node, dict) else range(len(node))
    found = [(node, key) for key in keys]
    for key in keys:
        if isinstance(node[key], dict | list):
            found += spots(node[key])
    return found


@given(st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(ODD)), min_size=1, max_size=4))
def test_a_description_that_breaks_its_own_rules_never_breaks_us(changes):
    """It is drafted as far as it can be understood, or refused as ours."""
    document = copy.deepcopy(json.loads(json.dumps(WHOLE)))
    for at, value in changes:
        places = spots(document)
        node, key = places[at % len(places)]
        node[key] = copy.deepcopy(value)
    files: dict[str, bytes] = {}
    with suppress(TongbanError):  # refused by one of our own words
        files = draft(CATALOG, "wild", read(document), origin="x").files

    assert not files or yaml.safe_load(files["connectors/systems/wild.yaml"])["datasets"]


@pytest.mark.parametrize(
    ("schema", "label", "first"),
    [
        ({"type": "integer", "default": 0}, "", 0),
        ({"type": "integer", "default": 1}, "", 1),
        ({"type": "integer"}, "页码（从0开始）", 0),
        ({"type": "integer"}, "zero or more, starts at 0", 0),
        ({"type": "integer"}, "from 10 on", 1),
        ({"type": "integer"}, "", 1),
    ],
)
def test_the_first_page_is_what_the_parameter_says(schema, label, first):
    """Page 1 of a list that begins at 0 leaves rows out."""
    page = {"name": "page", "in": "query", "description": label, "schema": schema}

    assert first == dataset(api({"type": "array", "items": RECORD}, page))["paging"]["first"]
