"""cli.md: every command of `tongban`, with every argument and option."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from itertools import starmap
from pathlib import Path
from typing import Any

import typer.main

from docs.pages.markdown import code, page, table
from tongban.cli import build

INTRO = """`bin/tongban COMMAND`. Exit codes: 0 done, 1 an error of ours or a judgement that does not hold,
2 wrong usage, 130 interrupted. Errors are one line, `code: message` (see [errors](errors.md));
`TONGBAN_DEBUG=1` shows the traceback. `--json` prints one document on standard output and nothing else.

The synthetic departments have a command line of their own: `.venv/bin/python -m sandbox --help`."""


def render(root: Path) -> str:  # noqa: ARG001 - every page has the same signature
    """Write the page."""
    return page("Commands", INTRO, *starmap(_section, commands().items()))


def commands() -> dict[str, Any]:
    """Give every command by name, in the order of `--help`; one of a group as `group command`."""
    return dict(_flat(typing.cast("Any", typer.main.get_command(build())), ""))


def _flat(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            inner = dict(_flat(command, f"{prefix}{name} "))
            default = inner.pop(f"{prefix}{name} {getattr(command, 'default', '')}", None)
            yield from [(f"{prefix}{name}", default)] if default else []  # `case NUMBER`
            yield from inner.items()
        else:
            yield f"{prefix}{name}", command


def _section(name: str, command: Any) -> str:
    parts = [
        f"## {name}",
        f"```\n{usage(name, command)}\n```",
        inspect.cleandoc(command.help or ""),
    ]
    rows = [(_names(item), _kind(item), _default(item), item.help) for item in command.params]
    if rows:
        parts.append(table(("option", "value", "default", "meaning"), rows))
    return "\n\n".join(parts)


def usage(name: str, command: Any) -> str:
    """Write a command's usage line."""
    words = ["bin/tongban", name]
    for item in command.params:
        if is_argument(item):
            word = item.name.upper() + ("..." if item.nargs == -1 else "")
            words.append(word if item.required else f"[{word}]")
        elif item.required:
            words.append(f"{item.opts[0]} {item.name.upper()}")
    return " ".join([*words, "[OPTIONS]"])


def is_argument(item: Any) -> bool:
    """Tell arguments from options."""
    return not item.opts[0].startswith("-")


def _names(item: Any) -> str:
    if is_argument(item):
        return code(item.name.upper())
    return ", ".join(code(name) for name in [*item.opts, *item.secondary_opts])


def _kind(item: Any) -> str:
    if getattr(item, "is_flag", False):
        return "flag"
    kind = item.type_descriptor.annotation
    inner = typing.get_args(kind)
    names = {"int": "number", "Path": "file"}
    name = names.get((inner[0] if inner else kind).__name__, "text")
    least = f", {item.min} or more" if item.min is not None else ""
    return name + least + (", may be repeated" if item.multiple or item.nargs == -1 else "")


def _default(item: Any) -> str:
    if item.required:
        return "required"
    if getattr(item, "is_flag", False):
        return "on" if item.default else "off"
    return "" if item.default is None else code(item.default)
