"""The command line, from an empty folder to running servers that move on together."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox import remote, truth
from sandbox.cli import app
from sandbox.credentials import load_credentials
from sandbox.datasets import SYSTEMS
from sandbox.errors import ServerUnreachable
from sandbox.population import populate
from tests.sandbox.conftest import TODAY

ROOT = Path(__file__).parents[2]


def run(*words):
    """Run one verb and give its result."""
    return CliRunner().invoke(app, [str(word) for word in words])


def free_block(size):
    """Find the first of `size` free ports in a row."""
    for first in range(20000 + os.getpid() % 20000, 60000, size):
        try:
            for port in range(first, first + size):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no free ports")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A small city with all six servers running."""
    folder = tmp_path_factory.mktemp("running")
    populate(folder, 300, 5, today=TODAY, first_port=free_block(6))
    servers = [
        subprocess.Popen(
            [sys.executable, "-m", "sandbox", "serve", system, "--state", folder], cwd=ROOT
        )
        for system in SYSTEMS
    ]
    try:
        for system in SYSTEMS:
            wait_for(folder, system)
        yield folder
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait(20)


def wait_for(folder, system):
    """Wait until a server answers its control path."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return remote.control(folder, system, "GET", "health")
        except ServerUnreachable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_population_writes_everything_that_the_servers_and_the_hub_need(tmp_path):
    """A state file per system, the truth, credentials, the control token."""
    result = run("population", "--people", 50, "--seed", 1, "--state", tmp_path)

    assert 0 == result.exit_code, result.output
    files = {path.name for path in tmp_path.iterdir()}
    assert {f"{system}.sqlite" for system in SYSTEMS} <= files
    assert {"truth.jsonl", "applied.json", "credentials.json", "control_token"} <= files
    assert "sales in flight" in result.output


def test_population_takes_rate_and_ports(tmp_path):
    """A clean city on other ports."""
    options = ["--defects", 0, "--ports-from", 33000, "--today", "2026-11-24"]
    result = run("population", "--people", 50, "--state", tmp_path, *options)

    assert 0 == result.exit_code, result.output
    assert [] == truth.load_all(tmp_path)
    assert "http://127.0.0.1:33005" == load_credentials(tmp_path)["substation"]["base_url"]


def test_the_module_runs_as_a_program():
    """`python -m sandbox` lists the verbs."""
    result = subprocess.run(
        [sys.executable, "-m", "sandbox", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    for verb in ("population", "serve", "fault", "accepted", "advance"):
        assert verb in result.stdout


def test_an_unknown_system_is_refused_with_the_known_ones(tmp_path):
    """A typing error is found before anything runs."""
    result = run("serve", "taxes", "--state", tmp_path)

    assert 2 == result.exit_code
    assert "substation" in result.output


def test_serving_an_empty_folder_says_what_to_do(tmp_path):
    """One sentence, no traceback."""
    result = run("serve", "tax", "--state", tmp_path)

    assert 1 == result.exit_code
    assert "population" in result.output
    assert isinstance(result.exception, SystemExit)


def test_a_sleeping_server_is_named(tmp_path):
    """With the command that starts it."""
    populate(tmp_path, 10, 1, first_port=free_block(6))
    result = run("accepted", "housing", "--state", tmp_path)

    assert 1 == result.exit_code
    assert "sandbox serve housing" in result.output


def test_advance_without_servers_changes_nothing(small_state):
    """No department moves on alone."""
    assert 1 == run("advance", "--state", small_state).exit_code
    assert {} == truth.applied(small_state)


def test_advance_shares_the_changes_out_over_all_servers(running):
    """Exactly as many as asked for, every system by its size, noted for the truth."""
    before = truth.applied(running)
    done = remote.advance(running, 40)

    assert 40 == sum(done.values())
    after = truth.applied(running)
    assert done == {name: after[name] - before.get(name, 0) for name in done}
    assert max(done, key=done.__getitem__) == "social"


def test_advance_applies_at_least_twenty_changes_by_default(running):
    """One percent of a small city would be too few to see."""
    result = run("advance", "--state", running)

    assert 0 == result.exit_code, result.output
    assert 20 == sum(int(line.split()[1]) for line in result.output.splitlines())


def test_a_fault_is_planned_and_cleared(running):
    """The server lists it until it is cleared."""
    options = ["--count", 3, "--match", "A020", "--seconds", 0.5]
    planned = run("fault", "tax", "latency", "--state", running, *options)
    cleared = run("fault", "tax", "clear", "--state", running)

    (fault,) = json.loads(planned.output)["faults"]
    assert ("latency", 3, "A020", 0.5) == tuple(
        fault[k] for k in ("kind", "count", "match", "seconds")
    )
    assert {"faults": []} == json.loads(cleared.output)


def test_an_unknown_fault_is_refused_by_the_server(running):
    """Its answer is passed on."""
    result = run("fault", "tax", "earthquake", "--state", running)

    assert 1 == result.exit_code
    assert "latency" in result.output


def test_nothing_was_accepted_yet(running):
    """No push, no line."""
    result = run("accepted", "tax", "sale_contract", "--state", running)

    assert (0, "") == (result.exit_code, result.output)


@pytest.mark.parametrize("wanted", [0, 1, 7, 40, 1000])
def test_sharing_out_loses_nothing(wanted):
    """Rounding never makes or takes a change."""
    sizes = {"a": 500, "b": 33, "c": 1}

    assert wanted == sum(remote.share_out(wanted, sizes).values())
