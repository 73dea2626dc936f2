"""The embedded PostgreSQL: starting, stopping, surviving a crash, guarding its password."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from tongban.kernel.errors import PortTaken, StackBroken
from tongban.local import ports, postgres
from tongban.local.placement import MARKER, data_folder

pytestmark = pytest.mark.postgres
SMALL = {"fsync": "off", "shared_buffers": "16MB"}


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Give the path of a data folder that an unprivileged account can reach."""
    folder = Path(tempfile.mkdtemp(prefix="tongban-pg-"))
    folder.chmod(0o711)
    yield folder / "with space" / "pg"
    postgres.stop(folder / "with space" / "pg")
    shutil.rmtree(folder)


def ask(url: str, question: str) -> object:
    """Run one query and give its first value."""
    with psycopg.connect(url) as connection:
        row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return row[0]


def test_server_starts_from_nothing_and_keeps_what_was_written(data_dir: Path) -> None:
    """A stop and a start lose nothing."""
    port = ports.free_port()
    url = postgres.start(data_dir, port, SMALL)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")

    stopped = postgres.stop(data_dir)
    again = postgres.start(data_dir, port, SMALL)

    assert stopped
    assert 7 == ask(again, "SELECT n FROM kept")


def test_starting_a_running_server_does_nothing(data_dir: Path) -> None:
    """`start` twice is one server."""
    port = ports.free_port()
    postgres.start(data_dir, port, SMALL)
    first = postgres.process_id(data_dir)

    postgres.start(data_dir, port, SMALL)

    assert first == postgres.process_id(data_dir)


def test_server_moves_when_another_port_is_asked_for(data_dir: Path) -> None:
    """A changed port setting takes effect on the next start."""
    postgres.start(data_dir, ports.free_port(), SMALL)
    port = ports.free_port()

    url = postgres.start(data_dir, port, SMALL)

    assert port == postgres.running_port(data_dir)
    assert str(port) == ask(url, "SHOW port")


def test_killed_server_recovers_what_was_committed(data_dir: Path) -> None:
    """Killing -9 the whole server leaves a stale pid file and no harm."""
    port = ports.free_port()
    url = postgres.start(data_dir, port, {"shared_buffers": "16MB"})
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    server = psutil.Process(postgres.process_id(data_dir))
    family = [server, *server.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=5)

    again = postgres.start(data_dir, port, SMALL)

    assert 1 == ask(again, "SELECT count(*) FROM kept")


def test_pid_file_of_another_process_does_not_stop_the_start(data_dir: Path) -> None:
    """After a reboot the old process id may belong to anybody, who must be left alone."""
    port = ports.free_port()
    postgres.start(data_dir, port, SMALL)
    pid_file = data_folder(data_dir) / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    postgres.stop(data_dir)
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    assert not postgres.is_running(data_dir)
    assert not postgres.stop(data_dir)
    postgres.start(data_dir, port, SMALL)

    assert postgres.is_running(data_dir)


def test_half_made_database_is_made_again(data_dir: Path) -> None:
    """An interrupted initdb leaves a folder beside, never a database that half works."""
    half = data_dir.with_name("pg.half")
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    url = postgres.start(data_dir, ports.free_port(), SMALL)

    assert 1 == ask(url, "SELECT 1")
    assert not half.exists()


def test_taken_port_is_named_with_its_holder(data_dir: Path) -> None:
    """The error says who has the port, and nothing was made."""
    with socket.socket() as other:
        other.bind((ports.HOST, 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(PortTaken, match=rf"{port} is taken by process {os.getpid()}"):
            postgres.start(data_dir, port, SMALL)

    assert not data_dir.exists()


def test_password_is_demanded_and_its_file_is_private(data_dir: Path) -> None:
    """TCP on 127.0.0.1 is open to every local user, so the password counts."""
    port = ports.free_port()
    postgres.start(data_dir, port, SMALL)

    assert "0o600" == oct(postgres.password_file(data_dir).stat().st_mode & 0o777)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"postgresql://tongban:wrong@127.0.0.1:{port}/postgres")


def test_lost_password_file_is_said_clearly(data_dir: Path) -> None:
    """The data is not thrown away because its password is missing."""
    port = ports.free_port()
    postgres.start(data_dir, port, SMALL)
    postgres.stop(data_dir)
    postgres.password_file(data_dir).unlink()

    with pytest.raises(StackBroken, match="password cannot be read"):
        postgres.start(data_dir, port, SMALL)
    assert (data_folder(data_dir) / "PG_VERSION").exists()


def test_log_holds_no_value_of_a_failed_statement(data_dir: Path) -> None:
    """Statements, details and COPY context carry personal data; the log must not."""
    url = postgres.start(data_dir, ports.free_port(), SMALL)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE person (id text PRIMARY KEY)")
        connection.execute("INSERT INTO person VALUES ('canary-620899')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO person VALUES ('canary-620899')")

    text = postgres.log_file(data_dir).read_text()

    assert "duplicate key" in text
    assert "canary" not in text


def test_wrong_setting_is_reported_with_the_log_and_leaves_nothing(data_dir: Path) -> None:
    """A server that refuses to start is an error of ours that quotes its last words."""
    with pytest.raises(StackBroken, match="no_such_setting"):
        postgres.start(data_dir, ports.free_port(), {"no_such_setting": "1"})

    assert not postgres.is_running(data_dir)


def test_database_has_checksums_and_code_point_order(data_dir: Path) -> None:
    """Torn pages are noticed, and sorting is the same on every machine."""
    url = postgres.start(data_dir, ports.free_port(), SMALL)

    assert "on" == ask(url, "SHOW data_checksums")
    assert "C.UTF-8" == ask(url, "SELECT datlocale FROM pg_database WHERE datname = 'postgres'")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another account")
def test_root_keeps_the_server_out_of_a_private_folder() -> None:
    """Below a 0700 home the data goes elsewhere, and the home stays closed."""
    home = Path(tempfile.mkdtemp(prefix="tongban-private-"))
    data_dir = home / "pg"
    try:
        url = postgres.start(data_dir, ports.free_port(), SMALL)
        moved = data_folder(data_dir)

        assert 1 == ask(url, "SELECT 1")
        assert "0o700" == oct(home.stat().st_mode & 0o777)
        assert (data_dir / MARKER).exists()
        assert home not in moved.parents
        assert 0 != psutil.Process(postgres.process_id(data_dir)).uids().real
    finally:
        postgres.stop(data_dir)
        shutil.rmtree(data_folder(data_dir).parent)
        shutil.rmtree(home, ignore_errors=True)
