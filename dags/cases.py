"""Airflow DAG that advances the cases (one number) as their facts arrive."""

from __future__ import annotations

from pathlib import Path

from tongban.orchestration import build_cases_dag

DAG = build_cases_dag(Path(__file__).resolve().parents[1])
