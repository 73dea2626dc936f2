"""`bin/tongban`: the venv is made once, from the hashed lock, from any state."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "bin/uv.lock")
SHOW = "import os, sys; print('|'.join([*sys.argv[1:], os.environ['TONGBAN_ROOT']]))\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Give a project of one file, in a path with a space, with locks that ask for nothing."""
    root = tmp_path / "a clone"
    (root / "bin").mkdir(parents=True)
    (root / "tongban").mkdir()
    shutil.copy(ROOT / "bin/tongban", root / "bin/tongban")
    shutil.copy(ROOT / "bin/uv.lock", root / "bin/uv.lock")
    (root / "tongban/__init__.py").touch()
    (root / "tongban/__main__.py").write_text(SHOW)
    (root / "requirements.lock").write_text("# first\n")
    (root / "requirements-dev.lock").write_text("# first, for tests\n")
    return root


def call(
    root: Path, *arguments: str, program: Path | None = None, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run the wrapper from another folder."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TONGBAN_")}
    return subprocess.run(
        [program or root / "bin/tongban", *arguments],
        cwd="/",
        env={**clean, "TONGBAN_PYTHON": sys.executable, **changes},
        capture_output=True,
        text=True,
        check=False,
    )


def installs(answer: subprocess.CompletedProcess[str]) -> int:
    """Count the announcements of an install."""
    return answer.stderr.count("tongban: installing")


def test_first_use_installs_and_passes_the_arguments_on(clone: Path) -> None:
    """Blanks and quotes reach the program as they were given."""
    answer = call(clone, "subject", "two words", "--json")

    assert f"subject|two words|--json|{clone}\n" == answer.stdout
    assert 1 == installs(answer)


def test_second_use_installs_nothing_and_is_quick(clone: Path) -> None:
    """A warm start costs the start of Python and little more."""
    call(clone)
    before = time.monotonic()

    answer = call(clone)

    assert 0 == installs(answer)
    assert time.monotonic() - before < 2


def test_changed_lock_is_installed(clone: Path) -> None:
    """A pulled commit with other dependencies takes effect by itself."""
    call(clone)
    (clone / "requirements.lock").write_text("# second\n")

    assert 1 == installs(call(clone))
    assert 0 == installs(call(clone))


def test_tests_have_a_lock_of_their_own(clone: Path) -> None:
    """Only `test` needs the linters; afterwards the rest needs no second install."""
    call(clone)

    assert 1 == installs(call(clone, "test"))
    assert 0 == installs(call(clone, "test"))
    assert 0 == installs(call(clone, "up"))


def test_interrupted_install_starts_from_nothing(clone: Path) -> None:
    """What a killed install left is not trusted."""
    call(clone)
    (clone / ".venv/half-unpacked").touch()
    (clone / ".venv/installing").touch()

    answer = call(clone)

    assert 1 == installs(answer)
    assert 0 == answer.returncode
    assert not (clone / ".venv/half-unpacked").exists()


def test_venv_without_its_python_is_made_again(clone: Path) -> None:
    """The system's Python may have been upgraded away."""
    call(clone)
    for python in (clone / ".venv/bin").glob("python*"):
        python.unlink()

    assert 0 == call(clone).returncode


def test_two_at_once_install_once(clone: Path) -> None:
    """The second waits for the first, then finds everything there."""
    clean = {**os.environ, "TONGBAN_PYTHON": sys.executable}
    both = [
        subprocess.Popen(
            [clone / "bin/tongban"], cwd="/", env=clean, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]

    said = [one.communicate()[1] for one in both]

    assert [0, 0] == [one.returncode for one in both]
    assert 1 == sum(text.count("tongban: installing") for text in said)


def test_package_without_its_hash_is_refused(clone: Path) -> None:
    """No file is installed that the lock does not know by its hash."""
    (clone / "requirements.lock").write_text(f"packaging==24.0 --hash=sha256:{'0' * 64}\n")

    answer = call(clone, UV_OFFLINE="1", PIP_NO_INDEX="1")

    assert 0 != answer.returncode
    assert not (clone / ".venv/installed-requirements.lock").exists()
    assert "could not be installed" in answer.stderr


def test_wrapper_works_through_a_link(clone: Path, tmp_path: Path) -> None:
    """A link in ~/bin finds the project that it points to."""
    link = tmp_path / "tongban"
    link.symlink_to(clone / "bin/tongban")

    assert f"up|{clone}\n" == call(clone, "up", program=link).stdout


def test_home_may_be_read_only_or_missing(clone: Path) -> None:
    """Caches are a convenience; nothing is demanded of $HOME."""
    answer = call(clone, HOME="/nonexistent", XDG_CACHE_HOME="/nonexistent/cache")

    assert 0 == answer.returncode, answer.stderr


def test_missing_python_is_said_clearly(clone: Path, tmp_path: Path) -> None:
    """The message says what to install and what to set."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "env"):
        (tools / name).symlink_to(shutil.which(name) or name)

    answer = call(clone, PATH=str(tools), TONGBAN_PYTHON="")

    assert 1 == answer.returncode
    assert "no Python >= 3.11" in answer.stderr


NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}


def nobody_runs(program: str) -> bool:
    """Tell if an account without rights can run a Python that is new enough."""
    code = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
    try:
        answer = subprocess.run([program, "-c", code], cwd="/", check=False, **NOBODY)
    except OSError:
        return False
    return answer.returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_runs_what_root_installed(clone: Path) -> None:
    """An ordinary user needs read access and nothing else."""
    pythons = [p for p in (sys.executable, "/usr/bin/python3") if nobody_runs(p)]
    if not pythons:
        pytest.skip("every Python here is below a private folder")
    public = Path(tempfile.mkdtemp())
    public.chmod(0o755)
    try:
        shutil.copytree(clone, public / "clone")
        call(public / "clone", TONGBAN_PYTHON=pythons[0])
        answer = subprocess.run(
            [public / "clone/bin/tongban", "up"],
            cwd="/",
            env={"PATH": os.defpath, "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            check=False,
            **NOBODY,
        )
    finally:
        shutil.rmtree(public)

    assert f"up|{public / 'clone'}\n" == answer.stdout, answer.stderr


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_a_hash_for_every_package_and_no_address(lock: str) -> None:
    """Where packages come from is the machine's business; what they are is ours."""
    text = (ROOT / lock).read_text()
    pinned = re.findall(r"^[a-z0-9][\w.\[\]-]*==.*", text, re.MULTILINE | re.IGNORECASE)

    assert pinned
    assert all(line.rstrip().endswith("\\") for line in pinned)
    assert "://" not in text
    assert "--index" not in text
