"""The master key: where it is kept, and how it is read.

In this order:

    TONGBAN_MASTER_KEY          base64 of 32 bytes
    TONGBAN_MASTER_KEY_FILE     a file with it (a mounted secret, mode 0600)
    TONGBAN_MASTER_KEY_SECRET   name of an Airflow Variable or Connection (any secrets backend)
    <keys folder>/master.key    made when nothing else is given

The key itself is never logged, and no error shows a part of it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tongban.kernel.errors import ConfigInvalid, CredentialsMissing
from tongban.protect.envelope import KEY_LENGTH

MASTER_KEY_VARIABLE = "TONGBAN_MASTER_KEY"
MASTER_KEY_FILE_VARIABLE = "TONGBAN_MASTER_KEY_FILE"
MASTER_KEY_SECRET_VARIABLE = "TONGBAN_MASTER_KEY_SECRET"  # noqa: S105 - a variable's name
MASTER_KEY_FILE = "master.key"

Secret = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class MasterSource:
    """One place that holds the master key.

    Attributes:
        kind: environment, file or secret.
        place: What a message calls it; never the key.
        path: The file, where it is one.
        read: Reads the key anew.
    """

    kind: str
    place: str
    path: Path | None
    read: Callable[[], bytes]


def master_source(
    folder: Path, environ: Mapping[str, str], secret: Secret | None = None
) -> MasterSource:
    """The first place of the list above that is given; nothing is read yet.

    Args:
        folder: The ring's folder, for its own file.
        environ: The environment.
        secret: Looks a name up in a secrets backend; None outside Airflow.
    """
    text = environ.get(MASTER_KEY_VARIABLE)
    if text:
        place = f"environment variable {MASTER_KEY_VARIABLE}"
        return MasterSource("environment", place, None, lambda: master_bytes(text, place))
    given = environ.get(MASTER_KEY_FILE_VARIABLE)
    if given:
        return file_source(Path(given))
    name = environ.get(MASTER_KEY_SECRET_VARIABLE)
    if name:
        place = f"secret {name} ({MASTER_KEY_SECRET_VARIABLE})"
        return MasterSource(
            "secret", place, None, lambda: master_bytes(_secret(name, environ, secret), place)
        )
    return file_source(folder / MASTER_KEY_FILE)


def file_source(path: Path) -> MasterSource:
    """A file that holds the key."""
    return MasterSource("file", str(path), path, lambda: _from_file(path))


def master_bytes(text: str, place: str) -> bytes:
    """The master key's bytes.

    Raises:
        ConfigInvalid: Not base64 of 32 bytes; the message names the place only.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_LENGTH:
        raise ConfigInvalid(f"{place}: expected base64 of {KEY_LENGTH} bytes")
    return key


def _from_file(path: Path) -> bytes:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise ConfigInvalid(
            f"{path}: the master key's file cannot be read; mount it for this user, mode 0600"
        ) from None
    return master_bytes(text, str(path))


def _secret(name: str, environ: Mapping[str, str], secret: Secret | None) -> str:
    """Airflow's backends inside tasks; the environment's form of a Variable elsewhere."""
    found = secret(name) if secret is not None else None
    found = found or environ.get(f"AIRFLOW_VAR_{name.upper()}")
    if not found:
        raise CredentialsMissing(
            f"secret {name}: neither an Airflow Variable nor a Connection with a password has that "
            f"name; create one, or set AIRFLOW_VAR_{name.upper()} outside Airflow",
            secret=name,
        )
    return found
