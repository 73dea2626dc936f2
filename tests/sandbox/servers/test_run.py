"""Serving a system as a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import requests

from sandbox.credentials import control_token, load_credentials
from sandbox.errors import SandboxError, StateMissing
from sandbox.servers.application import create_app
from sandbox.servers.run import listen, serve
from tests.sandbox.servers.json_callers import housing_send
from tests.sandbox.servers.test_housing import result_row
from tests.sandbox.servers.town import build

START = "import sys; from pathlib import Path; from sandbox.servers.run import serve; {}"
LARGEST_RSS = 90_000_000


class Process:
    """One server process over its own state folder; looks like a town to the callers."""

    def __init__(self, system: str, state_dir: Path) -> None:
        self.system, self.state_dir = system, state_dir
        code = START.format(f"serve({system!r}, Path({str(state_dir)!r}), 0)")
        old = load_credentials(state_dir)[system]["base_url"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        while self.url() == old and self.process.poll() is None:
            time.sleep(0.02)
        self.health()

    def url(self, system: str = "") -> str:
        """Return the address that the server noted."""
        return str(load_credentials(self.state_dir)[system or self.system]["base_url"])

    def account(self, system: str):
        """Return the hub's account."""
        return load_credentials(self.state_dir)[system]

    def health(self):
        """Wait for the server and ask for its health."""
        headers = {"X-Sandbox-Control": control_token(self.state_dir)}
        while True:
            try:
                url = f"{self.url()}/_sandbox/health"
                return requests.get(url, headers=headers, timeout=5).json()
            except requests.ConnectionError:
                assert self.process.poll() is None, self.process.communicate()
                time.sleep(0.02)

    def end(self, number: int) -> tuple[int, bytes, bytes]:
        """Send a signal and return exit code and output."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=10)
        return self.process.returncode, output, errors


@pytest.fixture(name="state_dir")
def _state_dir(tmp_path):
    """Write a tiny town."""
    build(tmp_path)
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_server_cleanly_and_it_said_nothing(state_dir, number):
    """Exit code 0, no banner, no log line."""
    server = Process("housing", state_dir)
    housing_send(server, "GET", "/api/v1/units", {"pageNo": 1})

    assert (0, b"", b"") == server.end(number)


def test_what_was_accepted_survives_a_killed_server(state_dir):
    """The next process answers the repeated row with the original receipt."""
    body = {"records": [result_row("r-1")]}
    first_server = Process("housing", state_dir)
    first = housing_send(first_server, "POST", "/api/v1/registrations", body=body).json()
    first_server.end(signal.SIGKILL)
    second_server = Process("housing", state_dir)
    second = housing_send(second_server, "POST", "/api/v1/registrations", body=body).json()
    second_server.end(signal.SIGTERM)

    results = [answer["data"]["results"][0] for answer in (first, second)]
    assert ["OK", "DUP"] == [result["status"] for result in results]
    assert results[0]["receiptNo"] == results[1]["receiptNo"]


def test_a_nonce_is_remembered_over_a_restart(state_dir):
    """A replay does not become fresh because the department restarted."""
    statuses = []
    for _ in range(2):
        server = Process("housing", state_dir)
        answer = housing_send(server, "GET", "/api/v1/units", {"pageNo": 1}, nonce="kept")
        statuses.append(answer.json()["code"])
        server.end(signal.SIGTERM)

    assert ["4005", "4001"] == statuses


def test_a_server_stays_small(state_dir):
    """Below 90 MB resident after some calls."""
    server = Process("social", state_dir)
    requests.get(f"{server.url()}/si/services/InsuranceShare?wsdl", timeout=5)
    size = psutil.Process(server.process.pid).memory_info().rss
    server.end(signal.SIGTERM)

    assert size < LARGEST_RSS


def test_a_taken_port_is_one_sentence(state_dir):
    """It says whose move it is."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(SandboxError, match=f"port {port} is taken"):
            serve("tax", state_dir, port)


def test_an_unknown_system_is_one_sentence(state_dir):
    """With the names to choose from."""
    with pytest.raises(SandboxError, match=r"choose one of tax, registration"):
        create_app("police", state_dir)


def test_a_folder_without_a_city_is_one_sentence(tmp_path):
    """It names the command that builds one."""
    with pytest.raises(StateMissing, match="population"):
        create_app("tax", tmp_path)


def test_servers_listen_on_the_loopback_only():
    """A sandbox is nobody else's business."""
    listener = listen(0)

    assert "127.0.0.1" == listener.getsockname()[0]
    listener.close()
