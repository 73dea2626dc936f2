"""Commands test and bench: everything that judges this code base."""

from __future__ import annotations

import importlib
import subprocess  # noqa: S404 - it runs the linters and pytest
import sys
import time
from typing import Annotated

import typer

from tongban.kernel.settings import load_settings

app = typer.Typer()

CODE = (
    "tongban",
    "connectors",
    "sandbox",
    "dags",
    "plugins",
    "benchmarks",
    "chaos",
    "tests",
    "docker",
    "docs",
)
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(name="test", context_settings=PASS_THROUGH)
def run_tests(
    context: typer.Context,
    style: Annotated[bool, typer.Option(help="Also ruff, mypy and import-linter.")] = True,  # noqa: FBT002
) -> None:
    """Run style checks and all tests; options after `--` go to pytest, e.g. `test -- -k money`."""
    root = load_settings().root
    folders = [name for name in CODE if (root / name).is_dir()]
    checks = [
        ("ruff check", ["-m", "ruff", "check", "--quiet", *folders]),
        ("ruff format", ["-m", "ruff", "format", "--quiet", "--check", *folders]),
        ("mypy", ["-m", "mypy", "--no-error-summary"]),
        ("import-linter", ["-c", LINT_IMPORTS]),
    ]
    failed = []
    for name, arguments in checks if style else []:
        started = time.monotonic()
        code = _run_python(arguments)
        typer.echo(f"{name}: {'failed' if code else 'ok'}, {time.monotonic() - started:.0f} s")
        failed += [name] if code else []
    if failed:
        typer.echo(f"style failed: {', '.join(failed)}; the tests run all the same", err=True)
    code = _run_python(["-m", "pytest", *context.args])  # last, its summary is the last line
    raise typer.Exit(code or int(bool(failed)))


@app.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Benchmarks; all when none.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002
) -> None:
    """Run benchmarks: name, value, unit, goal, and whether the goal holds."""
    sys.path.insert(0, str(load_settings().root))
    benchmarks = importlib.import_module("benchmarks.__main__")
    raise typer.Exit(int(benchmarks.main(names or [], json_output=as_json)))


@app.command()
def chaos(
    *,
    short: Annotated[bool, typer.Option("--short", help="Four boundaries, once each.")] = False,
    runs: Annotated[int, typer.Option(help="Runs at each boundary of the full form.")] = 40,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Kill workers and PostgreSQL at commits and calls; 1 if anything is lost or doubled."""
    sys.path.insert(0, str(load_settings().root))
    suite = importlib.import_module("chaos.__main__")
    raise typer.Exit(int(suite.main(short=short, runs=runs, json_output=as_json)))


def _run_python(arguments: list[str]) -> int:
    """Run this Python in the project's root and give its exit code."""
    command = [sys.executable, *arguments]  # our own words, or the user's for pytest
    return subprocess.run(command, cwd=load_settings().root, check=False).returncode  # noqa: S603
