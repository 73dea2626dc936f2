"""Airflow DAG that compares the buyers of a contract with civil affairs, for the deed tax."""

from __future__ import annotations

from pathlib import Path

from tongban.orchestration import build_compare_dags

DAGS = build_compare_dags(Path(__file__).resolve().parents[1])
