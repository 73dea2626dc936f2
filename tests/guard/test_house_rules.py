"""House rules that no linter knows: sizes, docstrings, names, what must not be in the files."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guard.repository import PACKAGES, ROOT, files, python_files, texts, tree_of

MOST_LINES, MOST_LINES_OF_TESTS = 400, 500
VAGUE = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc", "data2", "info"}
# Written in pieces, so that this file does not find itself.
OPEN_WORK = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|HA" + r"CK)\b")
INDEX = re.compile(
    "py" + r"pi\.org|pythonho" + "sted|--(?:extra-)?index" + "-url [^$]|simp" + r"le/?$"
)
MACHINE = re.compile(r"(?<![\w.$}-])/(?:wo" + r"rk|ho" + r"me/[a-z]+|ro" + r"ot|Us" + r"ers)/")
LIBRARY = re.compile(r"\.libr" + r"ary/|/wo" + "rk/shared|tm" + "p/w/")
REQUIREMENT = re.compile(r"^[A-Za-z0-9][\w.\[\]-]*(?:==| @)")
OUTSIDE = re.compile(r"(?:https?:)?//([a-z0-9.-]+\.[a-z]{2,}|[0-9.]+)", re.IGNORECASE)
ALLOWED = re.compile(r"(?:127\.0\.0\.1|localhost|\.invalid|(?:^|\.)w3\.org)$")
TEMPLATES = [
    path
    for path in files()
    if path.suffix in {".html", ".css", ".js", ".svg"}
    and path.relative_to(ROOT).parts[0] in PACKAGES
]
LOCKS = [path for path in files() if path.suffix == ".lock"]
TESTS = [p for p in python_files("tests") if p.name.startswith("test_")]
PYTHON = python_files()


def name_of(path: Path) -> str:
    """A readable test id."""
    return str(path.relative_to(ROOT))


def test_every_python_file_says_what_it_is_for():
    """A module docstring, and a name that means something."""
    assert [] == [name_of(path) for path in PYTHON if not ast.get_docstring(tree_of(path))]
    assert [] == [name_of(path) for path in PYTHON if path.stem in VAGUE]


def test_every_python_file_can_be_read_in_one_sitting():
    """At most 400 lines; tests, which are lists by nature, 500."""
    long = {}
    for path in PYTHON:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > (MOST_LINES_OF_TESTS if path in TESTS else MOST_LINES):
            long[name_of(path)] = lines

    assert {} == long


def test_every_test_says_what_it_is_about():
    """One line at least, below a name that is more than a word."""
    tests = [
        (f"{name_of(path)}::{node.name}", node)
        for path in TESTS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]

    assert [] == [name for name, node in tests if not ast.get_docstring(node)]
    assert [] == [name for name, node in tests if node.name.count("_") < 2]


def test_every_package_is_a_package_with_a_docstring():
    """A folder with modules and no __init__ would be missing from the wheel's imports."""
    folders = {path.parent for path in python_files(*PACKAGES)}

    assert set() == {name_of(f) for f in folders if not (f / "__init__.py").is_file()}


def test_no_file_holds_open_work_or_an_address_of_the_place_where_it_was_written():
    """No open work, package index, machine path or internal library."""
    for kind, pattern in (
        ("open work", OPEN_WORK),
        ("index", INDEX),
        ("machine", MACHINE),
        ("library", LIBRARY),
    ):
        found = [
            f"{name}:{number}"
            for name, text in texts()
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
        assert [] == found, kind


@pytest.mark.parametrize("path", LOCKS, ids=name_of)
def test_every_locked_requirement_has_hashes_and_an_exact_version(path: Path):
    """Whatever index it comes from, it is the same file."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", path.read_text(encoding="utf-8"))
    wanted = [block for block in blocks if REQUIREMENT.match(block)]

    assert wanted
    assert [] == [b.split()[0] for b in wanted if "--hash=sha256:" not in b or "==" not in b]


def test_no_page_asks_for_anything_outside():
    """The pages work in a network without the internet, and tell nobody that they are read."""
    outside = {
        f"{name_of(path)}: {host}"
        for path in TEMPLATES
        for host in OUTSIDE.findall(path.read_text(encoding="utf-8"))
        if not ALLOWED.search(host)
    }

    assert len(TEMPLATES) > 5
    assert set() == outside


def test_the_plugins_folder_holds_one_file_whose_name_nothing_else_has():
    """Airflow imports plugins by stem; a second module of that name would shadow it."""
    (plugin,) = [p for p in files() if p.relative_to(ROOT).parts[0] == "plugins"]

    assert plugin.suffix == ".py"
    assert plugin.stem not in {p.stem for p in PYTHON if p != plugin}
    sys.modules.pop(plugin.stem, None)
    assert importlib.util.find_spec(plugin.stem) is None


def test_import_contracts_hold():
    """The layers of the house, as pyproject.toml states them."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert 0 == answer.returncode, answer.stdout


def test_every_module_of_the_hub_is_in_a_layer():
    """A module that no contract names may import anything."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    layers = text.split("layers = [")[1].split("]")[0]
    entries = {p.stem if p.is_file() else p.name for p in (ROOT / "tongban").iterdir()}
    modules = {f"tongban.{name}" for name in entries if not name.startswith("__")}

    assert set() == modules - set(re.findall(r"tongban\.\w+", layers))


def test_names_that_a_package_offers_are_there():
    """`__all__` never promises what is missing."""
    for path in python_files("tongban", "connectors"):
        if path.name != "__init__.py" or "__all__" not in path.read_text(encoding="utf-8"):
            continue
        module = importlib.import_module(".".join(path.parent.relative_to(ROOT).parts))
        assert [] == [name for name in module.__all__ if not hasattr(module, name)], module.__name__
