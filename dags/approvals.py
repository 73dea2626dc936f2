"""Airflow DAG that puts what waits for a person's decision before one."""

from __future__ import annotations

from pathlib import Path

from tongban.orchestration import build_approvals_dag

DAG = build_approvals_dag(Path(__file__).resolve().parents[1])
