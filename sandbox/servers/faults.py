"""Faults: an ASGI layer that makes a healthy department behave like a bad day.

Faults are planned through the control address and kept in the state file. They hit only the
department's own addresses, never /_sandbox/. Dropping a connection needs the transport below
ASGI, which uvicorn reaches through the bound `send`. Nothing here answers on its own initiative.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from collections import Counter
from enum import StrEnum
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.intake import Fault, faults, use_fault
from sandbox.servers.office import Department, Office

LONGEST_HANG_UP = 2000  # polls of 1 ms
CONTROL_PREFIX = "/_sandbox/"
MAINTENANCE_PAGE = (
    "<!DOCTYPE html><html><head><meta charset='utf-8'><title>系统维护</title></head>"
    "<body><h1>系统维护中</h1><p>请稍后再试。</p></body></html>"
)


class Kind(StrEnum):
    """What can go wrong."""

    LATENCY = "latency"  # answer after `seconds`
    ERROR_500 = "error500"  # the container's page, the department never saw the call
    RESET_BEFORE = "reset_before"  # connection reset, the department never saw the call
    RESET_AFTER = "reset_after"  # the department did its work, then the connection is reset
    TOO_MANY = "too_many"  # 429, Retry-After `seconds`
    TOKEN_DEATH = "token_death"  # noqa: S105 - a kind of fault; credentials are dead for this call
    MAINTENANCE = "maintenance"  # an HTML page with HTTP 200
    HALF_BODY = "half_body"  # full Content-Length, half of the body, then the end
    ERROR_IN_200 = "error_in_200"  # the protocol's own "busy" with HTTP 200


class FaultLayer:
    """Wrap a department; play planned faults and count calls."""

    def __init__(self, app: ASGIApp, office: Office, department: Department) -> None:
        self._app = app
        self._office = office
        self._department = department
        self._random = random.Random()
        self._first_hit: dict[int, float] = {}
        self.calls: Counter[str] = Counter()
        self.played: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call, perhaps badly."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL_PREFIX):
            await self._app(scope, receive, send)
            return
        body = await _read_body(receive)
        delay, fault = self._due(scope, body)
        if delay:
            await asyncio.sleep(delay)
        try:
            await self._play(fault, scope, body, send)
        finally:
            service = scope.get("sandbox.service")
            label = f"{scope['method']} {scope['path']}"
            self.calls[f"{label} {service}" if service else label] += 1

    def _due(self, scope: Scope, body: bytes) -> tuple[float, Fault | None]:
        """Choose what hits this call: all matching latency, and the oldest other fault."""
        delay, chosen = 0.0, None
        for fault in faults(self._office.connection):
            if not self._hits(fault, scope, body):
                continue
            if fault.kind == Kind.LATENCY:
                delay += fault.seconds if fault.seconds is not None else 1.0
            elif chosen is None:
                chosen = fault
            else:
                continue
            use_fault(self._office.connection, fault.id)
            self.played[fault.kind] += 1
        return delay, chosen

    def _hits(self, fault: Fault, scope: Scope, body: bytes) -> bool:
        if fault.match and not _matches(fault.match, scope, body):
            return False
        if fault.kind not in {Kind.LATENCY, Kind.TOO_MANY} and fault.seconds is not None:
            first = self._first_hit.setdefault(fault.id, time.monotonic())
            if time.monotonic() - first > fault.seconds:
                return False
        return fault.rate is None or self._random.random() < fault.rate

    async def _play(self, fault: Fault | None, scope: Scope, body: bytes, send: Send) -> None:
        receive = _replay(body)
        match fault.kind if fault else None:
            case Kind.RESET_BEFORE:
                await _reset(send)
            case Kind.RESET_AFTER:
                await self._app(scope, receive, _swallow)
                await _reset(send)
            case Kind.HALF_BODY:
                await self._half(scope, receive, send)
            case None | Kind.LATENCY:
                await self._app(scope, receive, send)
            case _:
                request = Request(scope, receive)
                await request.body()
                await self._answer(fault, request)(scope, receive, send)

    def _answer(self, fault: Fault | None, request: Request) -> Response:
        match fault.kind if fault else None:
            case Kind.TOO_MANY:
                seconds = fault.seconds if fault and fault.seconds is not None else 1
                headers = {"retry-after": f"{seconds:.0f}"}
                return PlainTextResponse("请求过于频繁\n", 429, headers)
            case Kind.MAINTENANCE:
                return HTMLResponse(MAINTENANCE_PAGE)
            case Kind.ERROR_IN_200:
                return self._department.busy(request)
            case Kind.TOKEN_DEATH:
                return self._department.unauthorised(request)
        return PlainTextResponse("Internal Server Error\n", 500)

    async def _half(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the true headers and half of the body; returning early makes uvicorn hang up."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:  # noqa: RUF029 - ASGI demands async
            messages.append(message)

        await self._app(scope, receive, keep)
        body = b"".join(message.get("body", b"") for message in messages)
        await send(messages[0])
        await send(
            {
                "type": "http.response.body",
                "body": body[: len(body) // 2],
                "more_body": True,
            }
        )
        _connection(send).transport.close()
        await _gone(send)


async def _read_body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(chunks)


def _replay(body: bytes) -> Receive:
    sent = False

    async def receive() -> Message:  # noqa: RUF029 - ASGI demands async
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _swallow(message: Message) -> None:  # noqa: RUF029 - ASGI demands async
    del message


def _matches(text: str, scope: Scope, body: bytes) -> bool:
    target = scope["path"] + "?" + scope["query_string"].decode("latin-1")
    return text in target or text.encode() in body


async def _reset(send: Send) -> None:
    """Reset the connection: the peer sees ECONNRESET, not an orderly end."""
    transport = _connection(send).transport
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _gone(send)


async def _gone(send: Send) -> None:
    """Wait until uvicorn knows that the connection is over, or it would log it as our bug."""
    for _ in range(LONGEST_HANG_UP):
        if _connection(send).disconnected:
            return
        await asyncio.sleep(0.001)


def _connection(send: Send) -> Any:
    """Return uvicorn's request cycle behind `send`; it owns the transport."""
    cycle = getattr(send, "__self__", None)
    if cycle is None:
        raise RuntimeError("faults need uvicorn's own send; put FaultLayer outermost")
    return cycle
