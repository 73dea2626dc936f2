"""Looking at ports: free, taken, and by whom."""

from __future__ import annotations

import os
import socket

import pytest

from tongban.kernel.errors import PortTaken
from tongban.local import ports


def test_free_port_passes() -> None:
    """Nobody listens, nothing is raised, and nothing listens afterwards either."""
    port = ports.free_port()

    ports.demand_free(port, "PostgreSQL")

    with socket.socket() as other:
        assert 0 != other.connect_ex((ports.HOST, port))
        other.bind((ports.HOST, port))
        assert port == other.getsockname()[1]


def test_taken_port_names_purpose_holder_and_setting() -> None:
    """The message alone is enough to act on."""
    with socket.socket() as other:
        other.bind((ports.HOST, 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(PortTaken) as caught:
            ports.demand_free(port, "sandbox tax")

    assert f"sandbox tax: port {port} is taken by process {os.getpid()}" in str(caught.value)
    assert "TONGBAN_PORT_BASE" in str(caught.value)
    assert {"port": port} == caught.value.context


def test_answers_tells_a_listener_from_silence() -> None:
    """A connection is the proof."""
    silent = ports.free_port()
    with socket.socket() as other:
        other.bind((ports.HOST, 0))
        other.listen()

        assert ports.answers(other.getsockname()[1])
        assert not ports.answers(silent)
