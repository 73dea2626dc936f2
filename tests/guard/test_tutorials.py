"""The tutorial runs as it is printed, and the how-to's new department works."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import execute
from tests.connectors.serving import Asked, Reply, serving
from tests.guard.repository import ROOT
from tongban.kernel.settings import load_settings
from tongban.local import ports
from tongban.pipeline import open_hub, transfer
from tongban.subjects import find_subject

TUTORIAL = ROOT / "docs/tutorial/first-transfer.md"
POSTGRES = ROOT / "docs/how-to/run-on-your-postgresql.md"
QUARANTINE = ROOT / "docs/how-to/read-the-quarantine.md"
HOW_TO = ROOT / "docs/how-to/add-a-department.md"
BASH = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
SQL = re.compile(r"^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^`([\w/]+\.yaml)`\n\n```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
ANSWER = re.compile(r'^(\{"code": .*?\]\}\})$', re.MULTILINE | re.DOTALL)


def port_base() -> int:
    """A base whose ports are all free, below those that outgoing connections take."""
    bases = list(range(12_000, 32_000, 200))
    random.shuffle(bases)
    for base in bases:
        if all(ports.is_free(base + offset) for offset in (-68, -20, *range(1, 40))):
            return base
    raise AssertionError("no free range of ports")


@pytest.mark.slow
@pytest.mark.postgres
def test_the_tutorial_runs_as_it_is_printed():
    """Every command ends well, and the party of a contract is found in two departments at least."""
    home = Path(tempfile.mkdtemp(prefix="tongban-tutorial-"))
    home.chmod(0o711)
    script = "set -euo pipefail\n" + "".join(BASH.findall(TUTORIAL.read_text(encoding="utf-8")))
    script = script.replace(".tongban/", f"{home}/").replace(".venv/bin/python", sys.executable)
    surroundings = {**os.environ, "TONGBAN_HOME": str(home), "TONGBAN_PORT_BASE": str(port_base())}
    surroundings |= {"TONGBAN_VENV": sys.prefix, "COLUMNS": "200"}
    try:
        answer = subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT,
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert 0 == answer.returncode, answer.stderr
        known = set(re.findall(r"房产交易|税务|不动产登记", answer.stdout))
        assert "房产交易" in known
        assert len(known) > 1
        assert "entries verify" in answer.stdout
    finally:
        subprocess.run(["bash", "bin/tongban", "down"], cwd=ROOT, env=surroundings, check=False)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """A copy of the project's data folders with the how-to's three files."""
    for name in ("connectors/systems", "connectors/wsdl", "mappings", "contracts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name, text in FILE.findall(HOW_TO.read_text(encoding="utf-8")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def counted(root: Path) -> dict[str, Any]:
    """What `tongban check` counts in a project."""
    answer = subprocess.run(
        [sys.executable, "-m", "tongban", "check", "--json"],
        cwd=ROOT,
        env={**os.environ, "TONGBAN_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    return dict(json.loads(answer.stdout))


def test_the_new_department_is_three_files_that_the_check_accepts(grown: Path):
    """One more system, one more contract, one more pull."""
    before, counts = counted(ROOT), counted(grown)

    assert 3 == len(FILE.findall(HOW_TO.read_text(encoding="utf-8")))
    assert [] == counts.pop("problems")
    assert {"systems": 1, "contracts": 1, "pulls": 1, "pushes": 0} == {
        name: counts[name] - before[name] for name in ("systems", "contracts", "pulls", "pushes")
    }


@pytest.mark.postgres
def test_the_new_department_can_be_pulled_and_its_people_are_found(
    grown: Path, tmp_path: Path, database_url: str
):
    """The server answers as the how-to prints it; nothing else was written for it."""
    (printed,) = ANSWER.findall(HOW_TO.read_text(encoding="utf-8"))
    asked: list[Asked] = []

    def handler(request: Asked) -> Reply:
        asked.append(request)
        return 200, {"Content-Type": "application/json"}, printed.encode()

    settings = replace(
        load_settings({"TONGBAN_ROOT": str(grown), "TONGBAN_HOME": str(tmp_path / "home")}),
        database_url=database_url,
    )
    settings.connections_dir.mkdir(parents=True)
    with serving(handler) as server:
        account = {"base_url": server.url, "password": "key-of-the-fund"}
        (settings.connections_dir / "fund.json").write_text(json.dumps(account))
        with open_hub(settings) as hub:
            (loaded,) = transfer(hub, "fund_account")
            answer = find_subject(hub, "620899198503140011", purpose="guard test")

    assert (1, 1, 0) == (loaded.read, loaded.new, loaded.quarantined)
    assert ["fund_account"] == [item.dataset for item in answer.known]
    assert "key-of-the-fund" == asked[0].headers["x-api-key"]
    assert {"from", "to", "page", "size"} == set(asked[0].query)


@pytest.mark.postgres
def test_a_server_of_ones_own_needs_no_more_than_the_how_to_says(
    postgres_server: str, tmp_path: Path
):
    """The printed statements are enough, and the role owns the schemas that the page names."""
    (statements,) = SQL.findall(POSTGRES.read_text(encoding="utf-8"))
    made = re.sub(r"\bhub\b", "own_hub", statements).replace("tongban", "own_tongban")
    for statement in filter(str.strip, re.sub(r"--.*", "", made).split(";")):
        execute(postgres_server, statement)
    place = postgres_server.partition("@")[2].partition("/")[0]
    settings = replace(
        load_settings({"TONGBAN_ROOT": str(ROOT), "TONGBAN_HOME": str(tmp_path)}),
        database_url=f"postgresql://own_hub:secret@{place}/own_tongban",
    )
    try:
        with open_hub(settings) as hub, hub.engine.connect() as connection:
            sql = "SELECT nspname FROM pg_namespace WHERE nspowner = 'own_hub'::regrole"
            schemas = set(connection.exec_driver_sql(sql).scalars())
    finally:
        for name in ("own_tongban", "own_tongban_airflow"):
            execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")
        execute(postgres_server, "DROP ROLE own_hub")

    assert {"hub", "data", "cases"} <= schemas
    assert set() == {name for name in schemas if f"`{name}`" not in POSTGRES.read_text("utf-8")}


@pytest.mark.postgres
def test_the_printed_question_about_the_quarantine_is_understood(database_url: str):
    """Findings are counted by rule and field."""
    (statement,) = SQL.findall(QUARANTINE.read_text(encoding="utf-8"))
    finding = '[{"rule": "name.required", "field": "name"}]'
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO hub.quarantine (system, dataset, transfer_id, key_index, has_key,"
            " row_digest, row_sealed, findings) SELECT 'tax', 'taxpayer', gen_random_uuid(),"
            " gen_random_uuid(), true, 'd', 's', %s::jsonb FROM generate_series(1, 3)",
            [finding],
        )
        rows = connection.execute(statement.encode()).fetchall()

    assert [("taxpayer", "name.required", "name", 3)] == rows
