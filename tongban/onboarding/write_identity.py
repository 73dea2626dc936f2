"""Write the draft's `auth`: as described, as account fields in the call, or as a signature to fill.

Many services ask for a plain account and password beside what they are asked; their descriptions
say it only by the names of fields. Nothing here holds a secret: templates name connection fields.
"""

from __future__ import annotations

import re
from typing import Any

from tongban.onboarding.described import Description, Operation
from tongban.onboarding.roles import input_leaves
from tongban.onboarding.yamltext import flow, line, nested

SIGNATURE_WORDS = frozenset(
    {"appid", "appkey", "sign", "signature", "nonce", "timestamp", "appsecret"}
)
LOGIN_WORDS = frozenset(
    {"account", "login", "loginname", "loginid", "user", "username", "userid", "usercode", "uid"}
)
PASSWORD_WORDS = frozenset(
    {"password", "passwd", "pwd", "pass", "userpwd", "userpass", "userpassword", "loginpwd"}
)
_LETTERS = re.compile(r"[^a-z0-9]")


def account_fields(operation: Operation) -> dict[str, str]:
    """Path of every input that is a plain account or password → template of our identity.

    A user name alone may be a filter: it counts only beside a password, once.
    """
    by_parent: dict[str, dict[str, str]] = {}
    for path, _ in input_leaves(operation):
        parent = path.rpartition(".")[0]
        word = _word(path)
        if word in PASSWORD_WORDS:
            by_parent.setdefault(parent, {}).setdefault("{secret:password}", path)
        elif word in LOGIN_WORDS:
            by_parent.setdefault(parent, {}).setdefault("{login}", path)
    for found in by_parent.values():
        if len(found) == 2:  # noqa: PLR2004 - an account and its password
            return {path: template for template, path in sorted(found.items())}
    return {}


def is_signature(path: str) -> bool:
    """Whether an input's name is one of those with which calls are signed."""
    return _word(path) in SIGNATURE_WORDS


def identity_lines(description: Description, operation: Operation, to_fill: list[str]) -> list[str]:
    """The lines of `auth`, and what a person has to say about it."""
    lines = [line(4, f"auth: {flow(dict(item))}", "as described") for item in description.auth]
    account = account_fields(operation)
    suspects = [path for path, _ in input_leaves(operation) if is_signature(path)]
    if account and not description.auth:
        place = operation.place if operation.place in {"query", "form"} else "message"
        values: dict[str, Any] = nested(account) if place == "message" else dict(account)
        auth = {"kind": "fields", "in": place, "values": values}
        lines.append(line(4, f"auth: {flow(auth)}", "check: our account there?"))
        names = ", ".join(account)
        to_fill.append(f"interfaces.api.auth: {names} are login and password of the connection?")
    if suspects:
        names = ", ".join(suspects)
        lines.append(line(4, "", f"fill: {names} look like identity; declare a signature, e.g."))
        example = "{kind: signed, algorithm: sm3, text: ..., send: {in: message, values: {...}}}"
        lines.append(line(4, "", f"  auth: {example}"))
        to_fill.append(f"interfaces.api.auth: how {names} are made")
    if not lines:
        lines.append(line(4, "auth: {kind: none}", "check: the description names no identity"))
    return lines


def _word(path: str) -> str:
    return _LETTERS.sub("", path.rpartition(".")[2].lower())
