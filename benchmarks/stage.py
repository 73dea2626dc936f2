"""Stage: the pages, the source and sink process, and a PostgreSQL of their own for one run.

Everything is started here and ended here, also when a benchmark fails. The server runs on a free
port with its default durability; its data folder is made new each time and removed afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess  # noqa: S404 - the legs are processes of their own
import sys
import tempfile
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.gen import make_pages
from tongban.kernel.settings import load_settings
from tongban.local import databases, placement, ports, postgres

CATALOG = Path(__file__).parent / "catalog"
ROLE_PASSWORD = "only-for-benchmarks"  # noqa: S105 - of a server that lives for minutes
DEFAULT_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Stage:
    """A running source, sink and database server.

    Attributes:
        work: Folder for this run only.
        pages: Cache folder of generated pages.
        source: `http://127.0.0.1:PORT`.
    """

    work: Path
    pages: Path
    rows: int
    source: str
    postgres_pid: int
    _server_url: str

    def database(self, name: str) -> str:
        """Make an empty database; gives the URL of the role `hub`."""
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            databases.ensure_role(connection, databases.HUB, ROLE_PASSWORD, creates_roles=True)
            databases.ensure_database(connection, name, owner=databases.HUB)
        place = self._server_url.partition("@")[2].partition("/")[0]
        return f"postgresql://{databases.HUB}:{ROLE_PASSWORD}@{place}/{name}"

    def catalog(self, protocol: str) -> Path:
        """Put together the root folder of a hub whose source speaks that protocol."""
        root = self.work / f"root-{protocol}"
        if not root.exists():
            shutil.copytree(CATALOG / "shared", root)
            shutil.copytree(CATALOG / protocol, root, dirs_exist_ok=True)
        return root

    def sink_counts(self) -> dict[str, int]:
        """What the sink was given since the last call."""
        with urllib.request.urlopen(f"{self.source}/stats") as answer:  # noqa: S310 - our own
            found: dict[str, int] = json.load(answer)
        return found

    def run(self, module: str, *, python: str | None = None, **facts: Any) -> dict[str, Any]:
        """Run one measured leg in a process of its own; gives the JSON that it prints last.

        Args:
            module: Module below `benchmarks`, which reads its facts as JSON from argv[1].
            python: Another Python, whose environment has the peer; ours when not given.
            facts: Beside source, pages, rows and PostgreSQL's process id, which are always given.
        """
        given = {
            "source": self.source,
            "pages": str(self.pages),
            "rows": self.rows,
            "postgres_pid": self.postgres_pid,
            **facts,
        }
        answer = subprocess.run(
            [python or sys.executable, "-m", f"benchmarks.{module}", json.dumps(given)],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TONGBAN_MASTER_KEY": ""},
        )
        if answer.returncode != 0:
            raise RuntimeError(f"benchmarks.{module} failed: {answer.stderr.strip()[-2000:]}")
        found: dict[str, Any] = json.loads(answer.stdout.strip().splitlines()[-1])
        return found


def home() -> Path:
    """Folder of the benchmarks: cached pages, and one folder per run."""
    return load_settings().home / "bench"


@contextmanager
def open_stage(rows: int, epochs: int = 2) -> Generator[Stage]:
    """Make the pages, start source and database, and end both."""
    pages = home() / "pages"
    for epoch in range(epochs):
        make_pages(pages, rows, epoch)
    work = Path(tempfile.mkdtemp(prefix="run-", dir=home()))
    data = work / "postgres"
    source = _start_source(pages, rows)
    try:
        server_url = postgres.start(data, ports.free_port())
        pid = postgres.process_id(data)
        assert pid is not None  # noqa: S101 - it was started just now
        assert source.stdout is not None  # noqa: S101 - it is a pipe
        port = int(source.stdout.readline())
        yield Stage(work, pages, rows, f"http://127.0.0.1:{port}", pid, server_url)
    finally:
        source.kill()
        source.wait()
        postgres.stop(data)
        moved = placement.data_folder(data)
        shutil.rmtree(moved.parent if moved != data else data, ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)


def _start_source(pages: Path, rows: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.source", str(pages), str(rows)],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
