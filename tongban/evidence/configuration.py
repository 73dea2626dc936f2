"""Configuration: an entry when contracts, mappings or systems are others than before.

Looked at whenever a hub is opened, so at every start and every deployment. The entry names the
files that changed, each with its digest; its leaf is the digest over all of them. Connections hold
secrets, so not even their digest is written down.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from tongban.evidence.log import append, hold_end
from tongban.evidence.verify import canonical
from tongban.store.engine import transaction

FOLDERS = ("contracts", "mappings", "connectors/systems", "connectors/wsdl", "connectors/openapi")
KIND = "configuration"
_ENTRIES = text("""
    SELECT subject, leaf FROM hub.evidence_entry
     WHERE kind IN ('clock', 'configuration') AND kind = 'configuration' ORDER BY seq
""")
_UNSEALED = text("""
    SELECT coalesce((SELECT max(seq) FROM hub.evidence_entry), 0)
         > coalesce((SELECT last FROM hub.evidence_seal ORDER BY seal DESC LIMIT 1), 0)
""")


def note_configuration(engine: Engine, root: Path) -> bool:
    """Append an entry when the files are not those of the last one.

    Args:
        engine: From `open_engine`, on a migrated database.
        root: Folder of contracts, mappings and systems.

    Returns:
        Whether the log has entries without a seal, such as those of a process that died.
    """
    files = digests_below(root)
    leaf = hashlib.sha256(canonical(files)).digest()
    with transaction(engine) as conn:
        known, noted = _noted(conn)
        if known != leaf:
            hold_end(conn)  # of two processes that start after a change, one writes it down
            known, noted = _noted(conn)
        if known != leaf:
            gone = dict.fromkeys(noted.keys() - files.keys())
            changed = {name: made for name, made in files.items() if noted.get(name) != made}
            subject = {"what": "files", "files": len(files), "changed": {**changed, **gone}}
            append(conn, KIND, subject, leaf)
        return bool(conn.execute(_UNSEALED).scalar_one())


def digests_below(root: Path) -> dict[str, str]:
    """Path below the root → SHA-256 of every file that says what is exchanged and how."""
    found = [path for folder in FOLDERS for path in (root / folder).rglob("*") if path.is_file()]
    kept = [path for path in found if "__pycache__" not in path.parts and path.name[0] != "."]
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(kept)
    }


def _noted(conn: Connection) -> tuple[bytes | None, dict[str, Any]]:
    """The last entry's leaf, and the files as all entries together have them."""
    leaf, files = None, dict[str, Any]()
    for row in conn.execute(_ENTRIES):
        if row.subject.get("what") == "files":
            leaf = bytes(row.leaf)
            files |= row.subject["changed"]
    return leaf, {name: made for name, made in files.items() if made is not None}
