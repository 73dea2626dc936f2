"""Settings: defaults below the project, each movable by one variable."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from tongban.kernel.errors import ConfigInvalid
from tongban.kernel.settings import load_settings


@pytest.mark.parametrize("folder", ["plain", "with a blank", "平凉", "100%25 #1?"])
def test_pages_land_below_the_home_whatever_its_name(tmp_path: Path, folder: str) -> None:
    """A blank in the path once made a folder named `%20` elsewhere."""
    home = tmp_path / folder
    settings = load_settings({"TONGBAN_HOME": str(home)})

    files, path = fsspec.core.url_to_fs(settings.landing_url)
    files.makedirs(path)

    assert (home / "landing").is_dir()


def test_relative_home_is_made_absolute_for_the_landing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow's processes run in another folder than we."""
    monkeypatch.chdir(tmp_path)

    settings = load_settings({"TONGBAN_HOME": "here"})

    assert f"file://{tmp_path}/here/landing" == settings.landing_url


def test_one_base_moves_all_ports() -> None:
    """Two stacks on one machine need one different number."""
    settings = load_settings({"TONGBAN_PORT_BASE": "20000"})

    assert (19980, 19932) == (settings.airflow_port, settings.postgres_port)


def test_without_variables_everything_lies_in_the_source_tree() -> None:
    """A fresh clone needs no setting."""
    settings = load_settings({})

    assert (settings.root / "contracts").is_dir()
    assert settings.root / ".tongban" == settings.home
    assert settings.database_url is None


@pytest.mark.parametrize("text", ["x", "80", "65001", "-1", "18100.5"])
def test_a_port_base_that_cannot_be_one_is_refused(text: str):
    """The message says what is expected."""
    with pytest.raises(ConfigInvalid, match="TONGBAN_PORT_BASE: expected a number from 1100"):
        load_settings({"TONGBAN_PORT_BASE": text})
