"""The command line: puts the command groups together and turns our errors into one red line.

An error of our tree ends with exit code 1 and `code: message`, wrong usage with 2, Ctrl-C with
130. A traceback is shown only with TONGBAN_DEBUG=1. Nothing here does any work.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback

import typer

from tongban.kernel.errors import TongbanError

# In the order in which --help lists them. A file that an installation does not have is passed over.
GROUPS = (
    "demo",
    "stack",
    "data",
    "delivery",
    "overview",
    "approvals",
    "system",
    "contract",
    "mapping",
    "subject",
    "case",
    "compare",
    "reconcile",
    "quarantine",
    "audit",
    "keys",
    "evidence",
    "testing",
)
INTERRUPTED = 130  # what shells expect: 128 + SIGINT


def build() -> typer.Typer:
    """Put the app together from the groups that are there."""
    app = typer.Typer(
        name="tongban",
        help="Tongban (通办): pull, normalize, validate, protect, store and push shared records.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    for group in GROUPS:
        name = f"tongban.commands.{group}"
        if importlib.util.find_spec(name) is not None:
            app.add_typer(importlib.import_module(name).app)
    app.callback()(_no_options)
    return app


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        build()(prog_name="tongban")
    except TongbanError as exc:
        _end(f"{exc.code}: {exc}", exc)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as exc:  # noqa: BLE001  # a bug of ours; its message may quote a record
        place = traceback.extract_tb(exc.__traceback__)[-1]
        _end(
            f"internal: {type(exc).__name__} at {place.filename}:{place.lineno}; "
            "set TONGBAN_DEBUG=1 to see the traceback",
            exc,
        )


def _no_options() -> None:
    """Tongban (通办): pull, normalize, validate, protect, store and push shared records."""


def _end(line: str, exc: Exception) -> None:
    if os.environ.get("TONGBAN_DEBUG") == "1":
        raise exc
    text = " ".join(line.split())
    red, plain = ("\033[31m", "\033[0m") if sys.stderr.isatty() else ("", "")
    print(f"{red}{text}{plain}", file=sys.stderr)  # noqa: T201
    sys.exit(1)
