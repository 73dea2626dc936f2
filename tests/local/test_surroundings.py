"""The environment and the code stamp that services get."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tongban.kernel.settings import load_settings
from tongban.local.surroundings import code_stamp, service_environment, stamp


def test_foreign_settings_do_not_reach_our_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another Airflow's variables in the shell must not steer ours."""
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_HOME", "/elsewhere")
    monkeypatch.setenv("PYTHONHASHSEED", "1")

    found = service_environment(load_settings({}))

    assert not [name for name in found if name.startswith("AIRFLOW")]
    assert "PYTHONHASHSEED" not in found


def test_local_calls_go_past_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's own processes talk to each other on 127.0.0.1."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", "intranet.invalid")

    found = service_environment(load_settings({}))

    assert "intranet.invalid,127.0.0.1,localhost" == found["NO_PROXY"]


def test_programs_of_the_venv_come_first() -> None:
    """A service finds the tools it was installed with."""
    first = service_environment(load_settings({}))["PATH"].split(os.pathsep)[0]

    assert (Path(first) / "python").exists()


def test_stamp_of_the_code_follows_every_change(tmp_path: Path) -> None:
    """A written, a new and a removed file each give another stamp; a compiled one does not."""
    folder = tmp_path / "tongban"
    folder.mkdir()
    seen = [code_stamp(tmp_path, "tongban")]
    (folder / "a.py").write_text("1")
    seen.append(code_stamp(tmp_path, "tongban"))
    (folder / "a.py").write_text("22")
    seen.append(code_stamp(tmp_path, "tongban"))
    (folder / "a.pyc").write_text("x")

    assert 3 == len(set(seen))
    assert seen[-1] == code_stamp(tmp_path, "tongban")


def test_stamp_changes_with_command_and_variables_only() -> None:
    """The same service, whoever starts it."""
    base = stamp("code", {"a": "1"}, "run")

    assert base == stamp("code", {"a": "1"}, "run")
    assert 4 == len(
        {
            base,
            stamp("code2", {"a": "1"}, "run"),
            stamp("code", {"a": "2"}, "run"),
            stamp("code", {"a": "1"}, "run", "fast"),
        }
    )
