"""Deadlines: what the triggerer does when a run is late."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest
from airflow.sdk.module_loading import import_string

from tongban.orchestration import deadlines

CONTEXT = {
    "dag_run": {"dag_id": "pull_taxpayer", "dag_run_id": "manual__1", "conf": {"note": "张三"}},
    "deadline": {"id": "x"},
}


def test_the_callback_is_found_by_its_path_and_names_the_late_run(caplog: pytest.LogCaptureFixture):
    """The triggerer knows nothing of DAG files, only of installed packages."""
    callback = import_string(deadlines.alert(timedelta(hours=2)).callback.path)

    with caplog.at_level(logging.WARNING):
        asyncio.run(callback(context=CONTEXT))

    assert "DAG pull_taxpayer, run manual__1" in caplog.text
    assert "张三" not in caplog.text


def test_a_callback_without_a_context_still_says_that_something_is_late(
    caplog: pytest.LogCaptureFixture,
):
    """Airflow's context is marked as provisional."""
    with caplog.at_level(logging.WARNING):
        asyncio.run(deadlines.missed())

    assert "deadline missed" in caplog.text


def test_an_alert_is_named_after_its_limit():
    """The name is what the interface shows."""
    assert "ends within 120 min" == deadlines.alert(timedelta(hours=2)).name
