"""JSON answers and bodies that the three JSON departments share.

Stored documents go out as the text they are stored as, so a page costs no parsing. Request
bodies are read strictly: UTF-8, one object. Nothing here knows an envelope.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.servers.refusals import Reason, Refusal

CONTENT_TYPE = "application/json; charset=utf-8"
LARGEST_BODY = 20_000_000  # bytes
ROWS = "@@rows@@"  # place of ready documents in a value to dump


def dump(value: object) -> str:
    """Write JSON without blanks, Chinese as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a JSON value."""
    return Response(dump(value).encode(), status, {"content-type": CONTENT_TYPE, **(headers or {})})


def dump_with_rows(value: object, rows: Iterable[str]) -> str:
    """Write JSON in which the text `ROWS` stands for a list of ready documents."""
    head, _, tail = dump(value).partition(f'"{ROWS}"')
    return f"{head}[{','.join(rows)}]{tail}"


def answer_with_rows(
    value: object, rows: Iterable[str], headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a JSON value whose `ROWS` place holds ready documents."""
    text = dump_with_rows(value, rows)
    return Response(text.encode(), 200, {"content-type": CONTENT_TYPE, **(headers or {})})


async def read_object(request: Request) -> dict[str, Any]:
    """Read the request body as one JSON object.

    Raises:
        Refusal: Another media type, too big, not UTF-8, not an object.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refusal(Reason.MALFORMED, "expected content type application/json")
    body = await request.body()
    if len(body) > LARGEST_BODY:
        raise Refusal(Reason.MALFORMED, "the request is too big")
    return parse_object(body, "the body")


def parse_object(text: bytes | str, what: str) -> dict[str, Any]:
    """Read text as one JSON object.

    Raises:
        Refusal: Not strict UTF-8 JSON, or another kind of value.
    """
    try:
        value = json.loads(text, parse_constant=_no_constant)
        dump(value).encode()  # refuses half of a surrogate pair, which no file can store
    except (ValueError, RecursionError) as exc:
        raise Refusal(Reason.MALFORMED, f"{what} is not JSON") from exc
    if not isinstance(value, dict):
        raise Refusal(Reason.MALFORMED, f"{what} is not a JSON object")
    return value


def _no_constant(name: str) -> None:
    """Refuse NaN and the infinities: Python reads them, JSON has none.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f"{name} is not JSON")


def read_rows(body: Mapping[str, Any], name: str) -> Sequence[dict[str, Any]]:
    """Return the list of row objects under `name`.

    Raises:
        Refusal: Absent, or not a list of objects.
    """
    rows = body.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refusal(Reason.MALFORMED, f"{name} must be a list of objects")
    return rows


def require_text(body: Mapping[str, Any], name: str) -> str:
    """Return a text field that a body must have.

    Raises:
        Refusal: Absent, empty or another kind of value.
    """
    value = text_field(body, name)
    if not value:
        raise Refusal(Reason.MALFORMED, f"{name} is required")
    return value


def text_field(row: Mapping[str, Any], name: str) -> str:
    """Return a text field of a row; anything else counts as absent."""
    value = row.get(name)
    return value if isinstance(value, str) else ""


def without(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Copy a row without the transport's own fields."""
    return {key: value for key, value in row.items() if key not in names}
