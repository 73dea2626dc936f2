"""Airflow DAGs that pull each declared dataset from its department, one per dataset."""

from __future__ import annotations

from pathlib import Path

from tongban.orchestration import build_pull_dags

DAGS = build_pull_dags(Path(__file__).resolve().parents[1])
