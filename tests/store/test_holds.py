"""Holds: one living worker at a time on one landing."""

from __future__ import annotations

import subprocess
import sys
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from tongban.kernel.errors import DatabaseUnavailable
from tongban.local.ports import free_port
from tongban.store.engine import open_engine
from tongban.store.holds import held

pytestmark = pytest.mark.postgres

HOLDER = """
import sys
from uuid import UUID
from tongban.store.engine import open_engine
from tongban.store.holds import held
with held(open_engine(sys.argv[1]), UUID(sys.argv[2])) as is_ours:
    print(is_ours, flush=True)
    sys.stdin.read()
"""


def test_only_one_holds_and_it_is_free_afterwards(engine: Engine):
    """The second is told at once; nobody waits."""
    subject = uuid4()

    with held(engine, subject) as first, held(engine, subject) as second:
        assert (True, False) == (first, second)
    with held(engine, subject) as third:
        assert third


def test_two_landings_do_not_disturb_each_other(engine: Engine):
    """Windows of one dataset may be pulled side by side."""
    with held(engine, uuid4()) as one, held(engine, uuid4()) as other:
        assert (True, True) == (one, other)


def test_an_error_inside_frees_it(engine: Engine):
    """A failed pull is continued by its retry in the same process."""
    subject = uuid4()
    with pytest.raises(ZeroDivisionError), held(engine, subject):
        raise ZeroDivisionError

    with held(engine, subject) as again:
        assert again


def test_a_killed_worker_holds_nothing(engine: Engine, database_url: str):
    """The server notices the end of the session, however the process ended."""
    subject = uuid4()
    worker = subprocess.Popen(
        [sys.executable, "-c", HOLDER, database_url, str(subject)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert worker.stdout is not None
        assert "True\n" == worker.stdout.readline()
        with held(engine, subject) as while_it_lives:
            assert not while_it_lives
    finally:
        worker.kill()
        worker.wait()
    with engine.connect() as conn:
        waiting = text("SELECT pg_sleep(0.05) FROM pg_locks WHERE locktype = 'advisory' LIMIT 1")
        for _ in range(100):
            if conn.execute(waiting).first() is None:
                break

    with held(engine, subject) as afterwards:
        assert afterwards


def test_a_server_that_is_away_is_told_in_our_words():
    """Safe to call again."""
    gone = open_engine(f"postgresql://nobody:nothing@127.0.0.1:{free_port()}/none")

    with pytest.raises(DatabaseUnavailable), held(gone, uuid4()):
        pass
