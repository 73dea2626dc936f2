"""Airflow DAG that compares daily, for each target, what was delivered with what it lists."""

from __future__ import annotations

from pathlib import Path

from tongban.orchestration import build_reconcile_dag

DAG = build_reconcile_dag(Path(__file__).resolve().parents[1])
