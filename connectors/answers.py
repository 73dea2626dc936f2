"""Answers: walk the declared success layers and give the opened document, or our error.

A department's HTTP status says little: success is what the layers say, from the outside in. The
department's own explanation never enters our messages, since it may quote a value; its code does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from connectors.documents import Document
from connectors.drafts import Answer, Draft
from connectors.errors import AnswerIsWebPage
from connectors.protocols.jsondoc import parse_json
from connectors.protocols.lines import LinesDocument, TableDocument
from connectors.protocols.xmldoc import looks_like_html, parse_xml
from tongban.kernel.errors import (
    AnswerUnreadable,
    AuthenticationRefused,
    DeliveryUnclear,
    RateLimited,
    SystemRefused,
    SystemUnavailable,
    TongbanError,
)
from tongban.kernel.interfaces import (
    Interface,
    Layer,
    Meaning,
)

_SHOWN_CODE = re.compile(r"[^\w.:-]")
CODE_LENGTH = 40
ABSENT = ""  # as a key of `codes`: the answer has no code

# Statuses that a server gives before it looks at the request (RFC 9110): asking again is harmless.
_NOT_PROCESSED = frozenset({408, 421, 425, 429, 503})
_AUTHENTICATION = frozenset({401, 403, 407})


def open_layers(
    root: Document,
    interface: Interface,
    where: str,
    *,
    status: int,
    writes: bool,
    parse_inner: Callable[[bytes, str], Document] = parse_xml,
    is_fresh: bool = False,
) -> Document | None:
    """Check every layer.

    Args:
        root: The answer.
        interface: Its layers.
        where: System and dataset, for messages.
        status: HTTP status.
        writes: Whether the request changes something there.
        parse_inner: Reads XML that travels as text.
        is_fresh: It has just come, so that everything is checked.

    Returns:
        The document that record paths are relative to, or None for a declared "no rows".

    Raises:
        TongbanError: What the code of the layer that failed means.
    """
    document = root
    if isinstance(root, LinesDocument | TableDocument):
        checked = next((layer.check for layer in interface.success if layer.check), None)
        envelope = root.envelope(checked) if checked else None
        if envelope is None:
            return root
        document = envelope
    for layer in interface.success:
        if layer.open is not None:
            document = _opened(document, layer, where, parse_inner, is_fresh=is_fresh)
        if layer.check is None:
            continue
        code = document.text(layer.check)
        if code is None and layer.codes.get(ABSENT) == "empty":
            return None
        if code is None:
            raise AnswerUnreadable(
                f"{where}: the answer has no {layer.check}, which says whether it succeeded; where "
                'that means "no rows", declare `codes: {"": empty}`',
                path=layer.check,
            )
        if code.strip().lower() in {word.lower() for word in layer.equals}:
            continue
        meaning = layer.codes.get(code.strip(), "refused")
        if meaning == "empty":
            return None
        raise refusal(meaning, code, where, status=status, writes=writes, path=layer.check)
    return document


def _opened(
    document: Document,
    layer: Layer,
    where: str,
    parse_inner: Callable[[bytes, str], Document],
    *,
    is_fresh: bool,
) -> Document:
    path = layer.open or ""
    if layer.read_as == "document":
        found = document.part(path)
        if found is None:
            raise AnswerUnreadable(f"{where}: the answer has no {path}", path=path)
        return found
    text = document.text(path)
    if text is None or not text.strip():
        raise AnswerUnreadable(
            f"{where}: the answer's {path} is empty, expected {layer.read_as} text", path=path
        )
    place = f"{where}, inside {path}"
    if layer.read_as == "xml":
        return parse_inner(text.strip().encode(), place)
    found = parse_json(text.strip().encode(), place)
    if is_fresh:
        found.check_names()
    return found


def refusal(
    meaning: Meaning, code: str, where: str, *, status: int, writes: bool, path: str
) -> TongbanError:
    """Make the error for a code of the department's."""
    shown = _SHOWN_CODE.sub("?", code)[:CODE_LENGTH]
    said = f"{where}: {path} is {shown!r}"
    if meaning == "authentication":
        return AuthenticationRefused(
            f"{said}, so our identity was refused; check the connection's secrets and the clock",
            code=shown,
        )
    if meaning == "busy":
        return SystemUnavailable(
            f"{said}, so the system is busy; nothing was written, try again later", code=shown
        )
    if meaning == "rate_limited":
        return RateLimited(f"{said}, so it asks for a pause; nothing was written", code=shown)
    if status >= 500:  # noqa: PLR2004 - HTTP
        return broken_server(f"{said} with HTTP {status}", writes=writes)
    return SystemRefused(
        f"{said}, which the interface note must explain; nothing is retried",
        code=shown,
        status=status,
    )


def broken_server(said: str, *, writes: bool) -> TongbanError:
    """Make the error for a server that failed while it worked on the request."""
    if writes:
        return DeliveryUnclear(f"{said}; it may have taken effect, send again with the same keys")
    return SystemUnavailable(f"{said}; nothing was written, try again later")


def check_status(answer: Answer, interface: Interface, draft: Draft, where: str) -> None:
    """Refuse by HTTP status what must not be read as an answer at all.

    Raises:
        RateLimited, SystemUnavailable, AuthenticationRefused, SystemRefused: By status.
    """
    status = answer.status
    meaning = interface.statuses.get(status)
    if meaning is not None and meaning != "empty":
        raise refusal(
            meaning, str(status), where, status=status, writes=draft.writes, path="HTTP status"
        )
    if status == 429:  # noqa: PLR2004 - HTTP Too Many Requests
        raise RateLimited(
            f"{where}: HTTP 429, the system asks for a pause; nothing was written",
            **_retry_after(answer),
        )
    if status in _NOT_PROCESSED:
        raise SystemUnavailable(
            f"{where}: HTTP {status}; nothing was written, try again later", **_retry_after(answer)
        )
    if status in _AUTHENTICATION:
        raise AuthenticationRefused(
            f"{where}: HTTP {status}, our identity was refused; check the connection's secrets",
            status=status,
        )
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP
        raise SystemRefused(
            f"{where}: HTTP {status}, a redirect; redirects are not followed, correct base_url or "
            "path",
            status=status,
        )


def check_rest(answer: Answer, draft: Draft, where: str) -> None:
    """Refuse what is left when the body is no document of the interface.

    Raises:
        DeliveryUnclear, SystemUnavailable, SystemRefused, AnswerUnreadable: By status and body.
    """
    status = answer.status
    if status >= 500:  # noqa: PLR2004 - HTTP
        raise broken_server(f"{where}: HTTP {status}", writes=draft.writes)
    if status >= 400:  # noqa: PLR2004 - HTTP
        raise SystemRefused(
            f"{where}: HTTP {status}; the interface note must explain it", status=status
        )
    if looks_like_html(answer.body):
        raise AnswerIsWebPage(
            f"{where}: a web page came instead of an answer (maintenance, a proxy, or a wrong "
            "path); look at the kept page"
        )


def _retry_after(answer: Answer) -> dict[str, object]:
    """Read Retry-After in seconds; a date is compared with the server's own clock, not ours."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:  # noqa: PLR2004 - some 30 years
        return {"retry_after_s": float(text)}
    try:
        until = parsedate_to_datetime(text)
        asked = parsedate_to_datetime(answer.headers.get("date", ""))
        return {"retry_after_s": max(0.0, (until - asked).total_seconds())}
    except (ValueError, TypeError):
        return {}
