"""The wheel: what is built and installed works without the source tree.

An editable install hides files that were forgotten; this one is built from the tree, put into an
empty folder, and run from elsewhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel without a network and without leaving anything in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    (built,) = folder.glob("tongban-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay the wheel out as an installer with a target folder does."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (data,) = folder.glob("tongban-*.data/data")
    (data / "share").rename(folder / "share")
    return folder


def run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the installed packages and our dependencies, but not the source tree."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TONGBAN_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=installed,
        env={**clean, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"},
        check=False,
        capture_output=True,
        text=True,
    )


def names(wheel: Path) -> set[str]:
    """Give the names of all files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("folder", ["tongban", "connectors", "sandbox"])
def test_every_source_file_is_in_the_wheel(wheel: Path, folder: str) -> None:
    """Templates, WSDL files and migrations count as much as modules."""
    there = {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert set() == there - names(wheel)


@pytest.mark.parametrize(
    "folder",
    ["connectors/systems", "connectors/wsdl", "mappings", "contracts", "cases", "dags", "plugins"],
)
def test_declarations_travel_as_data(installed: Path, folder: str) -> None:
    """The YAML that people edit lies outside the packages, with the same names."""
    there = {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    share = installed / "share" / "tongban"
    came = {str(path.relative_to(share)) for path in share.rglob("*") if path.is_file()}

    assert set() == there - came


def test_wheel_holds_no_tests_and_no_local_state(wheel: Path) -> None:
    """Tests, caches and the home folder stay at home."""
    first = {name.split("/")[0] for name in names(wheel)}

    assert set() == first & {"tests", ".tongban", ".venv", "docs", "benchmarks"}


def test_dependencies_are_the_requirements(wheel: Path) -> None:
    """One list, not two."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    wanted = {
        line.split("#")[0].strip().split("=")[0].split("[")[0]
        for line in (ROOT / "requirements.in").read_text().splitlines()
        if line.split("#")[0].strip()
    }
    found = {
        line.removeprefix("Requires-Dist: ").split("=")[0].split("[")[0]
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist: ")
    }

    assert wanted == found


def test_installed_command_line_answers(installed: Path) -> None:
    """`tongban --help` runs from the wheel."""
    answer = run(installed, "-m", "tongban", "--help")

    assert 0 == answer.returncode, answer.stderr
    assert "demo" in answer.stdout


def test_installed_catalog_is_complete(installed: Path) -> None:
    """Systems, mappings, contracts and code tables load from the installed data."""
    code = (
        "from tongban.kernel.catalog import load_catalog\n"
        "from tongban.kernel.settings import load_settings\n"
        "catalog = load_catalog(load_settings().root)\n"
        "print(catalog.root)\n"
        "print(len(catalog.pull_routes), len(catalog.push_routes))\n"
    )

    answer = run(installed, "-c", code)

    assert 0 == answer.returncode, answer.stderr
    place, counts = answer.stdout.splitlines()
    assert str(installed / "share" / "tongban") == place
    assert all(int(count) > 0 for count in counts.split())


def test_installed_sandbox_runs(installed: Path) -> None:
    """The sandbox's own command line is there too."""
    assert 0 == run(installed, "-m", "sandbox", "--help").returncode
