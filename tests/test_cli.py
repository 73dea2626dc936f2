"""The command line: what it says and how it ends when something is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TONGBAN_")}
    return subprocess.run(
        [sys.executable, "-m", "tongban", *arguments],
        cwd=ROOT,
        env={**clean, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_answers_at_once() -> None:
    """No heavy library is loaded to print a list."""
    run("--help")
    before = time.monotonic()

    answer = run("--help")

    assert 0 == answer.returncode
    assert time.monotonic() - before < 3  # a loaded machine; 0.4 s when quiet


@pytest.mark.parametrize("heavy", ["airflow", "polars", "sqlalchemy", "requests", "zeep", "psutil"])
def test_command_line_loads_no_heavy_library(heavy: str) -> None:
    """They are imported inside the commands that need them."""
    code = f"import sys, tongban.cli as c; c.build(); sys.exit({heavy!r} in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode


@pytest.mark.parametrize("arguments", [("nosuch",), ("up", "--nosuch"), ("demo", "--people", "x")])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    """As every other command line does."""
    assert 2 == run(*arguments).returncode


def test_our_error_is_one_line_with_its_code(tmp_path: Path) -> None:
    """Code, place, reason, remedy; no traceback."""
    answer = run("up", "--only", "nosuch", TONGBAN_HOME=str(tmp_path))

    assert 1 == answer.returncode
    assert 1 == len(answer.stderr.splitlines())
    assert answer.stderr.startswith("fatal.config_invalid: unknown part nosuch")


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    """One variable away for whoever mends it."""
    answer = run("up", "--only", "nosuch", TONGBAN_HOME=str(tmp_path), TONGBAN_DEBUG="1")

    assert "Traceback" in answer.stderr


def test_bug_of_ours_shows_no_value(tmp_path: Path) -> None:
    """The words of an unknown exception may quote a record."""
    folder = tmp_path / "connections"
    folder.mkdir()
    (folder / "tax.json").write_text("canary", encoding="utf-8")  # not JSON: nobody foresaw it
    program = (
        "import sys, json, pathlib; from tongban import cli;"
        "cli.build = lambda: lambda **_: json.loads(pathlib.Path(sys.argv[1]).read_text());"
        "cli.main()"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(folder / "tax.json")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert 1 == answer.returncode
    assert answer.stderr.startswith("internal: JSONDecodeError at ")
    assert "canary" not in answer.stderr


def test_status_of_nothing_says_stopped_and_ends_with_1(tmp_path: Path) -> None:
    """Scripts can ask whether the stack is up."""
    answer = run("status", "--json", TONGBAN_HOME=str(tmp_path), TONGBAN_PORT_BASE="61100")

    assert 1 == answer.returncode
    assert 12 == answer.stdout.count('"state": "stopped"')


def test_down_of_nothing_is_no_error(tmp_path: Path) -> None:
    """It may be called at any time."""
    assert "nothing was running\n" == run("down", TONGBAN_HOME=str(tmp_path / "none")).stdout


def test_interrupt_ends_with_130(tmp_path: Path) -> None:
    """Ctrl-C is no error of anybody."""
    lock = tmp_path / "stack.lock"
    code = (
        f"import fcntl; f = open({str(lock)!r}, 'a'); fcntl.flock(f, fcntl.LOCK_EX)\n"
        "print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TONGBAN_")}
        with subprocess.Popen(
            [sys.executable, "-m", "tongban", "down"],
            cwd=ROOT,
            env={**clean, "TONGBAN_HOME": str(tmp_path)},
            stderr=subprocess.PIPE,
            text=True,
        ) as waiting:
            assert waiting.stderr is not None
            assert "another command works on this stack" in waiting.stderr.readline()
            waiting.send_signal(signal.SIGINT)
            code_of_exit = waiting.wait(10)
        holder.kill()

    assert 130 == code_of_exit
