"""Surroundings: the environment variables and the code stamp that every service of ours gets.

The caller's environment minus whatever could change how our programs run, so that a service works
the same whoever starts it. No secret is added here.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tongban.kernel.settings import Settings

FOREIGN_PREFIXES = ("AIRFLOW", "TONGBAN_", "PYTHON", "SANDBOX_")
LOCAL_HOSTS = "127.0.0.1,localhost"
CODE_FOLDERS = ("tongban", "connectors", "mappings", "contracts", "dags", "plugins", "sandbox")


def service_environment(settings: Settings) -> dict[str, str]:
    """Give the variables that all services share."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_PREFIXES)
    }
    programs = str(Path(sys.executable).parent)
    unproxied = ",".join(filter(None, [kept.get("NO_PROXY") or kept.get("no_proxy"), LOCAL_HOSTS]))
    kept |= {
        "PATH": os.pathsep.join([programs, kept.get("PATH", os.defpath)]),
        "PYTHONPATH": str(settings.root),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": unproxied,
        "no_proxy": unproxied,
        "SPT_NOENV": "1",  # setproctitle must leave the environment, by which we know a process
        "TONGBAN_ROOT": str(settings.root),
        "TONGBAN_HOME": str(settings.home),
        "TONGBAN_LANDING_URL": settings.landing_url,
        "TONGBAN_PORT_BASE": str(settings.port_base),
    }
    return kept


def code_stamp(root: Path, *folders: str) -> str:
    """Give a digest that changes when a file below the folders is added, removed or written."""
    digest = hashlib.sha256()
    for folder in folders or CODE_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix == ".pyc" or not path.is_file():
                continue
            state = path.stat()
            digest.update(f"{path}|{state.st_mtime_ns}|{state.st_size}\n".encode())
    return digest.hexdigest()


def stamp(code: str, variables: Mapping[str, str], *command: str) -> str:
    """Give a digest of code, command and our own variables; the caller's others do not count."""
    digest = hashlib.sha256(code.encode())
    for name, value in sorted(variables.items()):
        digest.update(f"{name}={value}\n".encode())
    digest.update("\0".join(command).encode())
    return digest.hexdigest()
