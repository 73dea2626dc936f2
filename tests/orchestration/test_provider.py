"""Airflow knows our connection types once the wheel is installed, with forms that hide secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tongban.orchestration.provider import TYPES, provider_info

ROOT = Path(__file__).parents[2]
ENTRY = "tongban.orchestration.provider:provider_info"
ASK = """
import json
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
forms = {m.connection_type: m.model_dump() for m in HookMetaService.hook_meta_data()}
from airflow.providers_manager import ProvidersManager
hooks = {n: ProvidersManager().hooks[n].hook_class_name for n in forms if n.startswith("tongban")}
print(json.dumps({"forms": {n: forms[n] for n in hooks}, "hooks": hooks}, default=str))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a process of Airflow says, in which our package is installed."""
    site = tmp_path_factory.mktemp("site")
    info = site / "tongban-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.3\nName: tongban\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[apache_airflow_provider]\nprovider_info = {ENTRY}\n")
    answer = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "PYTHONPATH": f"{site}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout.splitlines()[-1])


def test_the_wheel_declares_the_entry_point():
    """Airflow finds providers by it alone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert {"provider_info": ENTRY} == project["entry-points"]["apache_airflow_provider"]


@pytest.mark.airflow
def test_both_protocols_are_connection_types_with_a_form(seen):
    """Their hooks can be imported, too."""
    assert {name: f"tongban.orchestration.hooks.{hook}" for name, hook in TYPES.items()} == seen[
        "hooks"
    ]
    assert "Base URL" == seen["forms"]["tongban_soap"]["standard_fields"]["host"]["title"]


@pytest.mark.airflow
@pytest.mark.parametrize("field", ["field_key", "token"])
def test_secrets_have_password_fields(seen, field):
    """Other fields are plain paths."""
    form = seen["forms"]["tongban_rest"]["extra_fields"]

    assert "password" == form[field]["schema"]["format"]
    assert "format" not in form["ca_file"]["schema"]


def test_every_field_of_the_form_is_read_by_a_connector():
    """A field that nothing reads would promise what does not happen."""
    fields = provider_info()["connection-types"][0]["conn-fields"]
    sources = [*(ROOT / "connectors").rglob("*.py"), ROOT / "tongban/kernel/systems.py"]
    code = "".join(path.read_text(encoding="utf-8") for path in sources)
    named_in_yaml = {"token", "private_key_file"}  # by `secret:` and `key:`, as the system needs

    assert set() == {name for name in fields if f'"{name}"' not in code} - named_in_yaml


@pytest.mark.airflow
def test_a_hook_gives_the_kernels_connection(monkeypatch):
    """From a connection of our type, address and secrets as the connectors want them."""
    from tongban.orchestration.hooks import RestDepartmentHook

    account = {
        "conn_type": "tongban_rest",
        "host": "https://fund.example.invalid",
        "login": "hub",
        "password": "open",
        "extra": {"field_key": "00" * 16},
    }
    monkeypatch.setenv("AIRFLOW_CONN_FUND", json.dumps(account))

    found = RestDepartmentHook("fund").get_conn()

    assert ("https://fund.example.invalid", "hub") == (found.base_url, found.login)
    assert "00" * 16 == found.secret("field_key")


@pytest.mark.airflow
def test_a_missing_connection_is_an_error_of_ours():
    """As everywhere."""
    from tongban.kernel.errors import CredentialsMissing
    from tongban.orchestration.hooks import SoapDepartmentHook

    with pytest.raises(CredentialsMissing, match="create it"):
        SoapDepartmentHook("nobody").get_conn()
