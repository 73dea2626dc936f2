"""Render: one page from one template, in the reader's language, nothing from elsewhere.

Autoescape is on for every template. Style, script and icon stand inside the page; the policy
header forbids everything else, so even a mistake could not ask another host.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from tongban.console import labels
from tongban.console.texts import Language, text_of

FOLDER = Path(__file__).parent / "templates"
COOKIE = "tongban_lang"
COOKIE_AGE_S = 365 * 24 * 3600
MENU = ("home", "transfers", "quarantine", "outbox", "datasets")
LOGIN_PATH = "/auth/login"


@cache
def _asset(name: str) -> str:
    """The text of a style or script that stands inside every page."""
    return (FOLDER / name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    """The policy's name for one inline block."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def policy() -> str:
    """Content-Security-Policy: our own style and script, our own forms, our own frame."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash(_asset('style.css'))}",
            f"script-src {_hash(_asset('theme.js'))}",
            "img-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'self'",
            "base-uri 'none'",
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=labels.number,
        breakable=labels.breakable,
        moment=labels.moment,
        short_moment=labels.short_moment,
    )
    environment.globals.update(style=_asset("style.css"), theme=_asset("theme.js"), menu=MENU)
    return environment


def language_of(request: Request) -> Language:
    """The address's `lang`, else the cookie, else Chinese."""
    asked = request.query_params.get("lang") or request.cookies.get(COOKIE)
    return "en" if asked == "en" else "zh"


def base_of(request: Request) -> str:
    """Where the console is mounted, without a trailing slash."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def address(base: str, path: str, /, **query: Any) -> str:
    """A link inside the console; empty parts of the query are left out."""
    kept = {name: value for name, value in query.items() if value not in {None, ""}}
    return f"{base}/{path.lstrip('/')}" + (f"?{urlencode(kept)}" if kept else "")


def page(
    request: Request,
    template: str,
    context: Mapping[str, Any],
    *,
    user: str = "",
    status: int = 200,
) -> HTMLResponse:
    """One page, with the headers that keep it private and alone."""
    language = language_of(request)
    base = base_of(request)
    query = {k: v for k, v in request.query_params.items() if k != "lang"}
    own_path = request.url.path.removeprefix(base) or "/"

    def t(key: str) -> str:
        return text_of(key, language)

    def link(path: str, /, **parts: Any) -> str:
        return address(base, path, **parts)

    other = "en" if language == "zh" else "zh"
    html = (
        _environment()
        .get_template(template)
        .render(
            {
                "t": t,
                "link": link,
                "lang": language,
                "user": user,
                "login_link": base.rpartition("/")[0] + LOGIN_PATH,
                "other_language_link": address(base, own_path, **query, lang=other),
                "other_language": other,
                "span": lambda ms: labels.duration(ms, language),
                **context,
            }
        )
    )
    response = HTMLResponse(html, status_code=status)
    if request.query_params.get("lang") in {"zh", "en"}:
        response.set_cookie(
            COOKIE, language, max_age=COOKIE_AGE_S, path=base or "/", samesite="lax", httponly=True
        )
    return response


def private(headers: Any) -> None:
    """Headers of every answer of the console."""
    headers["Content-Security-Policy"] = policy()
    headers["Cache-Control"] = "no-store"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
