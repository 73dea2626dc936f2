"""Settings: where things lie and how we reach them, read from the environment once.

Every setting has a working default below the project's root, so that a fresh clone needs none.
Secrets are never settings; they come from connections (`kernel/connections.py`) and key files.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tongban.kernel.errors import ConfigInvalid

DEFAULT_PORT_BASE = 18100
LOWEST_PORT_BASE = 1100
HIGHEST_PORT_BASE = 65_000
AIRFLOW_PORT_OFFSET = -20  # 18080
POSTGRES_PORT_OFFSET = -68  # 18032


@dataclass(frozen=True, slots=True)
class Settings:
    """Paths and addresses of one hub installation.

    Attributes:
        root: Folder that holds connectors/, mappings/, contracts/, dags/ and plugins/.
        home: Folder for everything that the hub writes when run locally (`.tongban/`).
        database_url: `postgresql://…` of an existing server, or None for the embedded one.
        landing_url: Any fsspec URL for landed pages; a local folder by default.
        port_base: Sandbox ports are base+1 … base+6, those of the fakes follow; Airflow has
            base-20, PostgreSQL base-68.
    """

    root: Path
    home: Path
    database_url: str | None
    landing_url: str
    port_base: int

    @property
    def airflow_port(self) -> int:
        """TCP port of Airflow's API server."""
        return self.port_base + AIRFLOW_PORT_OFFSET

    @property
    def postgres_port(self) -> int:
        """TCP port of the embedded PostgreSQL."""
        return self.port_base + POSTGRES_PORT_OFFSET

    @property
    def keys_dir(self) -> Path:
        """Folder of the key ring, unless TONGBAN_MASTER_KEY says otherwise."""
        return self.home / "keys"

    @property
    def heads_file(self) -> Path:
        """The seals of the evidence log as this installation remembers them."""
        return self.home / "evidence" / "heads.jsonl"

    @property
    def connections_dir(self) -> Path:
        """Folder of `<name>.json` connection files, the last place that is looked at."""
        return self.home / "connections"

    @property
    def sandbox_dir(self) -> Path:
        """State folder of the sandbox."""
        return self.home / "sandbox"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from TONGBAN_ROOT, _HOME, _DATABASE_URL, _LANDING_URL and _PORT_BASE."""
    env = os.environ if environ is None else environ
    root = Path(env.get("TONGBAN_ROOT") or _default_root()).absolute()
    home = Path(env.get("TONGBAN_HOME") or root / ".tongban").absolute()
    return Settings(
        root=root,
        home=home,
        database_url=env.get("TONGBAN_DATABASE_URL") or None,
        # Not as_uri(): fsspec takes what follows the scheme as it is, %20 for a blank included.
        landing_url=env.get("TONGBAN_LANDING_URL") or f"file://{home / 'landing'}",
        port_base=_port_base(env.get("TONGBAN_PORT_BASE")),
    )


def _port_base(text: str | None) -> int:
    """The port base, far enough from both ends that all ports around it exist.

    Raises:
        ConfigInvalid: Not a number, or outside 1100 to 65000.
    """
    if not text:
        return DEFAULT_PORT_BASE
    if not text.isdecimal() or not LOWEST_PORT_BASE <= int(text) <= HIGHEST_PORT_BASE:
        raise ConfigInvalid(
            f"TONGBAN_PORT_BASE: expected a number from {LOWEST_PORT_BASE} to "
            f"{HIGHEST_PORT_BASE}; unset it for {DEFAULT_PORT_BASE}"
        )
    return int(text)


def _default_root() -> Path:
    """The source tree, or what an installed wheel brought beside itself or below its prefix."""
    beside = Path(__file__).resolve().parents[2]
    for folder in (beside, beside / "share" / "tongban", Path(sys.prefix) / "share" / "tongban"):
        if (folder / "contracts").is_dir():
            return folder
    return beside
