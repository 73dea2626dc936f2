"""The whole local stack as real processes, with a folder of tiny DAGs instead of ours.

One stack serves all tests of this file, in order: it is started from nothing, used, hurt, mended
and stopped. Slow (about a minute and a half), and the only proof that the pieces fit.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
import requests

from tongban.kernel.errors import ConfigInvalid, StackBroken
from tongban.kernel.settings import Settings
from tongban.local import airflow, demo, fakes, ports, postgres, sandbox, stack, watching
from tongban.local.processes import Processes

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.airflow]

DAGS = """
from airflow.sdk import DAG, Asset, task

def make(dag_id, schedule=None, outlet=None, fails=False):
    with DAG(dag_id=dag_id, schedule=schedule, max_active_runs=1):
        @task(outlets=[outlet] if outlet else [])
        def work():
            if fails:
                raise SystemExit(1)
        work()

alpha, tax = Asset("alpha"), Asset("deed_tax_payment")
make("pull_alpha", outlet=alpha)
make("push_substation_alpha", schedule=alpha)
make("pull_deed_tax_payment", outlet=tax)
make("push_registration_deed_tax_payment", schedule=tax)
for name in ("pull_real_estate_right", "pull_right_status", "cases", "compare", "audit"):
    make(name)
make("maintenance")
make("push_broken", fails=True)
"""


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """Give a project of our code and tiny DAGs, with a home of its own; all is gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix="tongban stack "))
    place.chmod(0o711)
    root = place / "root"
    (root / "plugins").mkdir(parents=True)
    (root / "dags").mkdir()
    (root / "dags/tiny.py").write_text(DAGS)
    for name in ("tongban", "connectors", "mappings", "contracts", "sandbox"):
        shutil.copytree(ROOT / name, root / name)  # a copy: an edit meanwhile would be a restart
    made = Settings(
        root=root,
        home=place / "home",
        database_url=None,
        landing_url=f"file://{place}/home/landing",
        port_base=free_base(),
    )
    yield made
    stack.down(made)
    assert [] == Processes(made.home).orphans()
    shutil.rmtree(place)


def free_base() -> int:
    """Find a base whose ports are free, below those that outgoing connections take."""
    for base in range(20_000 + os.getpid() % 100 * 100, 32_000, 100):
        wanted = [base - 68, base - 20, *range(base + 1, base + 40)]
        if all(map(ports.is_free, wanted)):
            return base
    raise AssertionError("no free ports")


def pids(settings: Settings) -> dict[str, int | None]:
    """Give the process of each component."""
    return {line.name: line.pid for line in stack.status(settings)}


def test_up_starts_everything_from_nothing(settings: Settings) -> None:
    """Twelve components run and are well; the fakes are one of them."""
    ready = stack.up(settings, people=300, pools=lambda: [{"name": "dept_tax", "slots": 2}])

    assert {"running"} == {line.state for line in stack.status(settings)}
    assert 12 == len(stack.status(settings))
    assert ready.database_url == stack.with_database(settings).database_url


def test_up_again_leaves_everything_as_it_is(settings: Settings) -> None:
    """The same processes go on running."""
    before = pids(settings)

    stack.up(settings)

    assert before == pids(settings)


def test_city_of_another_size_is_refused(settings: Settings) -> None:
    """Nothing is thrown away silently."""
    with pytest.raises(ConfigInvalid, match="300 people"):
        stack.up(settings, people=301, only=["sandbox"])


def test_secrets_are_private(settings: Settings) -> None:
    """No other user reads a password, a key or a log."""
    files = [*settings.home.glob("*.json"), *settings.home.glob("airflow/*.json")]
    files += [*settings.home.glob("connections/*"), *settings.home.glob("logs/*")]
    files += [postgres.password_file(stack.data_dir(settings))]
    private = settings.home / "connections", settings.home / "logs", settings.home / "airflow"

    assert len(files) > 10
    for path in files:
        closed = path.stat().st_mode & 0o077 == 0
        assert closed or any(p in private and p.stat().st_mode & 0o077 == 0 for p in path.parents)


def test_airflow_has_the_connections_of_sandbox_and_fakes(settings: Settings) -> None:
    """Each department's credentials are in its own file, marked by whose they are."""
    files = settings.connections_dir.glob("*.json")
    written = {path.stem: json.loads(path.read_text())["origin"] for path in files}

    assert {
        **dict.fromkeys(sandbox.SYSTEMS, "sandbox"),
        **dict.fromkeys(fakes.systems(ROOT), "fake"),
    } == written
    assert all(sandbox.is_healthy(settings, system) for system in sandbox.SYSTEMS)


def test_auditor_may_look_and_nobody_else_may_do_anything(settings: Settings) -> None:
    """The three users have different rights; no user has none."""
    demo.await_dags(airflow.client(settings), demo.ROUNDS)
    auditor = airflow.client(settings, "auditor")

    assert auditor.dags()
    with pytest.raises(StackBroken, match="HTTP 403"):
        auditor.trigger("audit", "not-allowed")
    assert 401 == requests.get(f"{airflow.base_url(settings)}/api/v2/dags", timeout=10).status_code


def test_demo_runs_all_rounds_and_what_follows_from_them(settings: Settings) -> None:
    """Pulls are triggered, pushes follow by their Assets, and the demo waits for both."""
    told: list[str] = []

    class Ears(demo.Listener):
        def round_starts(self, name: str, expected: int) -> None:
            told.append(f"{name}: {expected}")

    finished = demo.run(settings, listener=Ears())
    runs = airflow.client(settings).runs(since=finished.since.isoformat())
    ended = {run["dag_id"] for run in runs if run["state"] == "success"}

    assert () == finished.failed
    assert [one.name for one in demo.ROUNDS] == [line.rpartition(": ")[0] for line in told]
    assert ["pull everything: 4", "audit: 1"] == [told[0], told[-1]]
    assert {"cases", "audit"} <= ended
    assert {"push_substation_alpha", "push_registration_deed_tax_payment"} <= ended
    assert "maintenance" not in ended
    assert json.loads((settings.home / "demo.json").read_text())["is_finished"]


def test_next_demo_lets_time_pass_first(settings: Settings) -> None:
    """A second run starts a second round of its own, after the departments have moved on."""
    told: list[str] = []
    before = fakes.holdings(settings)

    class Ears(demo.Listener):
        def step(self, line: str) -> None:
            told.append(line)

    demo.run(settings, listener=Ears())

    assert any("changes at the departments" in line for line in told)
    grown = fakes.holdings(settings)
    assert grown.keys() == before.keys()
    assert all(
        held["records"] > before[system][name]["records"]
        for system, datasets in grown.items()
        for name, held in datasets.items()
    )
    assert airflow.client(settings).run("pull_alpha", "demo-2-1-1") is not None


def test_interrupted_demo_takes_its_runs_over(settings: Settings) -> None:
    """A demo that was killed after triggering finds its run again and triggers no second one."""
    journal = settings.home / "demo.json"
    noted = json.loads(journal.read_text())
    journal.write_text(json.dumps({**noted, "is_finished": False}))
    before = len(airflow.client(settings).runs())

    finished = demo.run(settings)

    assert before == len(airflow.client(settings).runs())
    assert finished.since.isoformat() == noted["started_at"]
    assert finished.since < finished.until < watching.now()


def test_failed_run_is_reported(settings: Settings) -> None:
    """A DAG that fails does not hang the wait and is not overlooked."""
    api = airflow.client(settings)
    since = watching.now() - timedelta(seconds=1)
    demo.unpause(api, ["push_broken"])

    progress = watching.wait_until_quiet(
        api, since, [("push_broken", api.trigger("push_broken", "hurt"))]
    )

    assert ["push_broken"] == [run.dag_id for run in progress.failed]


def test_killed_processes_are_started_again(settings: Settings) -> None:
    """After kill -9 of servers and scheduler the next `up` mends everything."""
    before = pids(settings)
    victims = [
        psutil.Process(pid)
        for name, pid in before.items()
        if name in {"postgres", "sandbox-tax", "fakes", "airflow-scheduler"} and pid
    ]
    held = fakes.holdings(settings)
    for victim in victims:
        victim.kill()
    psutil.wait_procs(victims, timeout=5)
    assert 4 == sum(line.state == "stopped" for line in stack.status(settings))

    stack.up(settings)

    assert {"running"} == {line.state for line in stack.status(settings)}
    assert held == fakes.holdings(settings)
    assert before["sandbox-social"] == pids(settings)["sandbox-social"]


def test_down_leaves_nothing_running(settings: Settings) -> None:
    """Every process of the home is gone, and `status` says so."""
    stack.down(settings)

    assert {"stopped"} == {line.state for line in stack.status(settings)}
    assert [] == Processes(settings.home).orphans()
    assert [] == stack.down(settings)


def test_commands_that_need_the_database_say_how_to_start_it(settings: Settings) -> None:
    """The message names the command."""
    with pytest.raises(StackBroken, match="bin/tongban up"):
        stack.with_database(settings)
