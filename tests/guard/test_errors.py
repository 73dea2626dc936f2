"""The error tree: codes are unique and explained, errors survive a process border."""

from __future__ import annotations

import importlib
import pickle  # noqa: S403 - our own bytes
import pkgutil
from collections import Counter

import pytest

from docs.pages.errors import error_classes
from tests.guard.repository import ROOT
from tongban.kernel.errors import Fatal, RetryLater, TongbanError

SOURCES = error_classes(ROOT)
PAGE = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
ONLY_INSIDE = ("tongban.__main__", "tongban.orchestration", "tongban.store.migrations.env")


def class_of(name: str) -> type[TongbanError]:
    """Import a class that was found in the source."""
    found = getattr(importlib.import_module(SOURCES[name].module), name)
    assert issubclass(found, TongbanError)
    return found


def test_every_class_has_a_code_of_its_own():
    """Callers, pages and Airflow tell situations apart by it."""
    codes = Counter(item.code for item in SOURCES.values())

    assert {} == {code: n for code, n in codes.items() if n > 1 or not code}


@pytest.mark.parametrize("name", SOURCES)
def test_every_code_is_explained_in_the_reference(name: str):
    """Code, and the docstring's first sentence beside it."""
    item = SOURCES[name]

    assert f"`{item.code}`" in PAGE
    assert item.meaning.replace("|", r"\|") in PAGE


@pytest.mark.parametrize("name", SOURCES)
def test_every_error_pickles_with_its_context(name: str):
    """Errors cross Airflow's process border."""
    error = class_of(name)("tax: something happened; do this", retry_after_s=3, rows=7)

    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert type(error) is type(again)
    assert str(error) == str(again)
    assert {"retry_after_s": 3, "rows": 7} == again.context


@pytest.mark.parametrize("name", SOURCES)
def test_code_begins_with_its_branch(name: str):
    """`retry.` and `fatal.` say at a glance what to do."""
    kind = class_of(name)

    assert issubclass(kind, RetryLater) == kind.code.startswith("retry")
    assert issubclass(kind, Fatal) == kind.code.startswith("fatal")


def test_no_class_hides_from_the_source_reader():
    """Whatever is imported and descends from the tree is in the list, too."""
    for package in ("tongban", "connectors"):
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if not module.name.startswith(ONLY_INSIDE):
                importlib.import_module(module.name)

    def below(kind: type[TongbanError]) -> set[str]:
        return {kind.__name__}.union(*map(below, kind.__subclasses__()))

    assert set() == below(TongbanError) - set(SOURCES)


def test_the_tree_in_the_docstring_names_every_class_of_its_module():
    """The drawing is the first thing that a reader sees."""
    module = importlib.import_module("tongban.kernel.errors")
    own = {n for n, item in SOURCES.items() if item.module == module.__name__}

    assert module.__doc__ is not None
    assert set() == {name for name in own if name not in module.__doc__}
