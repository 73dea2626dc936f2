"""settings.md: every environment variable that the programs read.

Found by looking for their names in the source; one without an explanation stops the generator.
"""

from __future__ import annotations

import re
from pathlib import Path

from docs.pages.markdown import code, page, table
from tongban.kernel.settings import (
    AIRFLOW_PORT_OFFSET,
    DEFAULT_PORT_BASE,
    POSTGRES_PORT_OFFSET,
    load_settings,
)
from tongban.local.fakes import CONTROL_OFFSET, systems
from tongban.local.sandbox import SYSTEMS

SOURCES = ("tongban", "connectors", "plugins", "docker", "bin")
NAME = re.compile(r"\bTONGBAN_[A-Z]+(?:_[A-Z]+)*")
# Marks on our own processes, and a reason code in the outbox: nothing that a person sets.
INTERNAL = frozenset(
    {
        "TONGBAN_KNOWN_THERE",
        "TONGBAN_OTHER_CONTENT",
        "TONGBAN_STACK_HOME",
        "TONGBAN_STACK_SERVICE",
        "TONGBAN_UNFIT",
        "TONGBAN_UNSENDABLE",
    }
)

INTRO = """Settings are read from the environment once, when a program starts; a fresh clone needs none of them. Secrets
of departments are never settings: they are connections (below)."""

MEANINGS = {
    "TONGBAN_ROOT": (
        "the source tree",
        "Folder with `connectors/`, `mappings/`, `contracts/`, `dags/` and `plugins/`.",
    ),
    "TONGBAN_HOME": ("`<root>/.tongban`", "Folder for everything that is written locally."),
    "TONGBAN_DATABASE_URL": (
        "the embedded PostgreSQL",
        "`postgresql://user:password@host:port/database` of an existing server.",
    ),
    "TONGBAN_LANDING_URL": (
        "`<home>/landing`",
        "Any fsspec URL for landed pages (`file:///…`, `s3://…`); several workers need a shared one.",
    ),
    "TONGBAN_PORT_BASE": (str(DEFAULT_PORT_BASE), "Base of all local ports (below)."),
    "TONGBAN_MASTER_KEY": (
        "the file `<home>/keys/master.key`",
        "Base64 of 32 bytes: the key that opens the key ring.",
    ),
    "TONGBAN_MASTER_KEY_FILE": ("—", "A file with the master key instead, such as a mounted secret."),
    "TONGBAN_MASTER_KEY_SECRET": (
        "—",
        ("Name of an Airflow Variable, or of a Connection whose password is the master key: any secrets "
        "backend. Outside tasks `AIRFLOW_VAR_<NAME>` is read."),
    ),
    "TONGBAN_CRYPTO_SUITE": (
        "`international`",
        ("`national` seals new values with SM4-GCM; what is stored stays readable "
        "([decision](../decisions/0013-suites-and-rotation.md))."),
    ),
    "TONGBAN_SEAL_ALGORITHM": (
        "`Ed25519`",
        "How seals of the evidence log are signed; `SM2` needs a package that provides it.",
    ),
    "TONGBAN_DEBUG": (
        "off",
        "`1` shows tracebacks, which may quote records: only where all data is synthetic.",
    ),
    "TONGBAN_PYTHON": ("first fitting one on PATH", "Python with which `bin/tongban` makes the venv."),
    "TONGBAN_VENV": ("`<root>/.venv`", "Where the venv lies."),
    "TONGBAN_CONN_<NAME>": ("—", "One connection as a JSON document (below)."),
}  # fmt: skip

CONNECTIONS = """## Connections

A system's YAML names a connection; address and secrets are looked for in this order:

1. Airflow's connections, inside tasks (`Admin → Connections`, or any secrets backend);
2. `TONGBAN_CONN_<NAME>` or `AIRFLOW_CONN_<NAME>`, the name in capitals, as JSON;
3. `<home>/connections/<name>.json`, mode 0600.

```json
{"base_url": "https://gateway.example.invalid", "login": "hub", "password": "…", "extra": {"field_key": "…"}}
```

Instead of `base_url`, `host`, `port` and `schema` may be given, as Airflow does. Which fields of `extra` a system needs
is in [systems](systems.md); a missing one is `fatal.credentials_missing`. `bin/tongban up` writes the
connections of the sandbox and of the fakes, and leaves those of real departments alone."""


def render(root: Path) -> str:
    """Write the page.

    Raises:
        SystemExit: A variable is read by the code and not explained here, or the reverse.
    """
    differ = variables(root) ^ set(MEANINGS)
    if differ:
        raise SystemExit(f"docs/pages/settings.py: MEANINGS and the code differ in {differ}")
    rows = [(code(name), default, text) for name, (default, text) in MEANINGS.items()]
    return page(
        "Settings",
        INTRO,
        table(("variable", "default", "meaning"), rows),
        "## Ports",
        table(("what", "port"), _ports(root)),
        CONNECTIONS,
    )


def variables(root: Path) -> set[str]:
    """Give every variable of ours that the programs name."""
    found: set[str] = set()
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix == ".py" or path.parent.name == "bin":
                found |= set(NAME.findall(path.read_text(encoding="utf-8")))
    found = {"TONGBAN_CONN_<NAME>" if n.startswith("TONGBAN_CONN") else n for n in found}
    return found - INTERNAL


def _ports(root: Path) -> list[tuple[str, str]]:
    base = load_settings({}).port_base
    rows = [
        ("PostgreSQL", f"base{POSTGRES_PORT_OFFSET} ({base + POSTGRES_PORT_OFFSET})"),
        ("Airflow", f"base{AIRFLOW_PORT_OFFSET} ({base + AIRFLOW_PORT_OFFSET})"),
    ]
    for number, system in enumerate(SYSTEMS, 1):
        rows.append((f"sandbox {system}", f"base+{number} ({base + number})"))
    rows.append(("control of the fakes", f"base+{CONTROL_OFFSET} ({base + CONTROL_OFFSET})"))
    for number, system in enumerate(systems(root), CONTROL_OFFSET + 1):
        rows.append((f"fake {system}", f"base+{number} ({base + number})"))
    return rows
