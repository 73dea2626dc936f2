"""The documentation says what the code does: pages, commands, links."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from docs import generate
from docs.pages.cli import commands
from tests.guard.repository import ROOT, files
from tongban.kernel.catalog import load_catalog

PAGES = [p for p in files() if p.suffix == ".md"]
FENCE = re.compile(r"^```(?:bash|sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(bin/tongban [^`]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
COMMANDS = commands()
NEEDED = (
    "README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "publiccode.yml",
    "docs/tutorial/first-transfer.md", "docs/how-to/add-a-department.md",
    "docs/how-to/run-on-your-postgresql.md", "docs/how-to/read-the-quarantine.md",
    "docs/how-to/operate-airflow.md", "docs/how-to/change-a-contract.md",
    "docs/reference/glossary.md",
    "docs/explanation/record-path.md", "docs/explanation/security.md",
    "docs/explanation/counts-that-balance.md", "docs/explanation/drift.md",
)  # fmt: skip


def calls(text: str) -> list[list[str]]:
    """Give every call of `bin/tongban` in a page, as words."""
    found = [line for block in FENCE.findall(text) for line in block.splitlines()]
    found += INLINE.findall(text)
    words = [shlex.split(line, comments=True) for line in found if "bin/tongban" in line]
    return [part[part.index("bin/tongban") + 1 :] for part in words if "bin/tongban" in part]


def options_of(command: str) -> set[str]:
    """Give every spelling of every option of a command."""
    known = {"--help"}
    for item in COMMANDS[command].params:
        known |= {*item.opts, *item.secondary_opts}
    return known


@pytest.mark.parametrize("name", generate.PAGES)
def test_reference_page_is_what_the_code_says(name: str):
    """`python -m docs.generate` writes them again."""
    written = (generate.REFERENCE / name).read_text(encoding="utf-8")

    assert generate.PAGES[name](ROOT) == written


def test_the_check_finds_an_outdated_page(tmp_path: Path):
    """All of them are, in an empty folder; none is, once they are written."""
    assert list(generate.PAGES) == generate.outdated(tmp_path)

    generate.write(tmp_path)

    assert [] == generate.outdated(tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_documented(command: str):
    """Each with a sentence of its own."""
    page = (generate.REFERENCE / "cli.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {command}\n")[1].split("\n## ")[0]

    assert COMMANDS[command].help
    for item in COMMANDS[command].params:
        assert item.opts[0].strip("-").upper() in section.upper(), item.name


@pytest.mark.parametrize("name", NEEDED)
def test_page_is_there_and_says_something(name: str):
    """An empty page is worse than none."""
    assert 4 < len((ROOT / name).read_text(encoding="utf-8").splitlines())


def test_every_relative_link_leads_somewhere():
    """Links to files of the repository; addresses outside are not ours to keep."""
    missing = {
        f"{path.relative_to(ROOT)}: {target}"
        for path in PAGES
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if ":" not in target and not (path.parent / target).exists()
    }

    assert set() == missing


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_in_a_page_exists_with_its_options(path: Path):
    """A page that cannot be followed is worse than none."""
    for words in calls(path.read_text(encoding="utf-8")):
        if words[0].isupper() or words[0].startswith("-"):  # COMMAND, --help
            continue
        name = next((n for n in (" ".join(words[:2]), words[0]) if n in COMMANDS), None)
        assert name, words
        own = words[: words.index("--")] if "--" in words else words
        options = {word.split("=")[0] for word in own if word.startswith("--")}
        assert set() == options - options_of(name), words


def test_every_dataset_and_system_is_in_the_reference():
    """Twenty datasets, six systems."""
    catalog = load_catalog(ROOT)
    datasets = (generate.REFERENCE / "datasets.md").read_text(encoding="utf-8")
    systems = (generate.REFERENCE / "systems.md").read_text(encoding="utf-8")

    assert set() == {name for name in catalog.datasets if f"\n## {name}\n" not in datasets}
    assert set() == {name for name in catalog.systems if f"\n## {name}\n" not in systems}


def test_the_reading_order_of_the_readme_exists():
    """README → pipeline → one system → one mapping → one contract → one protocol."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    order = re.findall(r"`([a-z_]+/[a-z_/0-9]+\.(?:py|yaml))`", text)

    assert len(order) >= 5
    assert [] == [name for name in order if not (ROOT / name).exists()]


def test_both_readmes_show_the_same_commands_and_images():
    """Neither language falls behind."""
    english, chinese = (
        (ROOT / n).read_text(encoding="utf-8") for n in ("README.md", "README.zh-CN.md")
    )

    assert calls(english) == calls(chinese)
    assert re.findall(r"!\[[^]]*\]\(([^)]+)\)", english) == re.findall(
        r"!\[[^]]*\]\(([^)]+)\)", chinese
    )
