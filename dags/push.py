"""Airflow DAGs that push each dataset to each subscriber, started by the dataset's Asset."""

from __future__ import annotations

from pathlib import Path

from tongban.orchestration import build_push_dags

DAGS = build_push_dags(Path(__file__).resolve().parents[1])
