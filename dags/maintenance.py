"""Airflow DAG that keeps the hub tidy: parked rows, old landings, replays."""

from __future__ import annotations

from pathlib import Path

from tongban.orchestration import build_maintenance_dag

DAG = build_maintenance_dag(Path(__file__).resolve().parents[1])
