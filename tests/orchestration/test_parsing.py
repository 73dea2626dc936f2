"""Parsing the DAG folder: cheap, and without the libraries that tasks need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
HEAVY = ("great_expectations", "zeep", "pandas", "polars", "requests", "tongban.pipeline")
PROBE = """
import json, runpy, sys, time
import airflow.sdk, airflow.sdk.definitions.deadline, airflow.sdk.exceptions
before = set(sys.modules)
started = time.process_time()
found = []
for path in sys.argv[1:]:
    for value in runpy.run_path(path).values():
        dags = value if isinstance(value, list) else [value]
        found += [dag.dag_id for dag in dags if hasattr(dag, "dag_id")]
seconds = time.process_time() - started
print(json.dumps({"seconds": seconds, "dags": found, "new": sorted(set(sys.modules) - before)}))
"""


@pytest.fixture(scope="module")
def parsed() -> dict[str, Any]:
    """Parse the repository's own DAG folder in a process of its own."""
    files = sorted(str(path) for path in (REPOSITORY / "dags").glob("*.py"))
    answer = subprocess.run(
        [sys.executable, "-c", PROBE, *files],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    document: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return document


def test_the_whole_folder_parses_in_less_than_a_second(parsed: dict[str, Any]):
    """Beyond Airflow's own import; the scheduler parses it again and again."""
    assert parsed["seconds"] < 1.0


@pytest.mark.parametrize("library", HEAVY)
def test_no_heavy_library_is_loaded_by_a_dag_file(parsed: dict[str, Any], library: str):
    """Seconds and hundreds of megabytes belong into tasks."""
    assert library not in parsed["new"]


def test_the_hubs_own_dags_are_there(parsed: dict[str, Any]):
    """They need no system in the catalog."""
    assert {"cases", "audit", "maintenance"} <= set(parsed["dags"])


@pytest.mark.parametrize("path", sorted((REPOSITORY / "dags").glob("*.py")), ids=lambda p: p.name)
def test_airflow_finds_every_dag_file(path: Path):
    """A file without the words airflow and dag is skipped silently."""
    text = path.read_text(encoding="utf-8").lower()

    assert "airflow" in text
    assert "dag" in text
    assert len(text.splitlines()) < 15


def test_a_task_of_one_dag_builds_only_that_dag(root: Path):
    """Each task starts by reading its file; it pays for one route only."""
    from tongban.orchestration import build_pull_dags

    before = os.environ.get("_AIRFLOW_PARSING_CONTEXT_DAG_ID")
    os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = "pull_house_unit"
    try:
        built = [dag.dag_id for dag in build_pull_dags(root)]
    finally:
        os.environ.pop("_AIRFLOW_PARSING_CONTEXT_DAG_ID")
        if before is not None:
            os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = before

    assert ["pull_house_unit"] == built
