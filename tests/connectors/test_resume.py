"""A puller is killed in the middle of a window; the next one re-reads at most one page."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.connectors.serving import connect, ok, rest_system, serving
from tongban.kernel.records import RecordShape
from tongban.pull import LandingStore

ROWS = [{"id": f"{n:04d}"} for n in range(100)]
SIZE = 5
KILL_AT = 12  # of 20 pages: 60 %
KINDS = {
    "page_number": {
        "call": {"path": "/page_number", "query": {"at": "{page}"}},
        "paging": {"kind": "page_number", "size": SIZE, "shifting": "no"},
        "total": "total",
    },
    "offset": {
        "call": {"path": "/offset", "query": {"at": "{row}"}},
        "paging": {"kind": "offset", "size": SIZE, "overlap": 0},
        "total": "total",
    },
    "cursor": {
        "call": {"path": "/cursor", "query": {"at": "{cursor}"}},
        "paging": {"kind": "cursor", "size": SIZE, "next": "next"},
    },
    "link_header": {
        "call": {"path": "/link_header"},
        "paging": {"kind": "link_header", "size": SIZE},
    },
    "next_url": {
        "call": {"path": "/next_url"},
        "paging": {"kind": "next_url", "size": SIZE, "next": "next"},
    },
    "key_set": {
        "call": {"path": "/key_set", "query": {"at": "{after?}"}},
        "paging": {"kind": "key_set", "size": SIZE, "keys": "id"},
    },
}


def page(kind: str, at: str) -> int:
    """Which page a request asks for, from 0."""
    if kind == "page_number":
        return int(at) - 1
    if kind == "offset":
        return int(at) // SIZE
    if kind == "key_set":
        return (int(at) + 1) // SIZE if at else 0
    return int(at or 0)


def serve(asked):
    """Answer every kind of paging over the same rows."""
    kind = asked.path.removeprefix("/")
    number = page(kind, asked.query.get("at", ""))
    rows = ROWS[number * SIZE : (number + 1) * SIZE]
    following = str(number + 1) if (number + 1) * SIZE < len(ROWS) else ""
    if kind == "next_url" and following:
        following = f"/next_url?at={following}"
    status, headers, body = ok(rows, total=len(ROWS), next=following)
    if kind == "link_header" and following:
        headers = {**headers, "Link": f'</link_header?at={following}>; rel="next"'}
    return status, headers, body


def pull(url: str, folder: Path, kind: str) -> subprocess.Popen[str]:
    """Start a puller in a process of its own."""
    command = [sys.executable, "-m", "tests.connectors.pulling", url, str(folder), kind]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_pull_goes_on_and_reads_at_most_one_page_again(kind, tmp_path):
    """SIGKILL at sixty percent; the landing holds every row once, in order."""
    with serving(serve) as server:
        first = pull(server.url, tmp_path, kind)
        for line in first.stdout:
            if int(line) == KILL_AT:
                os.kill(first.pid, signal.SIGKILL)
                break
        first.wait()
        first.stdout.close()
        before = [page(kind, asked.query.get("at", "")) for asked in server.asked]
        second = pull(server.url, tmp_path, kind)
        second.communicate(timeout=60)
        every = [page(kind, asked.query.get("at", "")) for asked in server.asked]

    assert 0 == second.returncode
    assert -signal.SIGKILL == first.returncode
    after = every[len(before) :]
    assert len(set(before) & set(after)) <= 1
    assert set(every) >= set(range(20))
    assert [row["id"] for row in ROWS] == landed(tmp_path, kind)


def landed(folder: Path, kind: str) -> list[str]:
    """Ids of all landed pages."""
    same = lambda _context, data: data  # noqa: E731
    landing = LandingStore(folder.as_uri(), seal=same, unseal=same).landing("fund", "account", "1")
    shape = RecordShape(("id",), None, frozenset({"id"}))
    with connect(rest_system(dataset=KINDS[kind]), "http://127.0.0.1:9") as connector:
        return [
            found
            for kept in landing.pages()
            for found in connector.decode("account", kept.body, shape).frame["id"].to_list()
        ]
