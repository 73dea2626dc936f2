"""Airflow DAG that writes the daily quality audit report."""

from __future__ import annotations

from pathlib import Path

from tongban.orchestration import build_audit_dag

DAG = build_audit_dag(Path(__file__).resolve().parents[1])
